import { randomBytes, randomInt } from 'node:crypto'
import { CertloopError, newId, type IssuerId } from '@certloop/contract'
import { readCertificate, serialHex, signTbs, textOfName, type CertificateFacts, type NameConstraints } from '@certloop/pki'
import { fromJson, toJson } from '../database/columns.ts'
import type { Database } from '../database/database.ts'
import type { CaAddresses } from './addresses.ts'
import { certificateContent, subjectOf, type Content } from './certificate-content.ts'
import { checkRequest, narrowed, type IssueOptions, type IssueRequest } from './issue-request.ts'
import type { KeyStrength } from './key-strength.ts'
import { findIssued, insertIntent, storeIssued, type Intent, type IssuedRow } from './issued-store.ts'
import type { Issuer } from './issuer.ts'
import { openIssuer, type IssuerKeys, type OpenIssuer } from './issuer-open.ts'
import { listIssuers } from './issuer-store.ts'
import type { Ledger } from './ledger.ts'
import { checkNameConstraints } from './name-constraints.ts'
import { checkParent } from './path-length.ts'
import { getProfile, type Profile } from './profile-store.ts'
import { endsTooSoon, lifetimeOf } from './profiles.ts'
import { checkStyle, inOrderOf } from './public-style.ts'

/** A serial number of 128 random bits, never zero (RFC 5280, 4.1.2.2). Lower-case hex. */
export function newSerialNumber(): string {
  for (;;) {
    const bytes = randomBytes(16)
    if (bytes.some((byte) => byte !== 0)) return serialHex(bytes)
  }
}

/** chainPem: leaf, then the issuers without the root. */
export interface LocalIssued { chainPem: string[]; rootPem: string }

export interface IssueDeps { database: Database; keys: IssuerKeys; ledger: Ledger; strength: KeyStrength; addresses: () => CaAddresses | undefined; now: () => Date }

/** What only the control plane itself may ask for: the constraints of a CA that it signs. */
export interface CaWish { pathLength: number | null; nameConstraints: NameConstraints | null }

/** The intermediate in use. @throws CertloopError INTERNAL before the hierarchy is made */
export function issuerInSlot(issuers: readonly Issuer[], slot: 'root' | 'intermediate'): Issuer {
  const found = issuers.find((issuer) => issuer.slot === slot)
  if (!found) throw new CertloopError('INTERNAL', 'The built-in CA has no such issuer; its hierarchy was not made yet.')
  return found
}

/** Issuers above a certificate, nearest first, root last; certificates of outside CAs included. */
export function chainAbove(issuer: Issuer, issuers: readonly Issuer[]): string[] {
  const chain: string[] = []
  const seen = new Set<IssuerId>()
  for (let current: Issuer | undefined = issuer; current?.certificate && !seen.has(current.id);) {
    seen.add(current.id)
    chain.push(current.certificate.certificatePem, ...current.certificate.outsideChain)
    const above: IssuerId | null = current.certificate.signedBy
    current = above === null || above === current.id ? undefined : issuers.find(({ id }) => id === above)
  }
  return chain
}

/** As texts: some roots write the same name in two ways. */
const namesItself = ({ subject, issuer }: CertificateFacts): boolean => subject === issuer

/** What lies above a certificate: the issuers without the root, and the topmost one with whether it is a root; none while the issuer has no certificate. */
export function issuersAbove(issuerId: IssuerId, issuers: readonly Issuer[]): { intermediates: string[]; top: string | undefined; isRoot: boolean } {
  const issuer = issuers.find(({ id }) => id === issuerId)
  const above = issuer ? chainAbove(issuer, issuers) : []
  const top = above.at(-1)
  const isRoot = top !== undefined && namesItself(readCertificate(top))
  return { intermediates: isRoot ? above.slice(0, -1) : above, top, isRoot }
}

/** A retired issuer still has OCSP answers signed. @throws CertloopError ISSUER_NOT_READY, ISSUER_EXPIRED */
function refuseIssuer({ issuer, notBefore, notAfter }: OpenIssuer, { kind }: Profile['rules'], now: Date): void {
  if (kind === 'ocsp-responder' && issuer.status !== 'pending' && notAfter > now) return
  if (issuer.status !== 'active') throw new CertloopError('ISSUER_NOT_READY', `The issuer "${issuer.name}" is ${issuer.status} and signs nothing new.`, { issuer: issuer.name, status: issuer.status })
  if (endsTooSoon({ notBefore, notAfter }, now)) throw new CertloopError('ISSUER_EXPIRED', `The issuing certificate "${issuer.subject}" ends at ${notAfter.toISOString()}.`, { issuer: issuer.subject, notAfter: notAfter.toISOString() })
}

/** What was decided before its issuer was revoked is not signed after it. @throws CertloopError ISSUER_NOT_READY */
function refuseRevoked({ name, status }: Issuer, { rules }: Profile): void {
  if (status === 'revoked' && rules.kind !== 'ocsp-responder') throw new CertloopError('ISSUER_NOT_READY', `The issuer "${name}" was revoked and signs nothing more.`, { issuer: name, status })
}

