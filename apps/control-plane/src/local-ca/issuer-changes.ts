import { CertloopError, type IssuerCertificateId, type IssuerId, type KeyAlgorithm } from '@certloop/contract'
import { readCertificate } from '@certloop/pki'
import { fromJson, toJson } from '../database/columns.ts'
import type { Database, Tx } from '../database/database.ts'
import { schedulePublishing } from './crl-schedule.ts'
import type { Issuer, IssuerSettings } from './issuer.ts'
import { takeSlotIn } from './issuer-slot.ts'
import { completeIssuer, install, makeCsr, makeIssuer, type IssuerMakingDeps, type NewIssuer } from './issuer-making.ts'
import { getIssuer, isRevoked, issuerRow, listIssuers, lockIssuer, nextChangeNumber, settingsOf, updateIssuer } from './issuer-store.ts'
import { checkParent } from './path-length.ts'
import { checkPublishing } from './public-style.ts'

export interface RollOver { keyAlgorithm?: KeyAlgorithm | undefined; validityDays?: number | undefined; /** The old one goes on until the new one is activated. */ later?: boolean | undefined }

const day = 86_400_000

/** What happens to issuers that are there: replaced, cross-signed, put into use, retired. */
export function createIssuerChanges(deps: IssuerMakingDeps) {
  const { database, now } = deps
  const { db } = database

  async function takeSlot(id: IssuerId): Promise<Issuer> {
    await database.transaction((tx, wake) => takeSlotIn(tx, wake, id, now()))
    return getIssuer(db, id)
  }

  return {
    /** Lets another issuer here certify the key of this one, so that clients which trust only the other one accept it (RFC 5280, 3.2). */
    async crossSign(id: IssuerId, by: IssuerId, validityDays: number): Promise<Issuer> {
      const [issuer, parent] = [await getIssuer(db, id), await getIssuer(db, by)]
      if (id === by) throw new CertloopError('INPUT_INVALID', 'An issuer can not cross-sign itself.', { fields: ['signedBy: is the issuer itself'] })
      if (issuer.status === 'revoked') throw new CertloopError('ACTION_NOT_POSSIBLE', `"${issuer.name}" was revoked; another certificate would let clients trust it again.`, { issuer: issuer.name })
      checkParent(parent, { settings: issuer.settings })
      // Imported issuers have none yet.
      const wanted = wishesOf(issuer)
      const csrPem = issuer.csrPem ?? await makeCsr(deps, issuer, wanted)
      const { chainPem } = await deps.issue(
        { reference: `cross:${id}:${by}:${issuer.certificates.length}`, csrPem, names: [], commonName: wanted.commonName, subject: wanted.subject, validityDays, profile: wanted.profile, issuerId: by },
        { pathLength: issuer.settings.pathLength, nameConstraints: issuer.settings.nameConstraints },
      )
      await install(deps, issuer, readCertificate(chainPem[0] ?? ''), { signedBy: by, outsideChain: [] })
      return getIssuer(db, id)
    },

    /** Chooses which certificate of an issuer goes into chains. @throws CertloopError NOT_FOUND, ACTION_NOT_POSSIBLE for one that ended or was revoked */
    async prefer(id: IssuerId, certificateId: IssuerCertificateId): Promise<Issuer> {
      const issuer = await getIssuer(db, id)
      const chosen = issuer.certificates.find((one) => one.id === certificateId)
      if (!chosen) throw new CertloopError('NOT_FOUND', `The issuer "${issuer.name}" has no certificate ${certificateId}.`, { certificateId })
      if (chosen.notAfter <= now()) throw new CertloopError('ACTION_NOT_POSSIBLE', `That certificate ended at ${chosen.notAfter.toISOString()}.`, { certificateId })
      await database.transaction(async (tx) => {
        await lockIssuer(tx, id)
        if (await isRevoked(tx, certificateId)) throw new CertloopError('ACTION_NOT_POSSIBLE', 'That certificate was revoked.', { certificateId })
        await updateIssuer(tx, id, { certificateId })
      })
      return getIssuer(db, id)
    },

    /**
     * Replaces an intermediate by a new one with a new key under the same parent. Both are valid side by side: what the
     * old one signed stays good, its lists and OCSP answers go on, and it signs nothing new once the new one is in use.
     */
    async rollOver(id: IssuerId, { later, ...wish }: RollOver): Promise<Issuer> {
      const old = await getIssuer(db, id)
      const begun = old.successorId === null ? undefined : await getIssuer(db, old.successorId)
      // Cut off after its key was made: the same successor is finished.
      if (begun?.status === 'pending' && begun.settings.wanted?.signedBy) return completeIssuer(deps, begun.id)
      const successor = successorOf(begun && await isGivenUp(database, old, begun) ? { ...old, successorId: null } : old, (await listIssuers(db)).length + 1, wish)
      return makeIssuer(deps, { ...successor, successorOf: id, takesSlot: !later && old.slot === 'intermediate' })
    },
    takeSlot,

    /** Signs nothing new from now on. @throws CertloopError ACTION_NOT_POSSIBLE for the one in use */
    async retire(id: IssuerId): Promise<Issuer> {
      await database.transaction((tx) => retireIn(tx, id, now()))
      return getIssuer(db, id)
    },

    /** How it publishes from now on; what its certificate says can't be changed. @throws CertloopError NOT_FOUND, INPUT_INVALID */
    async configure(id: IssuerId, change: Partial<Pick<IssuerSettings, 'crlShards' | 'crlHours' | 'deltaCrl' | 'ocspMinutes'>>): Promise<Issuer> {
      await database.transaction(async (tx, wake) => {
        // A number of its own: lists that are being made right now are made again, by the new settings.
        await nextChangeNumber(tx, id)
        const row = await issuerRow(tx, id)
        checkPublishing({ ...settingsOf(row), ...change }, row.kind)
        const { crlShards, shardsEver } = settingsOf(row)
        await updateIssuer(tx, id, { settings: toJson({ ...fromJson<object>(row.settings), ...change, shardsEver: Math.max(crlShards, shardsEver) }) })
        if (row.keySource !== 'outside') await schedulePublishing(tx, wake, id, now(), now())
      })
      return getIssuer(db, id)
    },
  }
}

