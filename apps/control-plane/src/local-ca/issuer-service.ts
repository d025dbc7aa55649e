import { CertloopError, newId, type IssuerCertificateId, type IssuerId, type KeyAlgorithm } from '@certloop/contract'
import { certificateParts, isIssuedBy, isSelfSigned, readCertificate, readCertificates, sha256Hex, spkiDigestOfPrivateKey, type CertificateFacts, type NameConstraints } from '@certloop/pki'
import { fromJson, toJson } from '../database/columns.ts'
import { schedulePublishing } from './crl-schedule.ts'
import { defaultIssuerSettings, type Issuer, type IssuerSettings } from './issuer.ts'
import { checkOutsideChain, checkOwnCertificate, completeIssuer, install, makeCsr, makeIssuer, type IssuerMakingDeps, type NewIssuer } from './issuer-making.ts'
import { getIssuer, insertIssuer, isNameTaken, issuerRow, listIssuers, updateIssuer, type IssuerRow } from './issuer-store.ts'

export interface ImportedIssuer {
  name: string
  /** The CA certificate first or anywhere, and those above it up to its root. */
  certificatesPem: string
  /** PKCS#8 PEM, opened. null: only to be trusted and shown. */
  keyPem: string | null
}
export interface RollOver { keyAlgorithm?: KeyAlgorithm | undefined; validityDays?: number | undefined; /** The old one goes on until the new one is activated. */ later?: boolean | undefined }

const day = 86_400_000