export function createIssuing({ database, keys, ledger, strength, addresses, now }: IssueDeps) {
  const { db } = database

  /** Signs the intent as it was committed and stores the result; when another call stored first, that one counts. */
  async function signIntent(row: IssuedRow): Promise<string> {
    if (row.tbs === null) throw new CertloopError('INTERNAL', `The contents of ${row.reference} were not kept.`)
    const { pem, fingerprint } = readCertificate(await signTbs(Buffer.from(row.tbs, 'base64'), await keys.signerOf(db, row.issuerId)))
    if (await storeIssued(db, row.reference, pem, fingerprint, now())) return pem
    const stored = (await findIssued(db, row.reference))?.certificatePem
    if (!stored) throw new CertloopError('INTERNAL', `The certificate of ${row.reference} was neither stored nor found.`)
    return stored
  }

  /** Serial number and contents are decided, written to the ledger and committed. Nothing is signed before that. */
  async function recordIntent(options: IssueOptions, request: IssueRequest, profile: Profile, ca: CaWish | undefined): Promise<void> {
    const issuers = await listIssuers(db)
    const issuer = await openIssuer(db, keys, chosenIssuer(issuers, options.issuerId))
    refuseIssuer(issuer, profile.rules, now())
    if (profile.rules.kind === 'ca') checkParent(issuer.issuer, { settings: ca ?? profile.rules })
    checkStyle(issuer.issuer, profile, addresses() !== undefined)
    checkNameConstraints(issuer.issuer, chainAbove(issuer.issuer, issuers), request)
    const intent = intentFor(options, request, profile, issuer, ca, { addresses: addresses(), now: now() })
    await ledger.append({ issuerId: intent.issuerId, serialNumber: intent.serialNumber, reference: intent.reference, profile: intent.profile, notBefore: intent.notBefore, notAfter: intent.notAfter, subject: intent.subject, names: intent.names, spki: intent.spki, shard: intent.shard })
    await insertIntent(db, intent, now())
  }

  return {
    /** See LocalCa.issue. */
    async issue(options: IssueOptions, ca?: CaWish): Promise<LocalIssued> {
      const profile = narrowed(await getProfile(db, options.profile), options)
      const request = checkRequest(options, profile)
      let row = await findIssued(db, options.reference)
      if (!row) {
        await strength.check(request)
        await recordIntent(options, request, profile, ca)
        row = await findIssued(db, options.reference)
      }
      if (!row) throw new CertloopError('INTERNAL', `The intent of ${options.reference} was not stored.`)
      if (!isSameRequest(row, options, request)) {
        throw new CertloopError('CONFLICT', `A different certificate was already requested as ${options.reference}.`, { reference: options.reference })
      }
      const issuers = await listIssuers(db)
      if (row.certificatePem === null) refuseRevoked(chosenIssuer(issuers, row.issuerId), profile)
      return answer(row, row.certificatePem ?? await signIntent(row), issuers)
    },
    async findByReference(reference: string): Promise<LocalIssued | undefined> {
      const row = await findIssued(db, reference)
      return row?.certificatePem ? answer(row, row.certificatePem, await listIssuers(db)) : undefined
    },
  }
}

/** @throws CertloopError NOT_FOUND */
function chosenIssuer(issuers: readonly Issuer[], id: IssuerId | undefined): Issuer {
  if (id === undefined) return issuerInSlot(issuers, 'intermediate')
  const found = issuers.find((issuer) => issuer.id === id)
  if (!found) throw new CertloopError('NOT_FOUND', `There is no issuer ${id}.`, { issuerId: id })
  return found
}

function answer(row: IssuedRow, certificatePem: string, issuers: readonly Issuer[]): LocalIssued {
  const { intermediates, top } = issuersAbove(row.issuerId, issuers)
  if (top === undefined) throw new CertloopError('INTERNAL', `The issuer of ${row.reference} has no certificate.`)
  return { chainPem: [certificatePem, ...intermediates], rootPem: top }
}

/** What was asked beyond names, common name and key, as it is kept for comparison. */
function furtherWishes({ subject, otherNames, mustStaple }: IssueRequest, { keyUsage, extendedKeyUsage }: IssueOptions): string | null {
  return subject.length > 0 || otherNames.length > 0 || mustStaple || keyUsage || extendedKeyUsage ? toJson({ subject, otherNames, mustStaple, keyUsage, extendedKeyUsage }) : null
}

function intentFor(options: IssueOptions, request: IssueRequest, { name, rules }: Profile, issuer: OpenIssuer, ca: CaWish | undefined, { addresses, now }: { addresses: CaAddresses | undefined; now: Date }): Intent {
  const { reference, commonName, validityDays } = options
  const { spki, names, otherNames, mustStaple } = request
  const subject = inOrderOf(rules.style, request.subject)
  const shards = issuer.issuer.settings.crlShards
  const shard = shards > 0 ? randomInt(shards) : null
  const content: Content = {
    serialNumber: newSerialNumber(), commonName, subject, names, otherNames, spki, mustStaple, shard,
    ...(rules.kind === 'ca' ? ca ?? { pathLength: rules.pathLength } : {}), ...lifetimeOf(validityDays ?? rules.defaultValidityDays, now, issuer, rules.backdateMinutes),
  }
  const { serialNumber, notBefore, notAfter } = content
  return {
    id: newId('cac', now), reference, issuerId: issuer.issuer.id, serialNumber, profile: name, subject: textOfName(subjectOf(content)), commonName, names, request: furtherWishes(request, options), spki, notBefore, notAfter,
    tbs: certificateContent(content, rules, issuer, addresses), shard: shard ?? 0,
  }
}

function isSameRequest(row: IssuedRow, options: IssueOptions, request: IssueRequest): boolean {
  return row.profile === options.profile && row.commonName === options.commonName && fromJson<string[]>(row.names).join() === request.names.join()
    && row.spki === request.spki.toString('base64') && row.request === furtherWishes(request, options)
}
