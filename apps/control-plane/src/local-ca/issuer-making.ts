import { createPrivateKey } from 'node:crypto'
import { CertloopError, newId, type IssuerId, type KeyAlgorithm } from '@certloop/contract'
import {
  authorityKeyIdentifier, basicConstraints, buildCsr, buildTbsCertificate, generateKey, isIssuedBy, keyIdOfSpki, keyUsage, readCertificate, signTbs, spkiOfKey, subjectKeyIdentifier, subjectName, textOfName,
  type CertificateFacts, type SubjectAttribute,
} from '@certloop/pki'
import { toJson } from '../database/columns.ts'
import type { Database, Tx } from '../database/database.ts'
import { schedulePublishing } from './crl-schedule.ts'
import { newSerialNumber, type CaWish, type LocalIssued } from './issue.ts'
import type { IssueOptions } from './issue-request.ts'
import type { Issuer, IssuerKind, IssuerSettings, IssuerSlot, WantedCertificate } from './issuer.ts'
import type { IssuerKeys } from './issuer-open.ts'
import { getIssuer, insertIssuer, insertIssuerCertificate, isNameTaken, spkiOf, updateIssuer, type IssuerRow } from './issuer-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { takeSlotIn } from './issuer-slot.ts'
import { checkAgainstProfile } from './profile-check.ts'
import { getProfile } from './profile-store.ts'
import { lifetimeOf } from './profiles.ts'
import { checkPublicIssuer, checkPublishing, defaultSettings, inOrderOf } from './public-style.ts'

export interface IssuerMakingDeps {
  database: Database
  keys: IssuerKeys
  issue(options: IssueOptions, ca?: CaWish): Promise<LocalIssued>
  now: () => Date
  log: (level: 'info' | 'warn' | 'error', message: string, facts: Record<string, unknown>) => void
}

export interface NewIssuer {
  /** Its name here; unique. */
  name: string
  commonName: string
  subject?: readonly SubjectAttribute[]
  /** Adds the beginning of the key identifier to name and common name, so that the CAs of two installations can be told apart. */
  appendKeyId?: boolean
  keyAlgorithm: KeyAlgorithm
  /** pkcs11: the key is made in the token, under the label. */
  key?: { source: 'sealed' } | { source: 'pkcs11'; label: string }
  signedBy: WantedCertificate['signedBy']
  /** Default subordinate-ca. */
  profile?: string
  validityDays: number
  slot?: IssuerSlot
  /** The issuer that it replaces, and whether it comes into use in its place as soon as it has its certificate. */
  successorOf?: IssuerId
  takesSlot?: boolean
  settings?: Partial<IssuerSettings>
}

export const nameTaken = (name: string) => new CertloopError('CONFLICT', `There is an issuer named "${name}" already.`, { name, fields: ['name: is taken'] })

interface MadeKey { spki: Buffer; sealedKey: string | null; keyReference: string | null }

async function makeKey({ keys }: IssuerMakingDeps, id: IssuerId, { key, keyAlgorithm }: NewIssuer): Promise<MadeKey> {
  if (key?.source === 'pkcs11') {
    if (!keys.tokenKeys) throw new CertloopError('PKCS11_UNAVAILABLE', 'No PKCS#11 module is configured.', { fields: ['key: no PKCS#11 module is configured'] })
    const { reference, spki } = await keys.tokenKeys.generate(key.label, keyAlgorithm)
    return { spki, sealedKey: null, keyReference: toJson(reference) }
  }
  const keyPem = await generateKey(keyAlgorithm)
  return { spki: spkiOfKey(createPrivateKey(keyPem)), sealedKey: keys.seal(id, keyPem), keyReference: null }
}

const profileOf = ({ profile }: NewIssuer): string => profile ?? 'subordinate-ca'
const kindOf = ({ signedBy }: NewIssuer): IssuerKind => (signedBy === 'self' ? 'root' : 'intermediate')
const settingsOf = ({ settings }: NewIssuer, style: IssuerSettings['style']): IssuerSettings => ({ ...defaultSettings(style), ...settings, style })

