import { asSentence, type CertificateStatus, type CertificateSummary, type DeploymentState, type ErrorCode, type InstallationState, type Management, type OrderState, type WireError } from '@certloop/contract'
import { againWords, provenWords } from '../proof/proof-words.ts'

/** As TakenBack has it. */
interface Held { title: string; how: 'undone' | 'earlier' | 'stopped'; by: string | null }
/** What is known of a certificate. The status follows from this and nothing else. */
export interface Evidence {
  management: Management
  configuration: 'none' | 'draft' | 'complete'
  /** How many targets the configuration names. */
  targetCount: number
  renewalDaysBefore: number | null
  /** Newest version made by an order, or found when there was no order. */
  current: { fingerprint: string; notBefore: Date; notAfter: Date; source: 'order' | 'discovery' } | null
  /** Of what is newest or installed, the worst that is known; of how many versions that is so, and where they are installed. */
  revocation: { status: 'revoked' | 'held'; at: Date; reason: string; count: number; of: number; places: readonly string[] } | null
  /** Revoking, suspending or resuming was asked for last and did not succeed. */
  failedRevocation: WireError | null
  /** validating: names are to be proven to the authority. */
  openOrder: { state: OrderState; reason: string; nextAction: string | null; validating: boolean } | null
  openDeployments: readonly { state: DeploymentState; reason: string; nextAction: string | null }[]
  /** What an action says that has issued and waits for the time of its deployment. */
  waiting: { reason: string } | null
  /** Places from which somebody took back what belongs there: it comes there again only by hand. */
  takenBack: readonly Held[]
  /** Targets whose bot was revoked: nothing is ordered for them or deployed there. */
  leftOut: readonly { title: string; bot: string }[]
  /** Names that the newest version lacks, or the order under way goes on without, and why. */
  missingNames: readonly { name: string; error: WireError }[]
  /** Name of the certificate that was enrolled again from this one and has its targets now. */
  takenOverBy: string | null
  /** The newest ended order or deployment of the newest action, when it did not succeed. */
  failure: { kind: 'order' | 'deployment'; state: 'failed' | 'rolled-back' | 'cancelled'; error: WireError } | null
  /** A host on the way to a target showed a key that waits to be confirmed. */
  unknownHostKey: WireError | null
  /** The configuration no longer fits: the next order would fail. */
  misfit: WireError | null
  /**
   * trouble: gone, serving something other than its file holds, or holding what somebody else put there. An older version of ours
   * is none. proven: a handshake was looked at; false where no port is known. older: holds an earlier version that was ordered here. unserved: its file is as wanted; what its endpoints show instead.
   */
  installations: readonly { title: string; state: InstallationState; notAfter: Date | null; trouble: boolean; older: boolean; unserved: 'other' | 'nothing' | null; proven: boolean }[]
}
type NextAction = CertificateSummary['nextAction']
export interface DerivedStatus { status: CertificateStatus; reason: string; nextAction: NextAction; problem: WireError | null }

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
export const allInSync = ({ installations, targetCount }: { installations: readonly { state: InstallationState }[]; targetCount: number }): boolean =>
  installations.length > 0 && installations.length >= targetCount && installations.every((i) => i.state === 'in-sync')
const plural = (n: number, one: string, many: string) => `${n} ${n === 1 ? one : many}`

/** So little is left that it is told, whatever else is to be said. */
const isNear = (e: Evidence, now: Date): boolean => {
  const end = endOf(e)
  return end !== null && end > now && days(now, end) < warnLimit(e)
}
/** A day that is written down stays true; a count of days that are left does not. */
const endsAt = (date: Date) => `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`

type Verdict = Omit<DerivedStatus, 'problem'> | undefined
type Rule = (e: Evidence, now: Date) => Verdict
const say = (status: CertificateStatus, reason: string, nextAction: NextAction = null): Verdict => ({ status, reason, nextAction })