/** As the row is in the transaction: revoked in the same moment, it stays so. */
async function retireIn(tx: Tx, id: IssuerId, now: Date): Promise<void> {
  const { name, slot, status } = await lockIssuer(tx, id)
  if (slot !== null) throw new CertloopError('ACTION_NOT_POSSIBLE', `"${name}" is in use; put another one in its place first.`, { issuer: name })
  if (status !== 'active' && status !== 'pending') throw new CertloopError('ACTION_NOT_POSSIBLE', `"${name}" is ${status} already.`, { issuer: name })
  await updateIssuer(tx, id, { status: 'retired', retiredAt: now.toISOString() })
}

/** A successor that was retired or revoked while the old one goes on makes room for another. */
async function isGivenUp(database: Database, old: Issuer, { status }: Issuer): Promise<boolean> {
  if (old.status === 'retired' || (status !== 'retired' && status !== 'revoked')) return false
  await database.transaction((tx) => updateIssuer(tx, old.id, { successorId: null }))
  return true
}

/** Like the old one, with a new name and key. @throws CertloopError ACTION_NOT_POSSIBLE for a root, one without certificate or one that has a successor */
function successorOf(old: Issuer, generation: number, { keyAlgorithm = old.keyAlgorithm, validityDays }: RollOver): NewIssuer {
  const { name, kind, certificate, successorId, keySource } = old
  if (kind === 'root' || !certificate) throw new CertloopError('ACTION_NOT_POSSIBLE', `"${name}" is ${kind === 'root' ? 'a root; make a new root and cross-sign it' : 'still waiting for its certificate'}.`, { issuer: name })
  if (successorId !== null) throw new CertloopError('ACTION_NOT_POSSIBLE', `"${name}" has a successor already.`, { issuer: name, successorId })
  const { commonName, subject, profile } = wishesOf(old)
  const lifetimeDays = Math.round((certificate.notAfter.getTime() - certificate.notBefore.getTime()) / day)
  const { wanted: _wanted, ...settings } = old.settings
  const title = (text: string) => `${text.replace(/( G\d+| [0-9a-f]{8})+$/, '')} G${generation}`.slice(-64)
  const ownKey = keySource === 'pkcs11' ? { key: { source: 'pkcs11' as const, label: title(name) } } : {}
  return { ...ownKey, name: title(name), commonName: title(commonName), appendKeyId: / [0-9a-f]{8}$/.test(name), subject, profile, keyAlgorithm, signedBy: certificate.signedBy, validityDays: validityDays ?? lifetimeDays, settings }
}

/** Subject and profile of an issuer; for one that came with its certificate, read from that. */
function wishesOf({ settings, certificate, name }: Issuer) {
  if (settings.wanted) return settings.wanted
  const facts = readCertificate(certificate?.certificatePem ?? '')
  return { signedBy: null, validityDays: 0, profile: settings.style === 'public' ? 'public-subordinate-ca' : 'subordinate-ca', commonName: facts.commonName ?? name, subject: facts.subjectFields.filter(({ type }) => type !== 'CN').map(({ type, value }) => ({ type, value })) }
}