/** What public style asks of an issuer is checked before there is a key. @returns the style of its profile */
async function checkWish({ database }: IssuerMakingDeps, wish: NewIssuer): Promise<IssuerSettings['style']> {
  const profile = await getProfile(database.db, profileOf(wish))
  const { rules: { kind, style, keyAlgorithms } } = profile
  if (kind !== 'ca') throw new CertloopError('PROFILE_VIOLATION', `The profile "${profile.name}" is not for CAs.`, { profile: profile.name, fields: ['profile: has to be of the kind ca'] })
  if (style === 'private') return style
  const { commonName, subject = [], keyAlgorithm, signedBy, validityDays } = wish
  if (!keyAlgorithms.includes(keyAlgorithm)) throw new CertloopError('KEY_ALGORITHM_UNSUPPORTED', `The profile "${profile.name}" does not certify keys of the kind ${keyAlgorithm}.`, { keyAlgorithm, profile: profile.name })
  // The profile's longest lifetime is that of a subordinate CA; a root's has bounds of its own.
  checkAgainstProfile({ names: [], otherNames: [], commonName, subject, mustStaple: false, validityDays: signedBy === 'self' ? null : validityDays }, profile)
  checkPublicIssuer(wish, settingsOf(wish, style), kindOf(wish))
  checkPublishing(settingsOf(wish, style), kindOf(wish))
  return style
}

/**
 * Makes an issuer: its key and row first, as one that waits, then its certificate. Whatever happens between, the next
 * start finishes what this installation can sign itself; one to be signed elsewhere waits with its CSR.
 * @returns the issuer; when the slot was taken by another replica, that of the slot
 * @throws CertloopError CONFLICT when the name is taken; NAME_INVALID, PROFILE_VIOLATION, ISSUER_NOT_READY, PKCS11_…
 */
export async function makeIssuer(deps: IssuerMakingDeps, wish: NewIssuer): Promise<Issuer> {
  const { database, now } = deps
  const style = await checkWish(deps, wish)
  const subject = inOrderOf(style, wish.subject ?? [])
  const id = newId('iss', now())
  const { spki, sealedKey, keyReference } = await makeKey(deps, id, wish)
  const suffix = wish.appendKeyId ? ` ${keyIdOfSpki(spki).toString('hex').slice(0, 8)}` : ''
  const commonName = `${wish.commonName}${suffix}`
  const attributes = [...subject, { type: 'CN', value: commonName }]
  const wanted: WantedCertificate = { signedBy: wish.signedBy, validityDays: wish.validityDays, commonName, subject, profile: profileOf(wish), ...(wish.takesSlot ? { takesSlot: true } : {}) }
  const settings: IssuerSettings = { ...settingsOf(wish, style), wanted }
  const row: IssuerRow = {
    id, name: `${wish.name}${suffix}`, slot: wish.slot ?? null, kind: kindOf(wish), status: 'pending', subject: textOfName(subjectName(attributes)), keyAlgorithm: wish.keyAlgorithm,
    spki: spki.toString('base64'), keySource: keyReference === null ? 'sealed' : 'pkcs11', sealedKey, keyReference, settings: toJson(settings), csrPem: null, certificateId: null, successorId: null, changeNumber: 0,
    createdAt: now().toISOString(), retiredAt: null,
  }
  const isOurs = await database.transaction(async (tx) => {
    if (await isNameTaken(tx, row.name)) throw nameTaken(row.name)
    if (wish.successorOf) await nameSuccessor(tx, wish.successorOf, id)
    return insertIssuer(tx, row)
  })
  if (!isOurs) return getIssuer(database.db, (await database.db.selectFrom('ca_issuer').select('id').where('slot', '=', row.slot).executeTakeFirstOrThrow()).id)
  try {
    return await completeIssuer(deps, id)
  } catch (error) {
    // Refused: nothing of it stays. After a crash, or a database that went away, it waits, and the next start finishes it.
    if (error instanceof CertloopError && !isUnavailable(error)) await dropWaiting(database, id)
    throw error
  }
}