/** What it is for has moved on, and nothing of it is installed any more: its end is of no concern. */
const takenOver: Rule = ({ takenOverBy, installations, openOrder, openDeployments }) =>
  takenOverBy !== null && installations.length === 0 && !openOrder && openDeployments.length === 0
    ? say('issued', `Enrolled again: "${takenOverBy}" took its targets over, and it is installed nowhere any more. Delete it when it is no longer needed.`) : undefined

const expired: Rule = (e, now) => {
  const end = endOf(e)
  if (!end || end >= now) return undefined
  const newer = e.current !== null && e.current.notAfter > now
  return say('expired', `What is served expired on ${dayOf(end)}. ${newer ? 'Deploy the newer version now.' : 'Rotate it now.'}`, newer ? 'deploy' : orConfigure(e, 'rotate'))
}

const openWork: Rule = (e, now) => {
  const { openOrder, openDeployments } = e
  const withNext = (w: { reason: string; nextAction: string | null }) => [w.reason, w.nextAction].filter(Boolean).join(' ')
  const running = openDeployments.find((d) => d.state === 'deploying')
  const work = openOrder ?? running ?? openDeployments[0]
  if (!work) return undefined
  if (isNear(e, now) && waitsForPerson.has(work.state)) return say('expiring', withNext(work))
  return say(openOrder ? (openOrder.validating ? 'validation-pending' : 'order-pending') : running ? 'deploying' : 'deployment-pending', withNext(work))
}
/** Nothing goes on by itself: a plan or a rollout waits for somebody, or nobody knows whether the authority has issued. */
const waitsForPerson: ReadonlySet<OrderState | DeploymentState> = new Set(['planned', 'uncertain'])

/** Clients that look at lists or OCSP refuse it, so it outweighs everything but work under way. */
const revoked: Rule = (e) => {
  if (!e.revocation) return undefined
  const { status, at, reason, count, of, places } = e.revocation
  const [what, is] = of === 1 ? ['', 'is'] : [`${count} of ${of} versions: `, 'are']
  const still = `${places.length > 0 ? `, and ${is} still served at ${places.join(', ')}` : ''}.${count < of ? ' The rest is still good.' : ''}`
  if (status === 'held') return say('suspended', `${what}Suspended on ${dayOf(at)}${still} Resume it, or rekey it.`, 'resume')
  return say('revoked', `${what}Revoked on ${dayOf(at)} (${reason})${still} Rekey it now.`, orConfigure(e, 'rekey'))
}

const failedWork: Rule = (e) => {
  const { failure } = e
  // What a later look at the hosts showed counts more than how the deployment ended.
  if (failure?.kind !== 'deployment' || failure.state === 'cancelled' || allInSync(e)) return undefined
  const rolledBack = failure.state === 'rolled-back'
  return say(rolledBack ? 'rolled-back' : 'deployment-failed', `${asSentence(failure.error.message)}${rolledBack ? ` The previous certificate ${againWords(e.installations.every((i) => i.proven))}.` : ''}${e.takenBack.some(({ how }) => how === 'stopped') ? ' Its rollout was stopped; nothing is deployed any further by itself until a newer version comes. Mend what failed and deploy again.' : ''}`, 'deploy')
}

/** The files are as they should be, and clients get something else. */
const deployedNotServed: Rule = ({ installations }) => {
  const places = installations.filter((i) => i.unserved !== null)
  if (places.length === 0) return undefined
  const other = places.some((i) => i.unserved === 'other')
  const words = places.map((i) => `${i.title} (${i.unserved === 'other' ? 'another certificate is served' : 'nothing answers'})`).join(', ')
  return say('deployed-not-served', `Installed, but not served at ${words}. ${other ? 'The server may not have taken it up: deploy it again, which reloads the server and proves it.' : 'See whether the server runs, then check again.'}`, other ? 'deploy' : 'recheck-pinning')
}

