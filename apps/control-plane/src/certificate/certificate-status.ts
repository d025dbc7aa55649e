import { asSentence, type CertificateStatus, type DeploymentState, type ErrorCode, type InstallationState, type Management, type OrderState, type WireError } from '@certloop/contract'

/** What is known of a certificate. The status follows from this and nothing else. */
export interface Evidence {
  management: Management
  configuration: 'none' | 'draft' | 'complete'
  /** How many targets the configuration names. */
  targetCount: number
  renewalDaysBefore: number | null
  /** Newest version made by an order, or found when there was no order. */
  current: { fingerprint: string; notBefore: Date; notAfter: Date; source: 'order' | 'discovery' } | null
  /** Of what is newest or installed, the worst that the built-in CA recorded. */
  revocation: { status: 'revoked' | 'held'; at: Date; reason: string; isInstalled: boolean } | null
  openOrder: { state: OrderState; reason: string; nextAction: string | null } | null
  openDeployments: readonly { state: DeploymentState; reason: string; nextAction: string | null }[]
  /** The newest ended order or deployment of the newest action, when it did not succeed. */
  failure: { kind: 'order' | 'deployment'; state: 'failed' | 'rolled-back' | 'cancelled'; error: WireError } | null
  /** A host on the way to a target showed a key that waits to be confirmed. */
  unknownHostKey: WireError | null
  /** The configuration no longer fits: the next order would fail. */
  misfit: WireError | null
  /** trouble: gone, serving something other than its file holds, or holding what somebody else put there. An older version of ours is none. */
  installations: readonly { title: string; state: InstallationState; notAfter: Date | null; trouble: boolean }[]
}
export interface DerivedStatus { status: CertificateStatus; reason: string; problem: WireError | null }

const warnDays = 30
const days = (from: Date, to: Date) => Math.floor((to.getTime() - from.getTime()) / 86_400_000)

/** When trouble begins: the earliest end among the newest version and what is installed anywhere. */
export function endOf({ current, installations }: Evidence): Date | null {
  const ends = [current?.notAfter, ...installations.map((i) => i.notAfter)].filter((d): d is Date => d !== null && d !== undefined)
  return ends.length === 0 ? null : new Date(Math.min(...ends.map((d) => d.getTime())))
}

/** So many days before its end a certificate is worth a warning; less for those that live shortly by design. */
function warnLimit({ current, renewalDaysBefore }: Evidence): number {
  const limit = Math.min(warnDays, renewalDaysBefore === null ? warnDays : renewalDaysBefore - 1)
  const lifetime = current ? days(current.notBefore, current.notAfter) : warnDays
  return lifetime > limit + 1 ? limit : Math.max(1, Math.ceil(lifetime / 3))
}

/** True when every place of a certificate serves its newest version. */
export const allInSync = ({ installations, targetCount }: Pick<Evidence, 'installations' | 'targetCount'>): boolean =>
  installations.length > 0 && installations.length >= targetCount && installations.every((i) => i.state === 'in-sync')
const plural = (n: number, one: string, many: string) => `${n} ${n === 1 ? one : many}`

/** Rules in order of urgency; the first that applies gives the status. Pure. */
export function deriveStatus(e: Evidence, now: Date): DerivedStatus {
  const problem = problemOf(e)
  const say = (status: CertificateStatus, reason: string): DerivedStatus => ({ status, reason, problem })
  const end = endOf(e)
  if (end && end < now) return say('expired', `What is served expired on ${end.toISOString().slice(0, 10)}. ${e.current && e.current.notAfter > now ? 'Deploy the newer version now.' : 'Rotate it now.'}`)
  return openWork(e, say) ?? revoked(e, say) ?? failedWork(e, say) ?? settled(e, now, say)
}

type Say = (status: CertificateStatus, reason: string) => DerivedStatus

/** Clients that look at lists or OCSP refuse it, so it outweighs everything but work under way. */
function revoked({ revocation }: Evidence, say: Say): DerivedStatus | undefined {
  if (!revocation) return undefined
  const { status, at, reason, isInstalled } = revocation
  const what = isInstalled ? 'What is installed' : 'The newest version'
  const day = at.toISOString().slice(0, 10)
  return status === 'revoked' ? say('revoked', `${what} was revoked on ${day} (${reason}). Rekey it now.`) : say('suspended', `${what} was suspended on ${day}. Resume it, or rekey it.`)
}