const isUnavailable = ({ code }: CertloopError): boolean => ['DATABASE_UNREACHABLE', 'UNAVAILABLE', 'INTERNAL'].includes(code)

/** @throws CertloopError CONFLICT when somebody else replaced it meanwhile */
async function nameSuccessor(tx: Tx, old: IssuerId, successorId: IssuerId): Promise<void> {
  const { numUpdatedRows } = await tx.updateTable('ca_issuer').set({ successorId }).where('id', '=', old).where('successorId', 'is', null).executeTakeFirstOrThrow()
  if (numUpdatedRows !== 1n) throw new CertloopError('CONFLICT', 'The issuer was replaced by somebody else in the meantime.', { issuerId: old })
}

/** Forgets an issuer that never had a certificate. */
async function dropWaiting(database: Database, id: IssuerId): Promise<void> {
  await database.transaction(async (tx) => {
    const { numDeletedRows } = await tx.deleteFrom('ca_issuer').where('id', '=', id).where('certificateId', 'is', null).executeTakeFirstOrThrow()
    if (numDeletedRows === 1n) await tx.updateTable('ca_issuer').set({ successorId: null }).where('successorId', '=', id).execute()
  })
}

/** Takes a waiting issuer as far as this installation can. Safe to repeat, also on several replicas at once. */
export async function completeIssuer(deps: IssuerMakingDeps, id: IssuerId): Promise<Issuer> {
  const issuer = await getIssuer(deps.database.db, id)
  const { wanted } = issuer.settings
  if (issuer.status !== 'pending' || !wanted) return issuer
  const csrPem = issuer.csrPem ?? await makeCsr(deps, issuer, wanted)
  if (wanted.signedBy === 'self') await install(deps, issuer, await selfSign(deps, issuer, wanted), { signedBy: id, outsideChain: [] })
  else if (wanted.signedBy !== null) {
    const { commonName, subject, validityDays, profile } = wanted
    const { pathLength, nameConstraints } = issuer.settings
    const { chainPem } = await deps.issue({ reference: `issuer:${id}`, csrPem, names: [], commonName, subject, validityDays, profile, issuerId: wanted.signedBy }, { pathLength, nameConstraints })
    await install(deps, issuer, readCertificate(chainPem[0] ?? ''), { signedBy: wanted.signedBy, outsideChain: [] })
  }
  return getIssuer(deps.database.db, id)
}

/** The request that an outside authority signs; kept, so that the same one can be fetched again. */
export async function makeCsr({ database, keys }: IssuerMakingDeps, issuer: Issuer, { commonName, subject }: WantedCertificate): Promise<string> {
  const csrPem = await buildCsr(
    { commonName, subject, names: [], keyUsage: ['keyCertSign', 'cRLSign', 'digitalSignature'], certificateAuthority: { pathLength: issuer.settings.pathLength }, subjectKeyIdentifier: true },
    { signer: await keys.signerOf(database.db, issuer.id), spki: await spkiOf(database.db, issuer.id) },
  )
  await database.transaction((tx) => updateIssuer(tx, issuer.id, { csrPem }))
  return csrPem
}

/** A self-signed CA certificate (RFC 5280, 3.2; Baseline Requirements 7.1.2.1: no policies, no extended usages, no addresses). */
async function selfSign({ database, keys, now }: IssuerMakingDeps, issuer: Issuer, { commonName, subject, validityDays }: WantedCertificate): Promise<CertificateFacts> {
  const signer = await keys.signerOf(database.db, issuer.id)
  const spki = await spkiOf(database.db, issuer.id)
  const name = subjectName([...subject, { type: 'CN', value: commonName }])
  const keyId = keyIdOfSpki(spki)
  const tbs = buildTbsCertificate({
    serialNumber: newSerialNumber(), issuer: name, subject: name, ...lifetimeOf(validityDays, now()), spki,
    extensions: [basicConstraints(true, issuer.settings.pathLength ?? undefined), keyUsage(['keyCertSign', 'cRLSign']), subjectKeyIdentifier(keyId), authorityKeyIdentifier(keyId)],
  }, signer.algorithm)
  return readCertificate(await signTbs(tbs, signer))
}