export function createIssuerService(deps: IssuerMakingDeps) {
  const { database, now } = deps
  const { db } = database

  const digestOf = async (id: IssuerId) => sha256Hex(Buffer.from((await issuerRow(db, id)).spki, 'base64'))

  /** An issuer here whose key signed the certificate. */
  async function signerAmongUs(certificate: CertificateFacts): Promise<IssuerId | null> {
    for (const issuer of await listIssuers(db)) {
      if (issuer.certificate && isIssuedBy(certificate, readCertificate(issuer.certificate.certificatePem))) return issuer.id
    }
    return null
  }

  /** Sorts what was given: the issuer's own certificate, and those above it. */
  function split(all: readonly CertificateFacts[], spkiDigest: string): { own: CertificateFacts; above: CertificateFacts[] } {
    const own = all.find((one) => one.spkiDigest === spkiDigest && one.isCa) ?? all[0]
    if (!own) throw new CertloopError('CERTIFICATE_INVALID', 'There is no certificate in the text.', { fields: ['certificatesPem: has no certificate'] })
    const above: CertificateFacts[] = []
    for (let below = own; !isSelfSigned(below);) {
      const next = all.find((one) => !above.includes(one) && one !== own && isIssuedBy(below, one))
      if (!next) break
      above.push(next)
      below = next
    }
    checkOutsideChain(own, above)
    return { own, above }
  }

  async function storeCertificate(issuer: Issuer, spkiDigest: string, certificatesPem: string): Promise<Issuer> {
    const { own, above } = split(readCertificates(certificatesPem), spkiDigest)
    checkOwnCertificate(issuer, spkiDigest, own, now())
    const signedBy = isSelfSigned(own) ? issuer.id : await signerAmongUs(own)
    if (signedBy === null && above.length === 0) throw new CertloopError('CHAIN_INVALID', `The certificate of "${own.issuer}", which signed this one, is missing. Add it, and those above it up to the root.`, { issuer: own.issuer })
    const top = above.at(-1)
    if (signedBy === null && top && !isSelfSigned(top)) throw new CertloopError('CHAIN_INVALID', `The chain ends at "${top.subject}", which is no root. Add the certificates above it.`, { issuer: top.issuer })
    await install(deps, issuer, own, { signedBy, outsideChain: signedBy === null ? above.map(({ pem }) => pem) : [] })
    await publishSoon(issuer.id)
    return getIssuer(db, issuer.id)
  }

  const publishSoon = (id: IssuerId) => database.transaction((tx, wake) => schedulePublishing(tx, wake, id, now(), now()))

  /** Takes over a slot; who had it stays able to be verified and revoked, and signs nothing new. */
  async function takeSlot(id: IssuerId): Promise<Issuer> {
    await database.transaction(async (tx, wake) => {
      const issuer = await getIssuer(tx, id)
      if (issuer.status !== 'active' || issuer.kind !== 'intermediate') throw new CertloopError('ISSUER_NOT_READY', `"${issuer.name}" is ${issuer.kind === 'root' ? 'a root' : issuer.status}; only an active intermediate can be the one in use.`, { issuer: issuer.name })
      const before = (await listIssuers(tx)).find(({ slot }) => slot === 'intermediate')
      if (before?.id === id) return
      if (before) await updateIssuer(tx, before.id, { slot: null, status: before.status === 'active' ? 'retired' : before.status, retiredAt: now().toISOString(), successorId: id })
      await updateIssuer(tx, id, { slot: 'intermediate' })
      await schedulePublishing(tx, wake, id, now(), now())
    })
    return getIssuer(db, id)
  }

  return {
    /** Generates an issuer: a root, an intermediate signed here, or one that waits for an outside authority. */
    async create(wish: NewIssuer): Promise<Issuer> {
      if (wish.signedBy !== 'self' && wish.signedBy !== null) await checkParent(await getIssuer(db, wish.signedBy), wish)
      const issuer = await makeIssuer(deps, wish)
      if (issuer.status === 'active') await publishSoon(issuer.id)
      return issuer
    },
    /** Goes on with one that a failure left waiting. */
    complete: (id: IssuerId) => completeIssuer(deps, id),

    /** Installs a certificate that somebody signed for the issuer's key: its first, a renewed one or a cross-certificate. @throws CertloopError ISSUER_MISMATCH, CHAIN_INVALID, CERTIFICATE_INVALID */
    installCertificate: async (id: IssuerId, certificatesPem: string): Promise<Issuer> => storeCertificate(await getIssuer(db, id), await digestOf(id), certificatesPem),

    /** Takes over a CA made elsewhere. @throws CertloopError KEY_MISMATCH, CONFLICT, CHAIN_INVALID, ISSUER_MISMATCH */
    async import({ name, certificatesPem, keyPem }: ImportedIssuer): Promise<Issuer> {
      const all = readCertificates(certificatesPem)
      const spkiDigest = keyPem === null ? all.find(({ isCa }) => isCa)?.spkiDigest : spkiDigestOfPrivateKey(keyPem)
      const own = all.find((one) => one.spkiDigest === spkiDigest)
      if (!own || spkiDigest === undefined) throw new CertloopError('KEY_MISMATCH', 'The private key belongs to none of the certificates.', { fields: ['keyPem: belongs to none of the certificates'] })
      const id = newId('iss', now())
      const row: IssuerRow = {
        id, name, slot: null, kind: isSelfSigned(own) ? 'root' : 'intermediate', status: 'pending', subject: own.subject, keyAlgorithm: own.keyAlgorithm as KeyAlgorithm, spki: spkiText(own),
        keySource: keyPem === null ? 'outside' : 'sealed', sealedKey: keyPem === null ? null : deps.keys.seal(id, keyPem), keyReference: null, settings: toJson({ ...defaultIssuerSettings, ...readSettings(own) }),
        csrPem: null, certificateId: null, successorId: null, changeNumber: 0, createdAt: now().toISOString(), retiredAt: null,
      }
      checkOwnCertificate({ name, subject: own.subject }, spkiDigest, own, now())
      await database.transaction(async (tx) => {
        if (await isNameTaken(tx, name)) throw new CertloopError('CONFLICT', `There is an issuer named "${name}" already.`, { name, fields: ['name: is taken'] })
        const twin = await tx.selectFrom('ca_issuer').select('name').where('spki', '=', row.spki).executeTakeFirst()
        if (twin) throw new CertloopError('CONFLICT', `The key of this CA is here already, as the issuer "${twin.name}".`, { name: twin.name })
        await insertIssuer(tx, row)
      })
      try {
        return await storeCertificate(await getIssuer(db, id), spkiDigest, all.map(({ pem }) => pem).join('\n'))
      } catch (error) {
        await database.transaction((tx) => tx.deleteFrom('ca_issuer').where('id', '=', id).where('certificateId', 'is', null).execute())
        throw error
      }
    },

    /** Lets another issuer here certify the key of this one, so that clients which trust only the other one accept it (RFC 5280, 3.2). */
    async crossSign(id: IssuerId, by: IssuerId, validityDays: number): Promise<Issuer> {
      const [issuer, parent] = [await getIssuer(db, id), await getIssuer(db, by)]
      if (id === by) throw new CertloopError('INPUT_INVALID', 'An issuer can not cross-sign itself.', { fields: ['signedBy: is the issuer itself'] })
      await checkParent(parent, { settings: issuer.settings })
      const { wanted, csrPem } = await requestOf(issuer)
      const { chainPem } = await deps.issue(
        { reference: `cross:${id}:${by}:${issuer.certificates.length}`, csrPem, names: [], commonName: wanted.commonName, subject: wanted.subject, validityDays, profile: wanted.profile, issuerId: by },
        { pathLength: issuer.settings.pathLength, nameConstraints: issuer.settings.nameConstraints },
      )
      await install(deps, issuer, readCertificate(chainPem[0] ?? ''), { signedBy: by, outsideChain: [] })
      return getIssuer(db, id)
    },

    /** Chooses which certificate of an issuer goes into chains. @throws CertloopError NOT_FOUND */
    async prefer(id: IssuerId, certificateId: IssuerCertificateId): Promise<Issuer> {
      const issuer = await getIssuer(db, id)
      if (!issuer.certificates.some((one) => one.id === certificateId)) throw new CertloopError('NOT_FOUND', `The issuer "${issuer.name}" has no certificate ${certificateId}.`, { certificateId })
      await database.transaction((tx) => updateIssuer(tx, id, { certificateId }))
      return getIssuer(db, id)
    },

    /**
     * Replaces an intermediate by a new one with a new key under the same parent. Both are valid side by side: what the
     * old one signed stays good, its lists and OCSP answers go on, and it signs nothing new once the new one is in use.
     */
    async rollOver(id: IssuerId, { keyAlgorithm, validityDays, later }: RollOver): Promise<Issuer> {
      const old = await getIssuer(db, id)
      const signedBy = old.certificate?.signedBy ?? null
      if (old.kind === 'root' || !old.certificate) throw new CertloopError('ACTION_NOT_POSSIBLE', `"${old.name}" is ${old.kind === 'root' ? 'a root; make a new root and cross-sign it' : 'still waiting for its certificate'}.`, { issuer: old.name })
      if (old.successorId !== null) throw new CertloopError('ACTION_NOT_POSSIBLE', `"${old.name}" has a successor already.`, { issuer: old.name, successorId: old.successorId })
      const { commonName, subject, profile } = wishesOf(old)
      const lifetimeDays = Math.round((old.certificate.notAfter.getTime() - old.certificate.notBefore.getTime()) / day)
      const { wanted: _wanted, ...settings } = old.settings
      const generation = (await listIssuers(db)).length + 1
      const title = (text: string) => `${text.replace(/( G\d+| [0-9a-f]{8})+$/, '')} G${generation}`.slice(-64)
      const made = await makeIssuer(deps, {
        name: title(old.name), commonName: title(commonName), appendKeyId: / [0-9a-f]{8}$/.test(old.name), subject, profile, keyAlgorithm: keyAlgorithm ?? old.keyAlgorithm, signedBy, validityDays: validityDays ?? lifetimeDays, settings,
      })
      await database.transaction((tx) => updateIssuer(tx, id, { successorId: made.id }))
      if (made.status === 'active') await publishSoon(made.id)
      if (later || made.status !== 'active' || old.slot !== 'intermediate') return getIssuer(db, made.id)
      return takeSlot(made.id)
    },
    takeSlot,

    /** Signs nothing new from now on. @throws CertloopError ACTION_NOT_POSSIBLE for the one in use */
    async retire(id: IssuerId): Promise<Issuer> {
      const issuer = await getIssuer(db, id)
      if (issuer.slot !== null) throw new CertloopError('ACTION_NOT_POSSIBLE', `"${issuer.name}" is in use; put another one in its place first.`, { issuer: issuer.name })
      if (issuer.status !== 'active' && issuer.status !== 'pending') throw new CertloopError('ACTION_NOT_POSSIBLE', `"${issuer.name}" is ${issuer.status} already.`, { issuer: issuer.name })
      await database.transaction((tx) => updateIssuer(tx, id, { status: 'retired', retiredAt: now().toISOString() }))
      return getIssuer(db, id)
    },

    /** How it publishes from now on; what its certificate says can't be changed. */
    async configure(id: IssuerId, change: Partial<Pick<IssuerSettings, 'crlShards' | 'crlHours' | 'deltaCrl' | 'ocspMinutes'>>): Promise<Issuer> {
      await database.transaction(async (tx, wake) => {
        const row = await issuerRow(tx, id)
        await updateIssuer(tx, id, { settings: toJson({ ...fromJson<object>(row.settings), ...change }) })
        await schedulePublishing(tx, wake, id, now(), now())
      })
      return getIssuer(db, id)
    },
  }

  /** The request of an issuer, made when it has none yet (imported and built-in ones). */
  async function requestOf(issuer: Issuer) {
    const wanted = wishesOf(issuer)
    return { wanted, csrPem: issuer.csrPem ?? await makeCsr(deps, issuer, wanted) }
  }

  async function checkParent(parent: Issuer, { settings }: Pick<NewIssuer, 'settings'>): Promise<void> {
    const { pathLength } = parent.settings
    if (pathLength === 0) throw new CertloopError('PROFILE_VIOLATION', `"${parent.name}" may not have CAs below it: its path length is 0.`, { issuer: parent.name, fields: ['signedBy: its path length is 0'] })
    const wanted = settings?.pathLength ?? null
    if (pathLength !== null && (wanted === null || wanted >= pathLength)) throw new CertloopError('PROFILE_VIOLATION', `Below "${parent.name}" the path length can be ${pathLength - 1} at most.`, { issuer: parent.name, fields: [`pathLength: at most ${pathLength - 1}`] })
  }
}

