import { type CertificateDetail, type Configuration, describeEndpoint, type Installation, type Target } from '@certloop/api-client'
import { defineCommand } from '../command.ts'
import type { Context } from '../context.ts'
import { findCertificate } from '../find.ts'
import { paintState } from '../format/paint.ts'
import { facts, headed, plural, table } from '../format/table.ts'
import { dateAndDistance, moment } from '../format/time.ts'
import { reachText } from '../target/way.ts'

const short = (fingerprint: string | null) => (fingerprint === null ? null : `${fingerprint.slice(0, 16)}…`)

function renewalText({ renewal: { enabled, daysBefore, time, zone }, deployAfterRenewal }: Configuration): string {
  return enabled ? `${plural(daysBefore, 'day')} before the end, at ${time} ${zone}${deployAfterRenewal ? '' : ', without deploying'}` : 'off'
}

function configurationLines(configuration: Configuration | null, authority: string | undefined): string[] {
  if (configuration === null) return ['none yet']
  const { complete, csr, rollback, approval, targets } = configuration
  return facts([
    ['State', complete ? 'complete' : 'draft'], ['Authority', authority ?? configuration.authorityId ?? 'none'], ['Names', csr.names.join(', ') || 'those of the present version'], ['Key', `${csr.keyAlgorithm}${csr.keyReuse ? ', kept at renewal' : ', new at each renewal'}`],
    ['Renewal', renewalText(configuration)], ['Rollback', rollback ? 'on' : 'off'], ['Approval', approval],
    ...targets.flatMap(targetFacts),
  ])
}

function targetFacts({ botName, title, reach, overwrite, scripts = {}, secretsSet, seenHostKey }: Target, i: number): (readonly [string, string])[] {
  const notes = [
    ...(overwrite === false ? ['overwrites nothing of others'] : []), ...Object.keys(scripts).map((when) => `script ${when}`), ...(secretsSet.length > 0 ? [`secrets kept: ${secretsSet.join(', ')}`] : []),
  ]
  const way = reach === 'local' ? `${title} on ${botName}` : `${title} by ${botName}, ${reachText(reach)}`
  return [
    [`Target ${i + 1}`, [way, ...notes].join('; ')],
    ...(seenHostKey ? [[`Host key ${i + 1}`, `to be confirmed: ${seenHostKey.fingerprint} of ${seenHostKey.host}:${seenHostKey.port} (certloop target confirm-host-key)`] as const] : []),
  ]
}

/** Where it is served; what is served only where that is something else than what is installed. */
const servedText = ({ served, fingerprint: installed }: Installation) => served.map(({ endpoint: e, fingerprint }) =>
  `${describeEndpoint(e)}${fingerprint === installed ? '' : ` serves ${short(fingerprint) ?? 'nothing'}`}`).join(', ')

/** What `certificate show`, `add`, `configure` and `manage` print. */
export function certificateLines(context: Context, c: CertificateDetail, authority?: string): string[] {
  const { paint, world } = context
  return [
    ...facts([
      ['Certificate', paint('bold', c.name)], ['Id', c.id], ['Status', paintState(paint, c.status)], ['Why', c.statusReason], ['Problem', c.problem && `${c.problem.message} (${c.problem.code})`],
      ['Management', c.management], ['Names', c.names.join(', ')], ['Issuer', c.issuer], ['Ends', dateAndDistance(c.notAfter, world)], ['Fingerprint', c.fingerprint],
      ['Next renewal', moment(c.nextRenewalAt, world)],
    ]),
    ...headed('Configuration', configurationLines(c.configuration, authority)),
    ...headed('Places', c.installations.length === 0 ? [] : table(['PLACE', 'BOT', 'STATE', 'SERVED ON', 'FINGERPRINT'], c.installations.map((i) => [
      i.title, i.botName, paintState(paint, i.state), servedText(i), short(i.fingerprint)]))),
    ...headed('Versions', c.versions.length === 0 ? [] : table(['', 'FINGERPRINT', 'FROM', 'UNTIL', 'KEY', 'KEPT BY', 'SOURCE', 'ID'], c.versions.map((v) => [
      v.id === c.currentVersionId ? '*' : ' ', short(v.fingerprint), moment(v.notBefore, world), moment(v.notAfter, world), v.keyAlgorithm, v.custody, v.source, v.id]))),
    ...headed('Suggested targets', c.configuration === null ? c.suggestions.map(({ title, botName, why }) => `${title} on ${botName}. ${why}`) : []),
    ...headed('Actions', c.actions.map(({ action, possible, why }) => (possible ? action : paint('dim', `${action}: not now. ${why ?? ''}`)))),
  ]
}

/** Reads the name of the authority for people; nobody needs it in JSON. */
export async function showCertificate(context: Context, certificate: CertificateDetail): Promise<void> {
  const id = certificate.configuration?.authorityId
  const mayRead = !context.json && id ? await (await context.client()).call('listAuthorities').catch(() => undefined) : undefined
  const authority = mayRead?.items.find((one) => one.id === id)?.name
  context.show(certificate, (safe) => certificateLines(context, safe, authority))
}

export const certificateShow = defineCommand({
  noun: 'certificate', verb: 'show', summary: 'One certificate: status, versions, places, configuration, what can be done',
  args: { certificate: { help: 'id or name' } }, options: {},
  examples: ['certificate show www.example.com', 'certificate show crt_01j… --json'],
  async run(context, { args }) {
    const id = await findCertificate(context, args.certificate)
    await showCertificate(context, await (await context.client()).call('getCertificate', { params: { id } }))
  },
})