function openWork({ openOrder, openDeployments }: Evidence, say: Say): DerivedStatus | undefined {
  const withNext = (w: { reason: string; nextAction: string | null }) => [w.reason, w.nextAction].filter(Boolean).join(' ')
  if (openOrder) return say('order-pending', withNext(openOrder))
  const [first] = openDeployments
  if (!first) return undefined
  const running = openDeployments.find((d) => d.state === 'deploying')
  return running ? say('deploying', withNext(running)) : say('deployment-pending', withNext(first))
}

function failedWork(e: Evidence, say: Say): DerivedStatus | undefined {
  const { failure } = e
  // What a later look at the hosts showed counts more than how the deployment ended.
  if (failure?.kind !== 'deployment' || failure.state === 'cancelled' || allInSync(e)) return undefined
  const rolledBack = failure.state === 'rolled-back'
  return say(rolledBack ? 'rolled-back' : 'deployment-failed', `${asSentence(failure.error.message)}${rolledBack ? ' The previous certificate is served again.' : ''}`)
}

function settled(e: Evidence, now: Date, say: Say): DerivedStatus {
  const { current, configuration } = e
  if (!current) return configuration === 'complete' ? say('configured', 'Ready to be ordered.') : say('configuration-pending', 'Choose where it is deployed and who issues it.')
  const left = days(now, endOf(e) ?? current.notAfter)
  return current.source === 'discovery' ? settledFound(e, left, say) : settledIssued(e, left, say)
}

/** Found, and nothing was ordered for it yet. */
function settledFound({ configuration, installations }: Evidence, left: number, say: Say): DerivedStatus {
  if (configuration === 'complete') return say('configured', `Found by discovery, ends in ${plural(left, 'day', 'days')}. Order or rotate it to take over.`)
  if (configuration === 'draft') return say('configuration-pending', 'The configuration is a draft; complete it to renew this certificate.')
  if (installations.length === 0) return say('discovered', 'Found earlier, and nowhere any more. Delete it if it is no longer needed.')
  return left < warnDays ? say('expiring', `It ends in ${plural(left, 'day', 'days')} and nothing renews it. Configure it now.`) : say('discovered', 'Found by discovery and not configured yet.')
}

function settledIssued(e: Evidence, left: number, say: Say): DerivedStatus {
  const wrong = e.installations.filter((i) => i.state !== 'in-sync')
  if (e.targetCount > 0 && e.installations.length === 0) return say('issued', 'Issued and not deployed. Deploy it.')
  if (wrong.length > 0) return say('issued', `Issued, but ${wrong.map((i) => `${i.title} is ${i.state}`).join(', ')}. What is served ends in ${plural(left, 'day', 'days')}: deploy the new version, or look at the host.`)
  if (left < warnLimit(e)) return say('expiring', `It ends in ${plural(left, 'day', 'days')}${e.renewalDaysBefore === null ? ' and renewal is off' : ' and has not been renewed'}.`)
  if (e.targetCount === 0) return say('issued', 'Issued. It has no deployment target.')
  return say('deployed', `Proven to be served at ${plural(e.installations.length, 'place', 'places')}.`)
}

/** A failed order is a problem beside the status: what is served is still what it was. */
function problemOf(e: Evidence): WireError | null {
  const { failure, installations } = e
  if (failure && failure.state !== 'cancelled' && !(failure.kind === 'deployment' && allInSync(e))) return failure.error
  if (e.unknownHostKey) return e.unknownHostKey
  if (e.misfit) return e.misfit
  const wrong = installations.filter((i) => i.trouble)
  const code: ErrorCode = 'PROOF_MISMATCH'
  return wrong.length > 0 ? { code, message: `${wrong.map((i) => `${i.title} is ${i.state}`).join('; ')}.`, facts: {} } : null
}

/** The next instant at which time alone changes the status; undefined when none does. */
export function nextStatusChange(e: Evidence, now: Date): Date | undefined {
  const end = endOf(e)?.getTime()
  if (end === undefined) return undefined
  const boundaries = [end - warnDays * 86_400_000, end - warnLimit(e) * 86_400_000, end]
  const next = boundaries.filter((b) => b > now.getTime()).toSorted((a, b) => a - b)[0]
  return next === undefined ? undefined : new Date(next + 1000)
}
