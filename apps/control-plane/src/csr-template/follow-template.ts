import type { CertificateId, CsrTemplateId, WireError } from '@certloop/contract'
import { refreshCertificate } from '../certificate/certificate-refresh.ts'
import { lockCertificate } from '../certificate/certificate-store.ts'
import { fromBit, fromJson, fromJsonOrNull, toJson } from '../database/columns.ts'
import type { Database, Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { csrOf, findConfiguration, type ConfigurationRow } from '../provisioning/configuration-store.ts'
import { asError, workOutRequest } from '../provisioning/effective-request.ts'
import { addTask, type Task } from '../task/task-store.ts'
import type { PlaneTaskKind, Wakes } from '../task/task-kinds.ts'
import { findTemplate, followersOf } from './csr-template-store.ts'

const atOnce = 100

/** Has the configurations looked at that name a template, some at a time, after it was changed. */
export async function followTemplate(tx: Tx, wake: Wakes, id: CsrTemplateId, now: Date, after: CertificateId | null = null): Promise<void> {
  await addTask(tx, wake, { executor: 'control-plane', kind: 'follow-template', subject: id, payload: { after } }, now)
}

/** Tells on the timeline of each certificate when its configuration no longer fits the newest rules, or fits again. */
export function followTemplateKind({ now }: { database: Database; now: () => Date }): PlaneTaskKind {
  return {
    run: async (task: Task) => async (tx, wake) => {
      const id = task.subject as CsrTemplateId
      const template = await findTemplate(tx, id)
      if (!template) return
      const found = await followersOf(tx, id, fromJson<{ after: CertificateId | null }>(task.payload).after, atOnce)
      for (const certificateId of found) await lookAt(tx, wake, certificateId, template.name, now())
      const last = found.at(-1)
      if (last !== undefined && found.length === atOnce) await followTemplate(tx, wake, id, now(), last)
    },
    // Nothing depends on it: the next order is held against the rules all the same.
    failed: async () => {},
  }
}

function follows(configuration: ConfigurationRow): boolean {
  const { mode, templateVersion } = csrOf(configuration)
  return mode === 'full' && templateVersion === null && fromBit(configuration.complete)
}

async function lookAt(tx: Tx, wake: Wakes, certificateId: CertificateId, name: string, now: Date): Promise<void> {
  await lockCertificate(tx, certificateId)
  const configuration = await findConfiguration(tx, certificateId)
  if (!configuration || !follows(configuration)) return
  const { effective, problems } = await workOutRequest(tx, certificateId, { csr: csrOf(configuration), authorityId: configuration.authorityId })
  const error = problems.some(({ ofTemplate }) => ofTemplate) ? asError(problems, effective) : undefined
  if (fromJsonOrNull<WireError>(configuration.problem)?.message === error?.message) return
  await tx.updateTable('configuration').set({ problem: error ? toJson(error.toWire()) : null }).where('certificateId', '=', certificateId).execute()
  const message = error ? `The CSR template "${name}" was changed, and the configuration no longer follows it: the next order would fail.` : `The CSR template "${name}" was changed, and the configuration follows it again.`
  await addEvent(tx, { kind: error ? 'configuration.template-violated' : 'configuration.template-followed', message, error: error ?? null, certificateId }, now)
  await refreshCertificate(tx, wake, certificateId, now)
}
