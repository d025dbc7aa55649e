import { CertloopError, type IssuedCertificateId } from '@certloop/contract'
import { readCertificate, revocationReasons, type RevocationReason } from '@certloop/pki'
import type { Database, Tx } from '../database/database.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { caTopic } from './ca-topic.ts'
import { schedulePublishing } from './crl-schedule.ts'
import { changeStatus, getIssued, type IssuedRow, type IssuedStatus, type StatusChange } from './issued-store.ts'
import { followCa, followKey } from './follow-ca.ts'
import { issuerRow, nextChangeNumber, settingsOf } from './issuer-store.ts'
import type { Ledger } from './ledger.ts'
import { checkPublicReason } from './public-style.ts'
import { wholeSecond } from './whole-second.ts'

/** What a person can give as a reason (RFC 5280, 5.3.1): suspension has an action of its own, removeFromCRL is for delta lists. */
export const givableReasons: readonly RevocationReason[] = (Object.keys(revocationReasons) as RevocationReason[]).filter((reason) => reason !== 'certificateHold' && reason !== 'removeFromCRL')

export interface RevokeRequest {
  reason: RevocationReason
  /** Since when the key is known to be in other hands. */
  invalidityDate?: Date | undefined
}

export interface RevocationDeps {
  database: Database
  now: () => Date
  ledger: Ledger
  /** Told in the same transaction, so that what else is known of the certificate follows. */
  changed?: (tx: Tx, wake: Wakes, row: IssuedRow) => Promise<void>
}

const notPossible = (message: string, row: IssuedRow) => new CertloopError('ACTION_NOT_POSSIBLE', message, { serialNumber: row.serialNumber, status: row.status })

export function createRevocation({ database, now, ledger, changed }: RevocationDeps) {
  /** Decides with the row as it is in the transaction, so of two at once one sees the other's change. */
  async function change(id: IssuedCertificateId, decide: (row: IssuedRow, tx: Tx) => Omit<StatusChange, 'changeNumber'>): Promise<IssuedRow> {
    return database.transaction(async (tx, wake) => {
      // The issuer's row is locked first: changes of one issuer come one after the other.
      const changeNumber = await nextChangeNumber(tx, (await getIssued(tx, id)).issuerId)
      const row = await getIssued(tx, id)
      if (new Date(row.notAfter) < now()) throw notPossible(`The certificate ended at ${row.notAfter}; revoking it has no effect any more.`, row)
      const decided = decide(row, tx)
      if (decided.reason !== null) await refuseReason(tx, row, decided.reason)
      if (!await changeStatus(tx, id, row.status, { ...decided, changeNumber })) throw new CertloopError('CONFLICT', 'The certificate was changed by somebody else in the meantime.')
      const after = await getIssued(tx, id)
      // Before the commit: what the database may forget, the ledger keeps.
      await ledger.append({ issuerId: row.issuerId, serialNumber: row.serialNumber, changeNumber, status: decided.status, revokedAt: decided.revokedAt, reason: decided.reason, invalidityDate: decided.invalidityDate })
      await followCa(tx, after, now())
      await followKey(tx, after, now())
      await schedulePublishing(tx, wake, row.issuerId, now())
      await changed?.(tx, wake, after)
      wake(caTopic(row.issuerId))
      return after
    })
  }

  /** @throws CertloopError INPUT_INVALID, ACTION_NOT_POSSIBLE: a CA is not suspended; public style knows fewer reasons, and no suspension */
  async function refuseReason(tx: Tx, { issuerId, certificatePem }: IssuedRow, reason: RevocationReason): Promise<void> {
    const isCa = certificatePem !== null && readCertificate(certificatePem).isCa
    if (isCa && reason === 'certificateHold') throw new CertloopError('ACTION_NOT_POSSIBLE', 'The certificate of a CA can not be suspended: all it signed would fail with it. Roll it over, or revoke it.')
    if (settingsOf(await issuerRow(tx, issuerId)).style === 'public') checkPublicReason(reason, isCa)
  }

  return {
    /**
     * Revokes for ever. A revoked one can be revoked again only with keyCompromise, when that becomes known later.
     * @throws CertloopError NOT_FOUND, ACTION_NOT_POSSIBLE, INPUT_INVALID (a reason that is not to be given)
     */
    revoke: async (id: IssuedCertificateId, { reason, invalidityDate }: RevokeRequest): Promise<IssuedRow> => {
      if (!givableReasons.includes(reason)) throw new CertloopError('INPUT_INVALID', `"${reason}" is not a reason to revoke. ${reason === 'certificateHold' ? 'Suspend the certificate instead.' : ''}`.trim(), { fields: [`reason: has to be one of ${givableReasons.join(', ')}`] })
      if (invalidityDate && invalidityDate > now()) throw new CertloopError('INPUT_INVALID', 'The key can not have been lost in the future.', { fields: ['invalidityDate: lies in the future'] })
      return change(id, (row) => {
        if (row.status === 'revoked' && (reason !== 'keyCompromise' || row.revocationReason === 'keyCompromise')) {
          throw notPossible(`The certificate was revoked at ${row.revokedAt} already (${row.revocationReason}). Only keyCompromise can be added later.`, row)
        }
        return { status: 'revoked', revokedAt: row.revokedAt === null ? wholeSecond(now()) : new Date(row.revokedAt), reason, invalidityDate: invalidityDate ?? null }
      })
    },
    /** Suspends (certificateHold). @throws CertloopError NOT_FOUND, ACTION_NOT_POSSIBLE: for a CA, a revoked or a suspended one */
    suspend: (id: IssuedCertificateId): Promise<IssuedRow> => change(id, (row) => {
      if (row.status === 'held' || row.status === 'revoked') throw notPossible(row.status === 'held' ? 'The certificate is suspended already.' : 'The certificate is revoked; that is for ever.', row)
      return { status: 'held', revokedAt: wholeSecond(now()), reason: 'certificateHold', invalidityDate: null }
    }),
    /** Takes a suspension back. @throws CertloopError NOT_FOUND, ACTION_NOT_POSSIBLE */
    resume: (id: IssuedCertificateId): Promise<IssuedRow> => change(id, (row) => {
      if (row.status !== 'held') throw notPossible(row.status === 'revoked' ? 'The certificate is revoked; that is for ever.' : 'The certificate is not suspended.', row)
      const status: IssuedStatus = row.certificatePem === null ? 'intended' : 'good'
      return { status, revokedAt: null, reason: null, invalidityDate: null }
    }),
  }
}
