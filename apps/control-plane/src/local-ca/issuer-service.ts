import { CertloopError, newId, type IssuerId, type KeyAlgorithm } from '@certloop/contract'
import { certificateParts, isIssuedBy, isSelfSigned, keyProblems, readCertificate, readCertificates, sha256Hex, spkiDigestOfPrivateKey, type CertificateFacts } from '@certloop/pki'
import { toJson } from '../database/columns.ts'
import type { Issuer, IssuerSettings } from './issuer.ts'
import { checkOutsideChain, checkOwnCertificate, completeIssuer, installIn, makeIssuer, nameTaken, type IssuerMakingDeps, type NewIssuer, type Origin } from './issuer-making.ts'
import { getIssuer, insertIssuer, isNameTaken, listIssuers, spkiOf, updateIssuer, type IssuerRow } from './issuer-store.ts'
import { constrained } from './name-constraints.ts'
import { checkParent } from './path-length.ts'
import { checkPublicCertificate, defaultSettings } from './public-style.ts'

export interface ImportedIssuer {
  name: string
  /** The CA certificate first or anywhere, and those above it up to its root. */
  certificatesPem: string
  /** PKCS#8 PEM, opened. null: only to be trusted and shown. */
  keyPem: string | null
  /** Default private. */
  style?: IssuerSettings['style'] | undefined
}

interface Examined { own: CertificateFacts; origin: Origin; bounds: Pick<IssuerSettings, 'pathLength' | 'nameConstraints'>; isRoot: boolean }

/** How issuers come to be: generated, signed elsewhere, imported. */
export function createIssuerService(deps: IssuerMakingDeps) {
  const { database, now } = deps
  const { db } = database

  const digestOf = async (id: IssuerId) => sha256Hex(await spkiOf(db, id))

  /** An issuer here whose key signed the certificate. */
  async function signerAmongUs(certificate: CertificateFacts): Promise<IssuerId | null> {
    for (const issuer of await listIssuers(db)) {
      if (issuer.certificate && isIssuedBy(certificate, readCertificate(issuer.certificate.certificatePem))) return issuer.id
    }
    return null
  }

  /** What can be said of a certificate before it is installed. @throws CertloopError ISSUER_MISMATCH, CHAIN_INVALID */
  async function examine(issuer: Pick<Issuer, 'id' | 'name' | 'subject'>, spkiDigest: string, certificates: readonly CertificateFacts[]): Promise<Examined> {
    const { own, above } = split(certificates, spkiDigest)
    checkOwnCertificate(issuer, spkiDigest, own, now())
    const isRoot = isSelfSigned(own)
    const signedBy = isRoot ? issuer.id : await signerAmongUs(own)
    if (signedBy === null && above.length === 0) throw new CertloopError('CHAIN_INVALID', `The certificate of "${own.issuer}", which signed this one, is missing. Add it, and those above it up to the root.`, { issuer: own.issuer })
    const top = above.at(-1)
    if (signedBy === null && top && !isSelfSigned(top)) throw new CertloopError('CHAIN_INVALID', `The chain ends at "${top.subject}", which is no root. Add the certificates above it.`, { issuer: top.issuer })
    return { own, origin: { signedBy, outsideChain: signedBy === null ? above.map(({ pem }) => pem) : [] }, bounds: readSettings(own, above), isRoot }
  }

  return {
    /** Generates an issuer: a root, an intermediate signed here, or one that waits for an outside authority. */
    async create(wish: NewIssuer): Promise<Issuer> {
      if (wish.signedBy !== 'self' && wish.signedBy !== null) checkParent(await getIssuer(db, wish.signedBy), wish)
      const present = (await listIssuers(db)).find(({ name }) => name === wish.name)
      // Cut off before: the same one is finished. Said before a key is made: one in a token would stay there.
      if (present && isBegun(present, wish)) return completeIssuer(deps, present.id)
      if (present) throw nameTaken(wish.name)
      return makeIssuer(deps, wish)
    },
    /** Installs a certificate that somebody signed for the issuer's key: its first, a renewed one or a cross-certificate. @throws CertloopError ISSUER_MISMATCH, CHAIN_INVALID, CERTIFICATE_INVALID */
    async installCertificate(id: IssuerId, certificatesPem: string): Promise<Issuer> {
      const issuer = await getIssuer(db, id)
      const { own, origin, bounds, isRoot } = await examine(issuer, await digestOf(id), readCertificates(certificatesPem))
      if (issuer.settings.style === 'public') checkPublicCertificate(own, isRoot ? 'root' : 'intermediate')
      await database.transaction(async (tx, wake) => {
        // Who signed it may have left less room than was asked for.
        if (issuer.certificate === null && !isRoot) await updateIssuer(tx, id, { settings: toJson({ ...issuer.settings, ...bounds }) })
        await installIn(tx, wake, now(), issuer, own, origin)
      })
      return getIssuer(db, id)
    },

    /** Takes over a CA made elsewhere. @throws CertloopError KEY_MISMATCH, KEY_WEAK, CONFLICT, CHAIN_INVALID, ISSUER_MISMATCH */
    async import({ name, certificatesPem, keyPem, style = 'private' }: ImportedIssuer): Promise<Issuer> {
      const all = readCertificates(certificatesPem)
      const own = belongingTo(keyPem, all)
      const id = newId('iss', now())
      const { origin, bounds, isRoot } = await examine({ id, name, subject: own.subject }, own.spkiDigest, all)
      if (keyPem !== null) refuseWeakCa(own)
      if (style === 'public') checkPublicCertificate(own, isRoot ? 'root' : 'intermediate')
      const settings: IssuerSettings = { ...defaultSettings(style), ...bounds }
      const row: IssuerRow = {
        id, name, slot: null, kind: isRoot ? 'root' : 'intermediate', status: 'pending', subject: own.subject, keyAlgorithm: own.keyAlgorithm as KeyAlgorithm, spki: spkiText(own),
        keySource: keyPem === null ? 'outside' : 'sealed', sealedKey: keyPem === null ? null : deps.keys.seal(id, keyPem), keyReference: null, settings: toJson(settings),
        csrPem: null, certificateId: null, successorId: null, changeNumber: 0, createdAt: now().toISOString(), retiredAt: null,
      }
      await database.transaction(async (tx, wake) => {
        if (await isNameTaken(tx, name)) throw nameTaken(name)
        const twin = await tx.selectFrom('ca_issuer').select('name').where('spki', '=', row.spki).executeTakeFirst()
        if (twin) throw new CertloopError('CONFLICT', `The key of this CA is here already, as the issuer "${twin.name}".`, { name: twin.name })
        await insertIssuer(tx, row)
        await installIn(tx, wake, now(), { id, keySource: row.keySource, settings }, own, origin)
      })
      return getIssuer(db, id)
    },
  }
}