export interface Origin { signedBy: IssuerId | null; outsideChain: readonly string[] }

/** See installIn. */
export const install = ({ database, now }: Pick<IssuerMakingDeps, 'database' | 'now'>, issuer: Issuer, certificate: CertificateFacts, origin: Origin): Promise<void> =>
  database.transaction((tx, wake) => installIn(tx, wake, now(), issuer, certificate, origin))

/** Stores a certificate of an issuer, lets it sign and has its lists made; the first one stays the preferred one. */
export async function installIn(tx: Tx, wake: Wakes, now: Date, issuer: Pick<Issuer, 'id' | 'keySource' | 'settings'>, certificate: CertificateFacts, { signedBy, outsideChain }: Origin): Promise<void> {
  const { fingerprint, serialNumber, pem: certificatePem, notBefore, notAfter } = certificate
  const id = await insertIssuerCertificate(tx, { id: newId('icc', now), issuerId: issuer.id, signedBy, serialNumber, certificatePem, fingerprint, outsideChain, notBefore, notAfter }, now)
  if (!await activate(tx, issuer.id, id)) return
  if (issuer.settings.wanted?.takesSlot) await takeSlotIn(tx, wake, issuer.id, now)
  if (issuer.keySource !== 'outside') await schedulePublishing(tx, wake, issuer.id, now, now)
}

/** @returns false when it had a certificate before */
async function activate(tx: Tx, id: IssuerId, certificateId: Issuer['certificates'][number]['id']): Promise<boolean> {
  const { numUpdatedRows } = await tx.updateTable('ca_issuer').set({ certificateId, status: 'active' }).where('id', '=', id).where('certificateId', 'is', null).where('status', '=', 'pending').executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

/**
 * Whether a certificate is one for this issuer: key, name, CA flag, key usage and lifetime.
 * @throws CertloopError ISSUER_MISMATCH, naming everything that differs
 */
export function checkOwnCertificate(issuer: Pick<Issuer, 'name' | 'subject'>, spkiDigest: string, certificate: CertificateFacts, now: Date): void {
  const problems = [
    certificate.spkiDigest === spkiDigest ? '' : 'its public key is not that of the issuer',
    certificate.subject === issuer.subject ? '' : `its subject is "${certificate.subject}", that of the issuer "${issuer.subject}"`,
    certificate.isCa ? '' : 'it is not a CA certificate',
    certificate.keyUsage && !certificate.keyUsage.usages.includes('keyCertSign') ? 'its key usage does not let it sign certificates' : '',
    certificate.notAfter > now ? '' : `it ended at ${certificate.notAfter.toISOString()}`,
  ].filter((problem) => problem !== '')
  if (problems.length > 0) throw new CertloopError('ISSUER_MISMATCH', `The certificate does not fit the issuer "${issuer.name}": ${problems.join('; ')}.`, { fields: problems.map((problem) => `certificatePem: ${problem}`) })
}

/** @throws CertloopError CHAIN_INVALID when a certificate is not signed by the next one */
export function checkOutsideChain(certificate: CertificateFacts, above: readonly CertificateFacts[]): void {
  let below = certificate
  for (const next of above) {
    if (!isIssuedBy(below, next)) throw new CertloopError('CHAIN_INVALID', `"${below.subject}" was not signed by "${next.subject}", which follows it.`, { subject: below.subject, issuer: next.subject })
    below = next
  }
}
