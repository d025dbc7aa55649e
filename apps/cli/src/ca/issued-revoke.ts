import { X509Certificate } from 'node:crypto'
import type { IssuedCertificateDetail } from '@certloop/api-client'
import { revocationReasons } from '../choices.ts'
import { defineCommand } from '../command.ts'
import { confirm, yesOption } from '../confirm.ts'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'
import { findIssued, issuedArgument } from './find-ca.ts'
import { issuedLines } from './issued-lines.ts'

async function read(context: Context, text: string): Promise<IssuedCertificateDetail> {
  const id = await findIssued(context, text)
  return (await context.client()).call('getIssuedCertificate', { params: { id } })
}
const titleOf = ({ subject, names, serialNumber }: IssuedCertificateDetail) => `${names[0] ?? (subject || 'the certificate')} (serial number ${serialNumber})`

function show(context: Context, certificate: IssuedCertificateDetail, happened: string, next = ''): void {
  context.show(certificate, (safe) => issuedLines(context, safe))
  context.note(`${happened} OCSP says so at once; the revocation list follows within seconds. Clients and caches that hold an older answer learn of it when that ends.${next}`)
  if (!namesAddresses(certificate)) context.warn('This certificate names no address for that: it was issued while the control plane had none to give (CERTLOOP_PKI_URL). Clients see the change only where they were told the address of list or OCSP.')
}

const namesAddresses = ({ certificatePem }: IssuedCertificateDetail) => certificatePem === null || new X509Certificate(certificatePem).infoAccess !== undefined

/** A whole instant: a date alone would be a guess at the zone. */
function instantOf(text: string): string {
  try {
    return Temporal.Instant.from(text).toString({ smallestUnit: 'second' })
  } catch {
    throw usage(`--invalidity-date takes a time with its zone such as 2026-11-20T08:00:00Z or 2026-11-20T09:00:00+01:00, not "${text}".`)
  }
}

export const issuedRevoke = defineCommand({
  noun: 'issued', verb: 'revoke', summary: 'Revoke a certificate for ever',
  args: issuedArgument,
  options: {
    'reason': { type: 'string', value: 'REASON', choices: revocationReasons, help: 'why (RFC 5280), unspecified unless given' },
    'invalidity-date': { type: 'string', value: 'TIME', help: 'since when the key is known to be in other hands, e.g. 2026-11-20T08:00:00Z' },
    ...yesOption,
  },
  examples: ['issued revoke server.pem --reason superseded', 'issued revoke 5d:1c:a0:33:17:9e:42:b6:0f:88:21:d4:7b:6e:90:ac --reason keyCompromise --invalidity-date 2026-11-20T08:00:00Z --yes'],
  notes: ['It can not be taken back; to be able to, suspend it. Of a revoked certificate it can only be added later that its key was lost (keyCompromise).'],
  async run(context, { args, options }) {
    const date = options['invalidity-date']
    const invalidityDate = date === undefined ? {} : { invalidityDate: instantOf(date) }
    const found = await read(context, args.certificate)
    await confirm(context, `Revoke ${titleOf(found)} for ever?`, options.yes)
    const after = await (await context.client()).call('revokeCertificate', { params: { id: found.id }, body: { reason: options.reason ?? 'unspecified', ...invalidityDate } })
    show(context, after, `${titleOf(after)} is revoked.`)
  },
})

export const issuedSuspend = defineCommand({
  noun: 'issued', verb: 'suspend', summary: 'Suspend a certificate (certificateHold)',
  args: issuedArgument, options: yesOption, examples: ['issued suspend server.pem'],
  notes: ['Clients see it as revoked until it is resumed.'],
  async run(context, { args, options }) {
    const found = await read(context, args.certificate)
    await confirm(context, `Suspend ${titleOf(found)}? Clients refuse it until it is resumed.`, options.yes)
    const after = await (await context.client()).call('suspendCertificate', { params: { id: found.id } })
    show(context, after, `${titleOf(after)} is suspended.`, ` To take it back: certloop issued resume ${after.id}`)
  },
})

export const issuedResume = defineCommand({
  noun: 'issued', verb: 'resume', summary: 'Take a suspension back',
  args: issuedArgument, options: {}, examples: ['issued resume server.pem'],
  async run(context, { args }) {
    const found = await read(context, args.certificate)
    const after = await (await context.client()).call('resumeCertificate', { params: { id: found.id } })
    show(context, after, `${titleOf(after)} is good again.`)
  },
})
