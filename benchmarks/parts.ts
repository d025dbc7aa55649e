import type { DeployLogEntry, Plan, TimelineEvent } from '@certloop/contract'

/** One commit of the control plane. Times in ms since 1970; sqlMs: inside SQLite since its start. */
export interface Commit { before: number; after: number; sqlMs: number }

/** What was recorded of one rotation. Times in ms since 1970. */
export interface Recording {
  /** Just before the POST was sent. */
  posted: number
  commits: readonly Commit[]
  /** When the bot took up each kind of task. */
  begun: { makeCsr: number; plan: number; deploy: number }
  timeline: readonly TimelineEvent[]
  plan: Plan
  log: readonly DeployLogEntry[]
}

/** The parts of a rotation, in its order. `our`: counts as Certloop's own time. */
export const partNames = {
  post: { our: true, title: 'API: POST rotate, until its transaction is committed' },
  hops: { our: true, title: 'queue and wake: from a commit until its task is taken (5 times)' },
  csr: { our: true, title: 'bot: key, CSR, result sent' },
  authority: { our: false, title: 'CA: check, intent, signature, storing (see note 1)' },
  transactions: { our: true, title: 'control plane: its 5 other transactions with their commits' },
  firstPlan: { our: true, title: 'bot: plan (nginx -V, -T, handshakes), result sent' },
  secondPlan: { our: true, title: 'bot: plan made again and compared' },
  journal: { our: true, title: 'bot: backup, journal on disk, files staged' },
  replace: { our: true, title: 'bot: files replaced' },
  test: { our: true, title: 'nginx -t' },
  reload: { our: false, title: 'nginx -s reload' },
  proof: { our: false, title: 'handshakes until the new certificate is served everywhere' },
  watch: { our: false, title: 'handshakes that nothing else is served (see note 2)' },
  rest: { our: true, title: 'bot: journal records, inspection, clean-up, result sent' },
} as const
export type PartName = keyof typeof partNames
export type Parts = Record<PartName, number>

export interface Split { total: number; own: number; parts: Parts; sqlMs: number; commitCount: number }

/** When an event of this kind was written, in ms since 1970. */
function timeOf(timeline: readonly TimelineEvent[], kind: string): number {
  const event = timeline.find((e) => e.kind === kind)
  if (!event) throw new Error(`the timeline holds no "${kind}": ${timeline.map((e) => e.kind).join(', ')}`)
  return Date.parse(event.at)
}

/** The end of the transaction that wrote at this time. Event times are whole milliseconds, cut off. */
function committedAfter(commits: readonly Commit[], at: number): number {
  const commit = commits.find(({ after }) => after >= at)
  if (!commit) throw new Error(`there is no commit after ${new Date(at).toISOString()}`)
  return commit.after
}

const sum = (log: readonly DeployLogEntry[], fits: (entry: DeployLogEntry) => boolean) => log.filter(fits).reduce((total, { durationMs }) => total + (durationMs ?? 0), 0)

/** Where the bot's time of a deployment went, by the durations in its log. */
function botParts(plan: Plan, log: readonly DeployLogEntry[]) {
  const kindOf = ({ step }: DeployLogEntry) => (step === null ? undefined : plan.steps[step]?.kind)
  const steady = plan.steps.reduce((total, step) => total + (step.kind === 'prove' ? step.steadyMilliseconds ?? 0 : 0), 0)
  const done = (...kinds: string[]) => sum(log, (e) => e.phase !== 'backup' && kinds.includes(kindOf(e) ?? ''))
  return {
    secondPlan: sum(log, (e) => e.phase === 'plan'), journal: sum(log, (e) => e.phase === 'backup'), replace: done('write-file', 'make-directory'),
    test: done('run-command'), reload: done('reload-service'), proof: Math.max(0, done('prove') - steady), watch: Math.min(steady, done('prove')),
  }
}

/**
 * Splits one rotation, from the POST to the commit of "deployed", into parts that add up to the whole.
 * @param authorityMs what the built-in CA takes for one certificate, measured by itself: the order's transaction
 *   between request and answer can't be seen from outside
 */
export function split({ posted, commits, begun, timeline, plan, log }: Recording, authorityMs: number): Split {
  const wrote = (kind: string) => timeOf(timeline, kind)
  const committed = (kind: string) => committedAfter(commits, wrote(kind))
  const end = committed('deployment.proven')
  const post = committed('order.created') - posted
  const submitted = wrote('order.issued') - committed('order.csrReady')
  const authority = Math.min(authorityMs, submitted)
  const hops = begun.makeCsr - committed('order.created')
    + submitted - authority
    + wrote('deployment.created') - committed('order.issued')
    + begun.plan - committed('deployment.created')
    + begun.deploy - committed('deployment.approved')
  const transactions = ['order.csrReady', 'order.issued', 'deployment.created', 'deployment.approved', 'deployment.proven'].reduce((total, kind) => total + committed(kind) - wrote(kind), 0)
  const bot = botParts(plan, log)
  const rest = wrote('deployment.proven') - begun.deploy - Object.values(bot).reduce((a, b) => a + b, 0)
  const parts: Parts = { post, hops, csr: wrote('order.csrReady') - begun.makeCsr, authority, transactions, firstPlan: wrote('deployment.approved') - begun.plan, ...bot, rest }
  const inside = commits.filter(({ after }) => after >= posted && after <= end)
  const total = end - posted
  const own = (Object.keys(parts) as PartName[]).filter((name) => partNames[name].our).reduce((all, name) => all + parts[name], 0)
  return { total, own, parts, sqlMs: (inside.at(-1)?.sqlMs ?? 0) - (commits.findLast(({ after }) => after < posted)?.sqlMs ?? 0), commitCount: inside.length }
}
