import type { CertificateId } from '@certloop/contract'
import type { AuthorityOf } from '../authority/authority.ts'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { findCertificate, findVersion, newestVersions, type VersionFacts } from '../certificate/certificate-store.ts'
import { fromJson } from '../database/columns.ts'
import type { Database, Db, Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { findOrder } from '../order/order-store.ts'
import { wantedVersion } from '../proof/inspection.ts'
import { targetsOf, type TargetRow } from '../provisioning/configuration-store.ts'
import type { PlaneTaskKind } from '../task/task-kinds.ts'
import { noteRenewalWindow, renewalWindowsOf, type Window } from './renewal-window-store.ts'

export interface WindowDeps { database: Database; authorityOf: AuthorityOf; now: () => Date }

const versionsOf = async (db: Db | Tx, id: CertificateId): Promise<VersionFacts[]> => versionsWanted(await newestVersions(db, id), await targetsOf(db, id))
const versionsWanted = (versions: readonly VersionFacts[], targets: readonly TargetRow[]): VersionFacts[] =>
  [...new Set(targets.map((target) => wantedVersion(versions, target)).filter((v) => v !== undefined))]

/** What the authority that issued a version says; null: nothing, or it was not issued by one of ours. */
async function windowOf({ database, authorityOf }: WindowDeps, { id, orderId }: VersionFacts): Promise<Window | null> {
  const [version, order] = [await findVersion(database.db, id), orderId ? await findOrder(database.db, orderId) : undefined]
  if (!version || !order) return null
  const authority = await authorityOf(database.db, order.authorityId)
  const [certificatePem = ''] = fromJson<string[]>(version.chainPem)
  return await authority.renewalWindow?.({ certificatePem, fingerprint: version.fingerprint, serialNumber: version.serialNumber, reference: orderId }) ?? null
}

const inWords = (window: Window | null | undefined) => (window ? `between ${window.start.toISOString()} and ${window.end.toISOString()}` : undefined)

/** Asks the authority when it would like the versions of a certificate to be renewed (RFC 9773). */
export function askRenewalWindowKind(deps: WindowDeps): PlaneTaskKind {
  const { database, now } = deps
  return {
    async run(task) {
      const id = task.subject as CertificateId
      const answers: { version: VersionFacts; window: Window | null }[] = []
      for (const version of await versionsOf(database.db, id)) answers.push({ version, window: await windowOf(deps, version) })
      return async (tx, wake) => {
        if (!await findCertificate(tx, id)) return
        const before = await renewalWindowsOf(tx, id)
        for (const { version, window } of answers) {
          await noteRenewalWindow(tx, id, version.id, window, now())
          const [was, is] = [inWords(before.get(version.id)?.window), inWords(window)]
          if (is !== was) await addEvent(tx, { kind: 'renewal.window', message: is ? `The authority would like it to be renewed ${is}.` : 'The authority no longer says when it is to be renewed.', certificateId: id }, now())
        }
        await refreshCertificate(tx, wake, id, now())
      }
    },
    /** What it said before still counts; it is asked again at the next check. */
    async failed(tx, wake, task, error) {
      const id = task.subject as CertificateId
      if (!await findCertificate(tx, id)) return
      for (const version of await versionsOf(tx, id)) await noteRenewalWindow(tx, id, version.id, undefined, now())
      await addEvent(tx, { kind: 'renewal.window-unknown', message: 'The authority could not say when it is to be renewed; it is asked again at the next check.', error: error.toWire(), certificateId: id }, now())
      await refreshCertificate(tx, wake, id, now())
    },
  }
}
