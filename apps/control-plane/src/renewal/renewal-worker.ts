import { CertloopError, type CertificateId } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { findCertificate } from '../certificate/certificate-store.ts'
import type { Database } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { whyNot } from '../provisioning/action-rules.ts'
import { changeAction, insertFailedAction, openAction } from '../provisioning/action-store.ts'
import { actionFacts, startAction } from '../provisioning/actions.ts'
import { isOutlived } from './renewal-due.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { PlaneTaskKind } from '../task/task-kinds.ts'

export interface RenewalDeps { database: Database; now: () => Date }

const blockedRetryMinutes = 15

/**
 * Fires a renewal that is due. The time is derived again from the certificate, so a task that comes late, twice or
 * after a change of the configuration does what is right now; a missed one is caught up once.
 */
export function renewKind({ secrets, now }: RenewalDeps & { secrets: Secrets }): PlaneTaskKind {
  return {
    run: async (task) => async (tx, wake) => {
      const id = task.subject as CertificateId
      const due = await refreshCertificate(tx, wake, id, now())
      if (!due || due.at > now()) return
      const open = await openAction(tx, id)
      const outlived = open && isOutlived(open, due) ? open : undefined
      const facts = await actionFacts(tx, id, now())
      const free = outlived ? { ...facts, openAction: null, isWaiting: false } : facts
      const why = whyNot(due.kind, free)
      // Only what is under way ends by itself.
      if (why && free.openAction === null && !free.openDeployment) throw new CertloopError('ACTION_NOT_POSSIBLE', `"${due.kind}" is due and not possible. ${why}`, { certificateId: id })
      if (why) {
        await addEvent(tx, { kind: 'renewal.blocked', message: `The renewal is due and has to wait. ${why}`, requester: 'schedule', certificateId: id }, now())
        await tx.updateTable('task').set({ state: 'ready', notBefore: new Date(now().getTime() + blockedRetryMinutes * 60_000).toISOString() }).where('id', '=', task.id).execute()
        return
      }
      if (outlived) await changeAction(tx, wake, outlived, { event: 'cancelled', reason: 'It waited for the time of its deployment until the next renewal was due; the newer version takes its place.' }, now())
      await startAction(tx, wake, { certificateId: id, kind: due.kind, requester: 'schedule', targetIds: due.targetIds, why: due.why }, secrets, now())
    },
    /** It could not even be started: a failed attempt like any other, so the next check counts and not this very moment. */
    async failed(tx, wake, task, error) {
      const id = task.subject as CertificateId
      if (!await findCertificate(tx, id)) return
      const due = await refreshCertificate(tx, wake, id, now())
      if (!await openAction(tx, id)) await insertFailedAction(tx, wake, { certificateId: id, kind: due?.kind ?? 'renew', requester: 'schedule', versionId: null }, error, now())
      await refreshCertificate(tx, wake, id, now())
    },
  }
}

/** Time alone changes a status: expiring, expired. */
export function refreshKind({ now }: RenewalDeps): PlaneTaskKind {
  return {
    run: async (task) => async (tx, wake) => { await refreshCertificate(tx, wake, task.subject as CertificateId, now()) },
    failed: async () => {},
  }
}
