import type { Issuer } from '@certloop/api-client'
import type { Context } from '../context.ts'
import { paintState } from '../format/paint.ts'
import { facts, headed, plural, table } from '../format/table.ts'
import { dateAndDistance, momentInZone } from '../format/time.ts'

const keySources: Record<Issuer['keySource'], string> = { sealed: 'sealed in the database', pkcs11: 'in the PKCS#11 token', outside: 'not here: only its certificate is' }

/** Quoted for a shell where it has to be. */
export const word = (text: string): string => (/^[\w.@:/+-]+$/.test(text) ? text : `"${text.replace(/["\\$`]/g, '\\$&')}"`)

function role({ kind, slot }: Issuer): string {
  if (slot === 'root') return 'root: the anchor that bots pin'
  return slot === 'intermediate' ? 'intermediate in use: signs what names no issuer' : kind
}

function constraints({ nameConstraints: names }: Issuer): string | null {
  if (names === null) return null
  const list = (title: string, entries: readonly { type: string; value: string }[]) => (entries.length === 0 ? [] : [`${title} ${entries.map(({ type, value }) => `${type}:${value}`).join(', ')}`])
  return [...list('only', names.permitted), ...list('not', names.excluded)].join('; ')
}

function publishing({ crlHours, crlShards, deltaCrl, ocspMinutes }: Issuer): string {
  const parts = [`lists valid ${plural(crlHours, 'hour')}`, ...(crlShards > 0 ? [`${plural(crlShards, 'shard')} beside the full one`] : []), ...(deltaCrl ? ['delta lists'] : []), `OCSP answers valid ${plural(ocspMinutes, 'minute')}`]
  return parts.join(', ')
}

/** What a person has to do before it is of use. */
function nextStep(issuer: Issuer, all: readonly Issuer[], csrFile: string | undefined): string[] {
  const name = word(issuer.name)
  if (issuer.status === 'pending' && issuer.csrPem !== null) {
    return [
      'It waits for its certificate:', csrFile === undefined ? `  1. Take its CSR: certloop issuer csr ${name} --out ca.csr` : `  1. Its CSR is in ${csrFile}.`, '  2. Have the authority outside sign it, as a CA certificate.',
      `  3. Install what comes back: certloop issuer install-certificate ${name} CERTIFICATE-FILE CHAIN-FILES`,
    ]
  }
  const before = all.find(({ successorId, status }) => successorId === issuer.id && status === 'active')
  return before ? [`"${before.name}" goes on signing until you say: certloop issuer activate ${name}`] : []
}

const certificateRows = ({ certificates, certificateId }: Issuer, context: Context) => table(
  ['', 'SIGNED BY', 'FROM', 'UNTIL', 'SERIAL NUMBER', 'ID'],
  certificates.map((c) => [c.id === certificateId ? '*' : ' ', c.subject === c.issuer ? 'itself' : `${c.issuer}${c.signedBy === null ? ' (outside)' : ''}`, momentInZone(c.notBefore, context.world), momentInZone(c.notAfter, context.world), c.serialNumber, c.id]),
)
const listRows = ({ crls }: Issuer, context: Context) => table(
  ['LIST', 'NUMBER', 'ENTRIES', 'BYTES', 'MADE', 'VALID UNTIL', 'PATH'],
  crls.map((l) => [l.scope, l.number, l.entries, l.bytes, momentInZone(l.thisUpdate, context.world), momentInZone(l.nextUpdate, context.world), l.path]),
)

export function issuerLines(context: Context, issuer: Issuer): string[] {
  const { world, paint } = context
  const { addresses, certificates, crls } = issuer
  return [
    ...facts([
      ['Issuer', paint('bold', issuer.name)], ['Id', issuer.id], ['Role', role(issuer)], ['Status', paintState(paint, issuer.status)], ['Style', issuer.style === 'public' ? 'public: signs by profiles of public style alone' : null], ['Subject', issuer.subject], ['Key', `${issuer.keyAlgorithm}, ${keySources[issuer.keySource]}`],
      ['Path length', issuer.pathLength], ['Names', constraints(issuer)], ['Ends', dateAndDistance(issuer.notAfter, world)], ['Publishes', publishing(issuer)], ['Successor', issuer.successorId],
      ['Retired', momentInZone(issuer.retiredAt, world)], ['Made', momentInZone(issuer.createdAt, world)],
    ]),
    ...headed('Certificates (* goes into chains)', certificates.length === 0 ? [] : certificateRows(issuer, context)),
    ...headed('Revocation lists', crls.length === 0 ? [] : listRows(issuer, context)),
    ...headed('Addresses in certificates', addresses === null
      ? ['none: others could not reach this machine. Start the control plane with --pki-url (CERTLOOP_PKI_URL).']
      : facts([['Issuer', addresses.issuer], ['CRL', addresses.crl], ['OCSP', addresses.ocsp]])),
  ]
}

/** The answer, and on standard error what happened and what to do next. */
export async function showIssuer(context: Context, issuer: Issuer, happened?: string, csrFile?: string): Promise<void> {
  context.show(issuer, (safe) => issuerLines(context, safe))
  if (context.json) return
  const others = issuer.status === 'active' && happened !== undefined ? (await (await context.client()).call('listIssuers')).items : []
  for (const line of [...(happened === undefined ? [] : [happened]), ...nextStep(issuer, others, csrFile)]) context.note(line)
}