/** Subject and profile of an issuer; for one that came with its certificate, read from that. */
function wishesOf({ settings, certificate, name }: Issuer) {
  if (settings.wanted) return settings.wanted
  const facts = readCertificate(certificate?.certificatePem ?? '')
  return { signedBy: null, validityDays: 0, profile: 'subordinate-ca', commonName: facts.commonName ?? name, subject: facts.subjectFields.filter(({ type }) => type !== 'CN').map(({ type, value }) => ({ type, value })) }
}

const constrained = (names: NonNullable<CertificateFacts['nameConstraints']>['permitted']): NameConstraints['permitted'] =>
  names.flatMap((name) => (name.type === 'dns' || name.type === 'ip' || name.type === 'email' || name.type === 'uri' ? [{ type: name.type, value: name.value }] : []))

/** What an imported certificate says binds what its key signs here. */
function readSettings({ basicConstraints, nameConstraints }: CertificateFacts): Partial<IssuerSettings> {
  return {
    pathLength: basicConstraints?.pathLength ?? null,
    nameConstraints: nameConstraints && { permitted: constrained(nameConstraints.permitted), excluded: constrained(nameConstraints.excluded) },
  }
}

const spkiText = ({ pem }: CertificateFacts): string => certificateParts(pem).spki.raw.toString('base64')