const heldWords: Record<Held['how'], { what: string; nobody: string }> = {
  undone: { what: 'The newest version was taken back', nobody: 'its rollout' },
  earlier: { what: 'Another version than the newest was deployed by hand', nobody: 'somebody' },
  stopped: { what: 'The rollout of the newest version was stopped before it was through', nobody: 'itself, after what failed' },
}
function heldBack(held: readonly Held[]): string {
  const sentences = (['undone', 'earlier', 'stopped'] as const).map((how) => {
    const places = held.filter((one) => one.how === how).map(({ title, by }) => `${title} by ${by ?? heldWords[how].nobody}`)
    return places.length > 0 ? `${heldWords[how].what}: ${places.join(', ')}.` : ''
  })
  return sentences.filter(Boolean).join(' ')
}

/** A newer version is there; an older one of ours is what is served. */
const renewedNotDeployed: Rule = (e) => {
  const { current, installations, targetCount, waiting, takenBack } = e
  if (current?.source !== 'order' || targetCount === 0) return undefined
  const older = installations.filter((i) => i.older)
  const left = `What is served ends on ${endsAt(endOf(e) ?? current.notAfter)}.`
  if (waiting) return say('renewed-not-deployed', `Issued and not deployed. ${asSentence(waiting.reason)} ${installations.length > 0 ? left : ''}`.trim(), 'deploy')
  if (takenBack.length > 0) return say('renewed-not-deployed', `${heldBack(takenBack)} It is not deployed there again by itself. ${left} Deploy it by hand once the reason is gone, or rotate.`, 'deploy')
  return older.length > 0 ? say('renewed-not-deployed', `Renewed and not deployed: ${older.map((i) => i.title).join(', ')} ${older.length === 1 ? 'has' : 'have'} an earlier version. ${left} Deploy the new one.`, 'deploy') : undefined
}

const nothingYet: Rule = ({ current, configuration, targetCount }) => {
  if (current) return undefined
  return configuration === 'complete' ? say('configured', targetCount > 0 ? 'Ready to be ordered.' : 'Ready to be ordered with a CSR of your own: without a target there is no bot to make the key.', targetCount > 0 ? 'rotate' : 'order') : say('configuration-pending', 'Choose where it is deployed and who issues it.', 'configure')
}

/** Found, and nothing was ordered for it yet. */
const settledFound: Rule = (e, now) => {
  const { current, configuration, installations, targetCount } = e
  if (current?.source !== 'discovery') return undefined
  const end = endOf(e) ?? current.notAfter
  const left = days(now, end)
  if (configuration === 'complete') return say('configured', `Found by discovery, ends on ${endsAt(end)}. Order or rotate it to take over.`, targetCount > 0 ? 'rotate' : 'order')
  if (configuration === 'draft') return say('configuration-pending', 'The configuration is a draft; complete it to renew this certificate.', 'configure')
  if (installations.length === 0) return say('discovered', 'Found earlier, and nowhere any more. Delete it if it is no longer needed.')
  return left < warnDays ? say('expiring', `It ends on ${endsAt(end)} and nothing renews it. Configure it now.`, 'configure') : say('discovered', 'Found by discovery and not configured yet.', 'configure')
}

const settledIssued: Rule = (e, now) => {
  if (e.current?.source !== 'order') return undefined
  const end = endOf(e) ?? e.current.notAfter
  const left = days(now, end)
  const wrong = e.installations.filter((i) => i.state !== 'in-sync')
  if (e.targetCount > 0 && e.installations.length === 0) return say('issued', 'Issued and not deployed. Deploy it.', 'deploy')
  if (wrong.length > 0) return say('issued', `Issued, but ${wrong.map((i) => `${i.title} is ${i.state}`).join(', ')}. What is served ends on ${endsAt(end)}: deploy the new version, or look at the host.`, 'deploy')
  if (left < warnLimit(e)) return say('expiring', `It ends on ${endsAt(end)}${e.renewalDaysBefore === null ? ' and renewal is off' : ' and has not been renewed'}.`, orConfigure(e, e.targetCount > 0 ? 'renew' : 'order'))
  if (e.targetCount === 0) return say('issued', 'Issued. It has no deployment target.', e.takenOverBy === null ? 'configure' : null)
  return say('deployed', provenAt(e))
}

function provenAt({ installations }: Evidence): string {
  const [places, proven] = [installations.length, installations.filter((i) => i.proven).length]
  return proven === places ? `Proven to be served at ${plural(places, 'place', 'places')}.` : provenWords('Installed', { places, proven })
}

