import { toCertloopError, type CertificateId, type CertloopError } from '@certloop/contract'
import type { AuthorityOf } from '../authority/authority.ts'
import { findAuthority } from '../authority/authority-store.ts'
import { issuedBefore } from '../authority/issued-before.ts'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { findCertificate, findVersion, newestVersions, type VersionFacts } from '../certificate/certificate-store.ts'
import type { Database, Db, Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { findOrder } from '../order/order-store.ts'
import { wantedVersion } from '../proof/inspection.ts'
import { targetsOf, type TargetRow } from '../provisioning/configuration-store.ts'
import type { PlaneTaskKind } from '../task/task-kinds.ts'
import { repeatTask, taskTopic } from '../task/task-store.ts'
import { noteRenewalWindow, renewalWindowsOf, type KnownWindow, type Window, type WindowAnswer } from './renewal-window-store.ts'

export interface WindowDeps { database: Database; authorityOf: AuthorityOf; now: () => Date }

const versionsOf = async (db: Db | Tx, id: CertificateId): Promise<VersionFacts[]> => versionsWanted(await newestVersions(db, id), await targetsOf(db, id))
const versionsWanted = (versions: readonly VersionFacts[], targets: readonly TargetRow[]): VersionFacts[] =>
  [...new Set(targets.map((target) => wantedVersion(versions, target)).filter((v) => v !== undefined))]

/** What the authority that issued a version says; no window where it was not issued by one of ours, or that is gone. */
async function windowOf({ database: { db }, authorityOf }: WindowDeps, { id, orderId }: VersionFacts): Promise<Said> {
  const [version, order] = [await findVersion(db, id), orderId ? await findOrder(db, orderId) : undefined]
  if (!version || !order || !await findAuthority(db, order.authorityId)) return { window: null }
  const said = await (await authorityOf(db, order.authorityId)).renewalWindow?.(issuedBefore(version))
  return said ? { window: { start: said.start, end: said.end }, askAgainAt: said.askAgainAt, explanationUrl: said.explanationUrl } : { window: null }
}
interface Said extends WindowAnswer { explanationUrl?: string | undefined }
type Asked = { version: VersionFacts } & ({ said: Said } | { error: CertloopError })

async function ask(deps: WindowDeps, version: VersionFacts): Promise<Asked> {
  try {
    return { version, said: await windowOf(deps, version) }
  } catch (error) {
    return { version, error: toCertloopError(error) }
  }
}

const inWords = (window: Window | null | undefined) => (window ? `between ${window.start.toISOString()} and ${window.end.toISOString()}` : undefined)

/** A wish that is new is told, with the address where the authority explains it. */
async function note(tx: Tx, id: CertificateId, asked: Asked, before: KnownWindow | undefined, now: Date): Promise<void> {
  if ('error' in asked) {
    await noteUnknown(tx, id, [asked.version], asked.error, now)
    return
  }
  const { window, explanationUrl } = asked.said
  await noteRenewalWindow(tx, id, asked.version.id, asked.said, now)
  const [was, is] = [inWords(before?.window), inWords(window)]
  if (is === was) return
  const isOver = window !== null && window.end <= now ? ' That is over, so it is renewed at once.' : ''
  const why = explanationUrl === undefined ? '' : ` Why: ${explanationUrl}`
  await addEvent(tx, { kind: 'renewal.window', message: is ? `The authority would like it to be renewed ${is}.${isOver}${why}` : 'The authority no longer says when it is to be renewed.', certificateId: id }, now)
}

/** What it said before still counts; it is asked again at the next check. */
async function noteUnknown(tx: Tx, id: CertificateId, versions: readonly VersionFacts[], error: CertloopError, now: Date): Promise<void> {
  for (const version of versions) await noteRenewalWindow(tx, id, version.id, undefined, now)
  await addEvent(tx, { kind: 'renewal.window-unknown', message: 'The authority could not say when it is to be renewed; it is asked again at the next check.', error, certificateId: id }, now)
}

/** Of the places that one process has for work, authorities that hang are not to take all with what can wait. */
const mostAtOnce = 3
const [busySeconds, secondsPerWaiting, longestBusySeconds] = [5, 0.02, 300]

/** Who comes when all places are taken comes again, one after the other. */
function createPlaces(now: () => Date) {
  const waiting = new Set<CertificateId>()
  let taken = 0
  return {
    /** When to come again; undefined: a place was taken. */
    take(id: CertificateId): Date | undefined {
      if (taken >= mostAtOnce) return new Date(now().getTime() + Math.min(longestBusySeconds, busySeconds + waiting.add(id).size * secondsPerWaiting) * 1000)
      waiting.delete(id)
      taken++
      return undefined
    },
    leave() {
      taken--
    },
  }
}

/** Asks the authority when it would like the versions of a certificate to be renewed (RFC 9773). */
export function askRenewalWindowKind(deps: WindowDeps): PlaneTaskKind {
  const { database, now } = deps
  const places = createPlaces(now)
  const askAll = async (id: CertificateId): Promise<Asked[]> => {
    const answers: Asked[] = []
    for (const version of await versionsOf(database.db, id)) answers.push(await ask(deps, version))
    return answers
  }
  return {
    async run(task) {
      const id = task.subject as CertificateId
      const later = places.take(id)
      if (later) {
        return async (tx, wake) => {
          await repeatTask(tx, task.id, later)
          wake(taskTopic('control-plane'))
        }
      }
      const answers = await askAll(id).finally(() => places.leave())
      const [first] = answers
      // One that does not answer keeps none of the others' wishes from being known; when none answers it is tried again soon.
      if (first && 'error' in first && answers.every((each) => 'error' in each)) throw first.error
      return async (tx, wake) => {
        if (!await findCertificate(tx, id)) return
        const before = await renewalWindowsOf(tx, id)
        for (const each of answers) await note(tx, id, each, before.get(each.version.id), now())
        await refreshCertificate(tx, wake, id, now())
      }
    },
    async failed(tx, wake, task, error) {
      const id = task.subject as CertificateId
      if (!await findCertificate(tx, id)) return
      await noteUnknown(tx, id, await versionsOf(tx, id), error, now())
      await refreshCertificate(tx, wake, id, now())
    },
  }
}
