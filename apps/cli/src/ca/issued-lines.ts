import type { IssuedCertificate, IssuedCertificateDetail } from '@certloop/api-client'
import type { Given, OptionSpecs } from '../command.ts'
import type { Context } from '../context.ts'
import { exitCodes, Failure } from '../failure.ts'
import { paintState } from '../format/paint.ts'
import { facts } from '../format/table.ts'
import { dateAndDistance, momentInZone } from '../format/time.ts'
import { writeOutput } from './files.ts'

/** expired wins over good alone: what was revoked stays told. */
export const statusText = ({ paint }: Context, { status, isExpired }: Pick<IssuedCertificate, 'status' | 'isExpired'>): string =>
  (isExpired ? paintState(paint, status === 'good' ? 'expired' : `${status}, expired`) : paintState(paint, status))

const meanings: Record<IssuedCertificate['status'], string | null> = { intended: 'its number is spent, and nobody has the certificate; it can be revoked', good: null, held: 'suspended, until it is resumed or revoked', revoked: 'for ever' }

export function issuedLines(context: Context, c: IssuedCertificateDetail): string[] {
  const { world } = context
  const meaning = meanings[c.status]
  return facts([
    ['Certificate', context.paint('bold', c.subject || c.names[0] || c.id)], ['Id', c.id], ['Status', `${statusText(context, c)}${meaning === null ? '' : ` (${meaning})`}`], ['Reason', c.revocationReason],
    [c.status === 'held' ? 'Suspended' : 'Revoked', momentInZone(c.revokedAt, world)], ['Key lost', momentInZone(c.invalidityDate, world)], ['Names', c.names.join(', ')], ['Issuer', c.issuerName], ['Profile', c.profile],
    ['Serial number', c.serialNumber], ['Fingerprint', c.fingerprint], ['From', momentInZone(c.notBefore, world)], ['Until', momentInZone(c.notAfter, world)], ['Ends', dateAndDistance(c.notAfter, world)], ['For', c.reference], ['Issued', momentInZone(c.createdAt, world)],
  ])
}

export const outputOptions = {
  'out': { type: 'string', value: 'FILE', help: 'write certificate and chain there, without the root: what servers take' },
  'certificate-out': { type: 'string', value: 'FILE', help: 'write the certificate alone there' },
  'chain-out': { type: 'string', value: 'FILE', help: 'write the intermediates alone there' },
  'root-out': { type: 'string', value: 'FILE', help: 'write the root there' },
} as const satisfies OptionSpecs
type OutputOptions = Given<Record<never, never>, typeof outputOptions>['options']

const joined = (texts: readonly string[]) => texts.map((text) => `${text.trimEnd()}\n`).join('')

/** Certificate and intermediates, PEM. */
export const fullChain = ({ chainPem }: IssuedCertificateDetail): string => joined(chainPem)

/** Writes what was asked for. @returns whether anything was asked for. @throws Failure when there is nothing to write */
export async function writeIssued(context: Context, c: IssuedCertificateDetail, o: OutputOptions): Promise<boolean> {
  const wanted = [[o.out, fullChain(c)], [o['certificate-out'], c.certificatePem ?? ''], [o['chain-out'], joined(c.chainPem.slice(1))], [o['root-out'], c.rootPem ?? '']] as const
  const files = wanted.flatMap(([file, text]) => (file === undefined ? [] : [{ file, text }]))
  for (const { file, text } of files) {
    if (text === '') throw new Failure({ exit: exitCodes.failed, what: `There is nothing to write to ${file}: ${c.certificatePem === null ? 'the certificate was never stored' : file === o['root-out'] ? 'its root is not known here' : 'the root signed it itself'}.`, code: 'NOT_FOUND' })
    await writeOutput(context, file, text, `certloop issued show ${c.id} --out FILE`)
  }
  return files.length > 0
}
