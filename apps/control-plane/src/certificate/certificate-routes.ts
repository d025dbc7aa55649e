import { actionPermissions, type TimelineEvent } from '@certloop/contract'
import { checkNames } from '@certloop/pki'
import type { Database } from '../database/database.ts'
import { addEvent, listEvents } from '../event/event-store.ts'
import { implement, requirePermission, type App } from '../http/index.ts'
import { cancelAction } from '../provisioning/action-cancel.ts'
import { getAction, toAction } from '../provisioning/action-store.ts'
import { startAction } from '../provisioning/actions.ts'
import { refuseLeavingApproval } from '../provisioning/approval.ts'
import { configure, type ConfigurationDeps } from '../provisioning/configuration.ts'
import { findConfiguration, rolloutOf } from '../provisioning/configuration-store.ts'
import { confirmHostKey } from '../provisioning/confirm-host-key.ts'
import { refreshCertificate } from './certificate-refresh.ts'
import { getCertificate, insertCertificate, listCertificates, updateCertificate } from './certificate-store.ts'
import { readCertificateDetail, toSummaries } from './certificate-view.ts'
import { removeCertificate } from './remove-certificate.ts'

export interface CertificateRouteDeps extends ConfigurationDeps { database: Database }

const pageOf = <T extends { id: string }>(rows: T[], limit: number) => ({ items: rows.slice(0, limit), nextCursor: rows.length > limit ? rows[limit - 1]?.id ?? null : null })

export function registerCertificateRoutes(app: App, deps: CertificateRouteDeps): void {
  const { database, secrets, now } = deps
  const { db } = database

  implement(app, 'listCertificates', async ({ query }) => {
    const { rows, nextCursor } = await listCertificates(db, { ...query, limit: query.limit ?? 50 })
    return { items: await toSummaries(db, rows), nextCursor }
  })
  implement(app, 'getCertificate', async ({ params }) => readCertificateDetail(db, secrets, params.id, now()))
  implement(app, 'createCertificate', async ({ body, who }) => {
    const names = checkNames(body.names)
    const id = await database.transaction(async (tx, wake) => {
      const made = await insertCertificate(tx, { name: body.name ?? names[0] ?? '', names, management: 'managed', status: 'configuration-pending' }, now())
      await addEvent(tx, { kind: 'certificate.created', message: 'Taken under care.', requester: who.text, certificateId: made }, now())
      await refreshCertificate(tx, wake, made, now())
      return made
    })
    return readCertificateDetail(db, secrets, id, now())
  })
  implement(app, 'setManagement', async ({ params, body, who }) => {
    await database.transaction(async (tx, wake) => {
      const before = await getCertificate(tx, params.id)
      if (before.management === body.management) return
      await updateCertificate(tx, params.id, { management: body.management })
      await addEvent(tx, { kind: 'certificate.management', message: `It is ${body.management} now; it was ${before.management}.`, requester: who.text, certificateId: params.id }, now())
      await refreshCertificate(tx, wake, params.id, now())
    })
    return readCertificateDetail(db, secrets, params.id, now())
  })
  implement(app, 'setConfiguration', async ({ params, body, who }) => {
    await database.transaction(async (tx, wake) => {
      const before = await findConfiguration(tx, params.id)
      refuseLeavingApproval(before ? { approval: before.approval, rollout: rolloutOf(before) } : null, body, who.permissions.has('deployment:approve'))
      await configure(tx, wake, deps, params.id, body, who.text)
    })
    return readCertificateDetail(db, secrets, params.id, now())
  })
  implement(app, 'deleteCertificate', async ({ params, who }) => {
    await database.transaction((tx, wake) => removeCertificate(tx, wake, params.id, who.text, now()))
    return undefined
  })
  implement(app, 'getTimeline', async ({ params, query }) => {
    await getCertificate(db, params.id)
    const limit = query.limit ?? 50
    return pageOf<TimelineEvent>(await listEvents(db, { certificateId: params.id }, limit + 1, query.cursor), limit)
  })
  implement(app, 'confirmHostKey', async ({ params, body, who }) => {
    await database.transaction((tx, wake) => confirmHostKey(tx, wake, { certificateId: params.id, targetId: params.targetId, fingerprint: body.fingerprint, requester: who.text }, now()))
    return readCertificateDetail(db, secrets, params.id, now())
  })
  implement(app, 'startAction', async ({ params, body, who }) => {
    for (const permission of actionPermissions[params.action]) requirePermission(who, permission)
    const action = await database.transaction((tx, wake) => startAction(tx, wake, { certificateId: params.id, kind: params.action, requester: who.text, ...body, mayBringNames: who.permissions.has('certificate:write') }, secrets, now()))
    return toAction(db, action)
  })
  implement(app, 'getAction', async ({ params }) => toAction(db, await getAction(db, params.id)))
  implement(app, 'cancelAction', async ({ params, who }) => {
    for (const permission of actionPermissions[(await getAction(db, params.id)).kind]) requirePermission(who, permission)
    return toAction(db, await database.transaction((tx, wake) => cancelAction(tx, wake, params.id, who.text, now())))
  })
}