/** Whether an issuer that waits for a certificate from here was asked for by the same wish. */
function isBegun({ status, keyAlgorithm, keySource, settings: { wanted } }: Issuer, wish: NewIssuer): boolean {
  if (status !== 'pending' || !wanted || wanted.signedBy === null) return false
  return wanted.signedBy === wish.signedBy && wanted.commonName === wish.commonName && wanted.validityDays === wish.validityDays && keyAlgorithm === wish.keyAlgorithm && keySource === (wish.key?.source ?? 'sealed')
}

/** The certificate of the key; without one, the first of a CA. @throws CertloopError CERTIFICATE_INVALID, KEY_MISMATCH */
function belongingTo(keyPem: string | null, all: readonly CertificateFacts[]): CertificateFacts {
  if (all.length === 0) throw noCertificate()
  const spkiDigest = keyPem === null ? all.find(({ isCa }) => isCa)?.spkiDigest : spkiDigestOfPrivateKey(keyPem)
  const own = all.find((one) => one.spkiDigest === spkiDigest)
  if (!own) throw new CertloopError('KEY_MISMATCH', 'The private key belongs to none of the certificates.', { fields: ['keyPem: belongs to none of the certificates'] })
  return own
}

/** @throws CertloopError KEY_WEAK */
function refuseWeakCa({ pem }: CertificateFacts): void {
  const [weakness] = keyProblems(certificateParts(pem).spki.raw)
  if (weakness) throw new CertloopError('KEY_WEAK', `The key of this CA is too weak to sign with. ${weakness.message}`, { fields: [`keyPem: ${weakness.message}`] })
}

const noCertificate = () => new CertloopError('CERTIFICATE_INVALID', 'There is no certificate in the text.', { fields: ['certificatesPem: has no certificate'] })

/** Sorts what was given: the issuer's own certificate, and those above it. */
function split(all: readonly CertificateFacts[], spkiDigest: string): { own: CertificateFacts; above: CertificateFacts[] } {
  const own = all.find((one) => one.spkiDigest === spkiDigest && one.isCa) ?? all[0]
  if (!own) throw noCertificate()
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

/** How many CAs a CA certificate lets stand below the one that is `steps` below it; null: any number. */
const roomBelow = ({ basicConstraints }: CertificateFacts, steps: number): number | null =>
  (basicConstraints === null || basicConstraints.pathLength === null ? null : Math.max(0, basicConstraints.pathLength - steps))

/** What its certificate and those above it say binds what its key signs here. */
function readSettings(own: CertificateFacts, above: readonly CertificateFacts[]): Pick<IssuerSettings, 'pathLength' | 'nameConstraints'> {
  // Each step down leaves room for one CA less.
  const lengths = [own, ...above].map(roomBelow).filter((length) => length !== null)
  const { nameConstraints } = own
  return {
    pathLength: lengths.length > 0 ? Math.min(...lengths) : null,
    nameConstraints: nameConstraints && { permitted: constrained(nameConstraints.permitted), excluded: constrained(nameConstraints.excluded) },
  }
}

const spkiText = ({ pem }: CertificateFacts): string => certificateParts(pem).spki.raw.toString('base64')