/** What can only be done with a complete configuration begins with one. */
const orConfigure = ({ configuration }: Evidence, action: NonNullable<NextAction>): NextAction => (configuration === 'complete' ? action : 'configure')
const dayOf = (date: Date) => date.toISOString().slice(0, 10)

/** In order of urgency; the first that applies gives the status. */
const rules: readonly Rule[] = [takenOver, expired, openWork, revoked, failedWork, deployedNotServed, renewedNotDeployed, nothingYet, settledFound, settledIssued]

/** Pure. */
export function deriveStatus(e: Evidence, now: Date): DerivedStatus {
  const problem = problemOf(e)
  for (const rule of rules) {
    const verdict = rule(e, now)
    if (verdict) return { ...withMissingNames(withLeftOut(withEnd(withSuccessor(verdict, e), e, now), e), e), problem }
  }
  return { status: 'configuration-pending', reason: 'Choose where it is deployed and who issues it.', nextAction: 'configure', problem }
}

/** Where this one is still installed, its successor is told of beside everything else. */
const withSuccessor = (verdict: Omit<DerivedStatus, 'problem'>, { takenOverBy, installations }: Evidence): Omit<DerivedStatus, 'problem'> =>
  takenOverBy !== null && installations.length > 0 ? { ...verdict, reason: `${verdict.reason} "${takenOverBy}" was enrolled again from it and took its targets over; deploy that one.`, nextAction: null } : verdict

/** What was left out is never forgotten: its host goes on serving what it has until that ends. */
const withLeftOut = (verdict: Omit<DerivedStatus, 'problem'>, { leftOut }: Evidence): Omit<DerivedStatus, 'problem'> =>
  leftOut.length > 0 ? { ...verdict, reason: `${verdict.reason} ${leftOutWords(leftOut)}`, nextAction: verdict.nextAction ?? 'configure' } : verdict
const leftOutWords = (leftOut: Evidence['leftOut']): string =>
  `Left out, as its bot was revoked: ${leftOut.map(({ title, bot }) => `${title} (${bot})`).join(', ')}. Nothing is renewed there: choose another bot in the configuration, or remove the target.`

/** A renewal went on without them; whoever asks for one of them is not served until a version has it again. */
const withMissingNames = (verdict: Omit<DerivedStatus, 'problem'>, { missingNames }: Evidence): Omit<DerivedStatus, 'problem'> =>
  missingNames.length > 0 ? { ...verdict, reason: `${verdict.reason} ${missingWords(missingNames)}` } : verdict
const missingWords = (names: Evidence['missingNames']): string =>
  `Renewed without ${names.map(({ name }) => name).slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more names` : ''}: ${asSentence(names[0]?.error.message ?? '')} Mend that and rotate; the next renewal asks for every name again.`

/** The end that comes near is told beside everything else. */
function withEnd(verdict: Omit<DerivedStatus, 'problem'>, e: Evidence, now: Date): Omit<DerivedStatus, 'problem'> {
  const end = endOf(e)
  if (!end || !isNear(e, now) || verdict.reason.includes(endsAt(end)) || (e.takenOverBy !== null && e.installations.length === 0)) return verdict
  return { ...verdict, reason: `${verdict.reason} ${e.installations.length > 0 ? 'What is served' : 'It'} ends on ${endsAt(end)}.` }
}

/** A failed order is a problem beside the status: what is served is still what it was. */
function problemOf(e: Evidence): WireError | null {
  const { failure, failedRevocation, installations } = e
  if (failedRevocation) return failedRevocation
  if (failure && failure.state !== 'cancelled' && !(failure.kind === 'deployment' && allInSync(e))) return failure.error
  const [missing] = e.missingNames
  if (missing) return { code: missing.error.code, message: missingWords(e.missingNames), facts: { names: e.missingNames.map(({ name }) => name) } }
  if (e.leftOut.length > 0) return { code: 'CONFIGURATION_INCOMPLETE', message: leftOutWords(e.leftOut), facts: {} }
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
