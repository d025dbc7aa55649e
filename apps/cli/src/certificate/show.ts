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

/** What goes on with it: the action that has not ended, and what it waits for. */
function runningFacts({ paint, world }: Context, { lastAction }: CertificateDetail): (readonly [string, Cell])[] {
  if (lastAction === null || lastAction.endedAt !== null) return []
  const { kind, state, reason, nextAction, waitsUntil, deadline, requester, rolloutId } = lastAction
  return [
    ['Running', `${kind}: ${paintState(paint, state)}, started by ${requester}`], ['Now', reason], ['Waits until', momentInZone(waitsUntil, world)], ['Next', nextAction],
    ['Deadline', momentInZone(deadline, world)], ['Rollout', rolloutId],
  ]
}

/** How to name it in a command: by its name where no other has it and a shell leaves it alone, else by its id. */
export async function wordFor(context: Context, { id, name }: Pick<CertificateDetail, 'id' | 'name'>): Promise<string> {
  if (!/^[\w.:*-]+$/.test(name) || name.includes('*')) return id
  const { items } = await (await context.client()).call('listCertificates', { query: { search: name, limit: 200 } })
  const alike = items.filter((one) => one.name.toLowerCase() === name.toLowerCase())
  return alike.length === 1 && items.length < 200 ? name : id
}

/** What failed last and was not started again since: the same once more runs into the same wall. */
const freshError = ({ lastAction, problem }: CertificateDetail) => (lastAction?.state === 'failed' ? lastAction.error : null) ?? problem

/** Only what goes away by itself is simply tried again; else what is to be mended comes first. */
function nextFacts(c: CertificateDetail, { word, specs }: Shown): (readonly [string, Cell])[] {
  if (c.nextAction === null) return []
  const command = `certloop certificate ${c.nextAction} ${word}`
  const error = c.nextAction === 'configure' ? null : freshError(c)
  const spec = error && error.code in specs ? specs[error.code] : undefined
  return spec?.retry === 'after-change' || spec?.retry === 'never' ? [['Do next', spec.remedy], ['Then', command]] : [['Do next', command]]
}

/** How the last action failed, where neither reason nor problem tells it: an older problem does not hide it. */
function failedFacts({ lastAction, problem, statusReason }: CertificateDetail): (readonly [string, Cell])[] {
  const error = lastAction?.state === 'failed' ? lastAction.error : null
  if (!lastAction || !error || error.message === problem?.message || statusReason.includes(error.message)) return []
  return [['Last failure', `${lastAction.kind}: ${error.message} (${error.code})`]]
}

const relativeText = ({ name, status, id }: CertificateDetail['children'][number]) => `${name}, ${status} (${id})`

/** What is possible, then what is not, those with the same reason together. */
function actionLines({ paint }: Context, actions: CertificateDetail['actions']): string[] {
  const refused = Map.groupBy(actions.filter(({ possible }) => !possible), ({ why }) => why ?? '')
  const possible = actions.filter((one) => one.possible).map(({ action }) => action)
  return [possible.join(', ') || 'none now', ...[...refused].map(([why, group]) => paint('dim', `Not now: ${group.map(({ action }) => action).join(', ')}. ${why}`))]
}

interface Shown { names: NamesOf; word: string; specs: Awaited<ReturnType<Context['api']>>['errorSpecs'] }

function certificateLines(context: Context, c: CertificateDetail, shown: Shown): string[] {
  const { paint, world } = context
  return [
    ...facts([
      ['Certificate', paint('bold', c.name)], ['Id', c.id], ['Status', paintState(paint, c.status)], ['Why', c.statusReason], ...nextFacts(c, shown), ...failedFacts(c), ['Problem', c.problem && `${c.problem.message} (${c.problem.code})`],
      ...runningFacts(context, c),
      ['Management', c.management], ['Names', c.names.join(', ')], ['Issuer', c.issuer], ['Ends', dateAndDistance(c.notAfter, world)], ['Fingerprint', c.fingerprint],
      ['Next renewal', moment(c.nextRenewalAt, world)], ['Follows', c.parent && relativeText(c.parent)], ...c.children.map((child) => ['Followed by', relativeText(child)] as const),
    ]),
    ...headed('Configuration', configurationLines(c.configuration, shown.names)),
    ...headed('Next runs', runLines(context, c.nextRuns)),
    ...headed('Places', c.installations.length === 0 ? [] : table(['PLACE', 'BOT', 'STATE', 'SERVED ON', 'FINGERPRINT'], c.installations.map((i) => [
      i.title, i.botName, paintState(paint, i.state), servedText(i), short(i.fingerprint)]))),
    ...headed('Versions', c.versions.length === 0 ? [] : table(['', 'FINGERPRINT', 'FROM', 'UNTIL', 'KEY', 'KEPT BY', 'SOURCE', 'ID'], c.versions.map((v) => [
      v.id === c.currentVersionId ? '*' : ' ', short(v.fingerprint), moment(v.notBefore, world), moment(v.notAfter, world), v.keyAlgorithm, v.custody, v.source, v.id]))),
    ...headed('Suggested targets', c.configuration === null ? c.suggestions.map(({ title, botName, why }) => `${title} on ${botName}. ${why}`) : []),
    ...headed('Actions', actionLines(context, c.actions)),
  ]
}

async function namesOf(context: Context, { authorityId, csr: { templateId }, validation: { botId, dnsProviderId } }: Configuration): Promise<NamesOf> {
  const client = await context.client()
  const none = { items: [] }
  const read = async <T extends { id: string; name: string }>(wanted: string | null, list: () => Promise<{ items: T[] }>) => (wanted === null ? none : await list().catch(() => none)).items
  const templates = await read(templateId, () => client.call('listCsrTemplates'))
  const named = await Promise.all([read(authorityId, () => client.call('listAuthorities')), read(botId, () => client.call('listBots')), read(dnsProviderId, () => client.call('listDnsProviders'))])
  return { template: templates.find(({ id }) => id === templateId)?.name, byId: Object.fromEntries(named.flat().map(({ id, name }) => [id, name])) }
}

/** What `certificate show`, `add`, `configure` and `manage` print. Reads the names of authority and template for people; nobody needs them in JSON, and who may not read them sees the ids. */
export async function showCertificate(context: Context, certificate: CertificateDetail): Promise<void> {
  const names = context.json || certificate.configuration === null ? {} : await namesOf(context, certificate.configuration)
  const word = context.json ? certificate.id : await wordFor(context, certificate)
  const { errorSpecs: specs } = await context.api()
  context.show(certificate, (safe) => certificateLines(context, safe, { names: clean(names), word, specs }))
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
