import { type CertificateDetail, type Configuration, describeEndpoint, type Installation, type Target } from '@certloop/api-client'
import { defineCommand } from '../command.ts'
import { configurationFacts, type NamesOf, runLines } from '../configuration/lines.ts'
import type { Context } from '../context.ts'
import { findCertificate } from '../find.ts'
import { clean } from '../format/clean.ts'
import { paintState } from '../format/paint.ts'
import { type Cell, facts, headed, table } from '../format/table.ts'
import { dateAndDistance, moment, momentInZone } from '../format/time.ts'
import { reachText } from '../target/way.ts'

const short = (fingerprint: string | null) => (fingerprint === null ? null : `${fingerprint.slice(0, 16)}…`)

function configurationLines(configuration: Configuration | null, names: NamesOf): string[] {
  return configuration === null ? ['none yet'] : facts([...configurationFacts(configuration, names), ...configuration.targets.flatMap(targetFacts)])
}

function targetFacts({ botName, title, reach, placement: { labels, pair }, overwrite, scripts = {}, secretsSet, seenHostKey }: Target, i: number): (readonly [string, string])[] {
  const notes = [
    ...(labels.length > 0 ? [`labels ${labels.join(', ')}`] : []), ...(pair === null ? [] : [`pair ${pair}`]),
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
export /** What goes on with it: the action that has not ended, and what it waits for. */
function runningFacts({ paint, world }: Context, { lastAction }: CertificateDetail): (readonly [string, Cell])[] {
  if (lastAction === null || lastAction.endedAt !== null) return []
  const { kind, state, reason, nextAction, waitsUntil, deadline, requester, rolloutId } = lastAction
  return [
    ['Running', `${kind}: ${paintState(paint, state)}, started by ${requester}`], ['Now', reason], ['Waits until', momentInZone(waitsUntil, world)], ['Next', nextAction],
    ['Deadline', momentInZone(deadline, world)], ['Rollout', rolloutId],
  ]
}

const nextText = ({ name, nextAction }: CertificateDetail) => nextAction && `certloop certificate ${nextAction} ${name}`
const relativeText = ({ name, status, id }: CertificateDetail['children'][number]) => `${name}, ${status} (${id})`

/** What is possible, then what is not, those with the same reason together. */
function actionLines({ paint }: Context, actions: CertificateDetail['actions']): string[] {
  const refused = Map.groupBy(actions.filter(({ possible }) => !possible), ({ why }) => why ?? '')
  const possible = actions.filter((one) => one.possible).map(({ action }) => action)
  return [possible.join(', ') || 'none now', ...[...refused].map(([why, group]) => paint('dim', `Not now: ${group.map(({ action }) => action).join(', ')}. ${why}`))]
}

function certificateLines(context: Context, c: CertificateDetail, names: NamesOf): string[] {
  const { paint, world } = context
  return [
    ...facts([
      ['Certificate', paint('bold', c.name)], ['Id', c.id], ['Status', paintState(paint, c.status)], ['Why', c.statusReason], ['Do next', nextText(c)], ['Problem', c.problem && `${c.problem.message} (${c.problem.code})`],
      ...runningFacts(context, c),
      ['Management', c.management], ['Names', c.names.join(', ')], ['Issuer', c.issuer], ['Ends', dateAndDistance(c.notAfter, world)], ['Fingerprint', c.fingerprint],
      ['Next renewal', moment(c.nextRenewalAt, world)], ['Follows', c.parent && relativeText(c.parent)], ...c.children.map((child) => ['Followed by', relativeText(child)] as const),
    ]),
    ...headed('Configuration', configurationLines(c.configuration, names)),
    ...headed('Next runs', runLines(context, c.nextRuns)),
    ...headed('Places', c.installations.length === 0 ? [] : table(['PLACE', 'BOT', 'STATE', 'SERVED ON', 'FINGERPRINT'], c.installations.map((i) => [
      i.title, i.botName, paintState(paint, i.state), servedText(i), short(i.fingerprint)]))),
    ...headed('Versions', c.versions.length === 0 ? [] : table(['', 'FINGERPRINT', 'FROM', 'UNTIL', 'KEY', 'KEPT BY', 'SOURCE', 'ID'], c.versions.map((v) => [
      v.id === c.currentVersionId ? '*' : ' ', short(v.fingerprint), moment(v.notBefore, world), moment(v.notAfter, world), v.keyAlgorithm, v.custody, v.source, v.id]))),
    ...headed('Suggested targets', c.configuration === null ? c.suggestions.map(({ title, botName, why }) => `${title} on ${botName}. ${why}`) : []),
    ...headed('Actions', actionLines(context, c.actions)),
  ]
}

/** Reads the names of authority and template for people; nobody needs them in JSON, and who may not read them sees the ids. */
export async function showCertificate(context: Context, certificate: CertificateDetail): Promise<void> {
  const { authorityId, csr: { templateId } } = certificate.configuration ?? { authorityId: null, csr: { templateId: null } }
  const client = await context.client()
  const authorities = context.json || !authorityId ? undefined : await client.call('listAuthorities').catch(() => undefined)
  const templates = context.json || !templateId ? undefined : await client.call('listCsrTemplates').catch(() => undefined)
  const names = { authority: authorities?.items.find(({ id }) => id === authorityId)?.name, template: templates?.items.find(({ id }) => id === templateId)?.name }
  context.show(certificate, (safe) => certificateLines(context, safe, clean(names)))
}

export const certificateShow = defineCommand({
  noun: 'certificate', verb: 'show', summary: 'One certificate: status, what goes on, configuration, next runs, places, versions, what can be done',
  args: { certificate: { help: 'id or name' } }, options: {},
  examples: ['certificate show www.example.com', 'certificate show crt_01j… --json'],
  async run(context, { args }) {
    const id = await findCertificate(context, args.certificate)
    await showCertificate(context, await (await context.client()).call('getCertificate', { params: { id } }))
  },
})
