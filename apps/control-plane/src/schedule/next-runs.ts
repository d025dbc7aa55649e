import type { CertificateId, RenewalSettings, ScheduledRun } from '@certloop/contract'
import type { VersionFacts } from '../certificate/certificate-store.ts'
import type { Db, Tx } from '../database/database.ts'
import { renewalDue, versionDue, type RenewalFacts } from '../renewal/renewal-due.ts'
import { readRenewalFacts, type Schedule } from '../renewal/renewal-facts.ts'
import { renewalTime, type RenewalTime } from '../renewal/renewal-time.ts'
import { deploymentTime } from './deployment-time.ts'

interface Run { at: Date; what: ScheduledRun['what']; why: string }

/** How many are shown, and how many renewals are worked out for it. */
export const shownRuns = 5

/** The same version, had it come at another time: what is expected to follow a renewal. */
function following(version: VersionFacts, facts: RenewalFacts, renewal: RenewalSettings, at: Date): RenewalTime {
  const begin = new Date(version.notBefore).getTime()
  const shift = (d: Date) => new Date(d.getTime() + at.getTime() - begin)
  const known = facts.windows.get(version.id)
  const window = known && (known.window ? { start: shift(known.window.start), end: shift(known.window.end) } : null)
  return renewalTime({ createdAt: at, notAfter: shift(new Date(version.notAfter)) }, renewal, { spreadKey: facts.certificateId, window })
}

const notBefore = ({ at, why }: RenewalTime, earliest: Date): RenewalTime =>
  at < earliest ? { at: earliest, why: `${why} It was due at ${at.toISOString().slice(0, 16).replace('T', ' ')} UTC and is caught up once.` } : { at, why }

/** What is under way: issued, and waits for the time of its deployment. */
function waiting({ actions }: RenewalFacts, now: Date): Run | undefined {
  const open = actions.find((a) => a.endedAt === null && a.state === 'waiting')
  if (!open?.waitsUntil) return undefined
  const at = new Date(open.waitsUntil)
  return { at: at < now ? now : at, what: 'deploy', why: open.reason ?? 'It waits for the time of its deployment.' }
}

/** What was to be deployed after the next renewal is not: the newer version takes its place. */
const until = (deployment: Run | undefined, next: Date | undefined): Run[] => (deployment && (!next || deployment.at < next) ? [deployment] : [])

/** The coming runs for so many renewals, if each succeeds at once and gives the same lifetime; from the code that fires them. */
export function comingRuns(facts: RenewalFacts, now: Date, renewals: number): ScheduledRun[] {
  const due = renewalDue(facts, now)
  const runs: Run[] = []
  let deployment = waiting(facts, now)
  if (facts.renewal && due) {
    const { version } = due
    const ends = new Date(version.notAfter).getTime() - new Date(version.notBefore).getTime()
    if (due.kind === 'deploy') deployment ??= { ...notBefore(due, now), what: 'deploy' }
    let next = notBefore(due.kind === 'deploy' ? versionDue(version, facts.renewal, facts.windows) : due, now)
    let { servedUntil } = facts
    for (let i = 0; i < renewals; i++) {
      runs.push(...until(deployment, next.at), { ...next, what: 'renew' })
      const { at } = next
      if (deployment && deployment.at < at) servedUntil = new Date(deployment.at.getTime() + ends)
      deployment = facts.deploysItself ? { what: 'deploy', ...deploymentTime(facts.timing, facts.freezes, { issuedAt: at, servedUntil, spreadKey: facts.certificateId }, at) } : undefined
      next = following(version, facts, facts.renewal, at)
      if (next.at <= at) break
    }
    runs.push(...until(deployment, next.at))
  } else runs.push(...until(deployment, undefined))
  return runs.map(({ at, what, why }) => ({ at: at.toISOString(), what, why }))
}

/**
 * The next five runs that a schedule would start for a certificate, with the reason in a sentence each: renewals, and the
 * deployments that follow them with windows and freeze periods. Made by the code that fires them, from what is known now; give it
 * the saved configuration, or one that is being looked at. Empty while the certificate has no version, or nothing is automatic.
 * Reads only. @throws RangeError for a zone or a day that doesn't exist: look for those first.
 */
export async function nextRunsOf(db: Db | Tx, id: CertificateId, schedule: Schedule, now: Date): Promise<ScheduledRun[]> {
  return comingRuns(await readRenewalFacts(db, id, schedule, now), now, shownRuns).slice(0, shownRuns)
}
