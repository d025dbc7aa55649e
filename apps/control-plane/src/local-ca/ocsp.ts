import type { IssuerId } from '@certloop/contract'
import { CertloopError } from '@certloop/contract'
import { buildOcspResponse, certificateParts, issuerHashes, ocspError, readOcspRequest, type CertId, type IssuerHashes, type OcspRequest, type OcspStatus } from '@certloop/pki'
import type { Database } from '../database/database.ts'
import { caTopic } from './ca-topic.ts'
import { changesSince, findBySerial, type IssuedRow } from './issued-store.ts'
import type { Issuer } from './issuer.ts'
import { getIssuer, issuerRow, listIssuers } from './issuer-store.ts'
import type { OcspCache } from './ocsp-cache.ts'
import type { Responders } from './responder.ts'

/** body: DER. maxAge: seconds for which it may be kept by others; 0: not at all. */
export interface OcspAnswer { body: Buffer; maxAge: number; nextUpdate?: Date; producedAt?: Date }

export interface OcspDeps { database: Database; responders: Responders; cache: OcspCache; now: () => Date }

const wholeSecond = (milliseconds: number) => new Date(Math.floor(milliseconds / 1000) * 1000)
/** How long another replica's change may go unnoticed when its hint was lost. */
const lookAgainMs = 400
const manyChanges = 5000

const failure = (status: Parameters<typeof ocspError>[0]): OcspAnswer => ({ body: ocspError(status), maxAge: 0 })

/** Issuers by how requests name them, read again when one is not found. */
interface KnownIssuer { id: IssuerId; hashes: Record<string, IssuerHashes> }

export function createOcsp({ database, responders, cache, now }: OcspDeps) {
  const { db } = database
  let known: KnownIssuer[] = []
  let knownAt = Number.NEGATIVE_INFINITY
  const seen = new Map<IssuerId, { changeNumber: number; at: number; looking: Promise<void> | undefined }>()

  async function loadIssuers(): Promise<void> {
    knownAt = performance.now()
    known = (await listIssuers(db)).flatMap(({ id, certificate }) => {
      if (!certificate) return []
      const { subject, spki } = certificateParts(certificate.certificatePem)
      return [{ id, hashes: issuerHashes({ subject: subject.raw, spki: spki.raw }) }]
    })
  }

  const fits = ({ hashes }: KnownIssuer, { hashAlgorithm, issuerNameHash, issuerKeyHash }: CertId) => {
    const own = Object.hasOwn(hashes, hashAlgorithm) ? hashes[hashAlgorithm] : undefined
    return own !== undefined && own.issuerNameHash === issuerNameHash && own.issuerKeyHash === issuerKeyHash
  }

  async function issuerOf(certId: CertId): Promise<IssuerId | undefined> {
    const found = known.find((one) => fits(one, certId))
    if (found || performance.now() - knownAt < lookAgainMs) return found?.id
    await loadIssuers()
    return known.find((one) => fits(one, certId))?.id
  }

  /** Drops from the cache what changed since it was last looked at; every 400 ms at most, and when a hint comes. */
  async function lookForChanges(id: IssuerId): Promise<void> {
    const state = seen.get(id) ?? { changeNumber: -1, at: Number.NEGATIVE_INFINITY, looking: undefined }
    seen.set(id, state)
    if (performance.now() - state.at < lookAgainMs) return
    state.looking ??= (async () => {
      const begun = performance.now()
      const { changeNumber } = await issuerRow(db, id)
      if (state.changeNumber >= 0 && changeNumber > state.changeNumber) {
        const changes = await changesSince(db, { issuerId: id, shard: null, since: state.changeNumber, limit: manyChanges, stillListedAt: new Date(0) })
        if (changes.length === manyChanges) cache.clear(id)
        else for (const { serialNumber } of changes) cache.drop(id, serialNumber)
      }
      Object.assign(state, { changeNumber, at: begun })
    })().finally(() => { state.looking = undefined })
    await state.looking
  }
  database.wake.listen((topic) => {
    for (const [id, state] of seen) if (topic === caTopic(id)) state.at = Number.NEGATIVE_INFINITY
  })

  async function sign(issuer: Issuer, { certIds, nonce }: OcspRequest): Promise<OcspAnswer & { nextUpdate: Date }> {
    const responder = await responders.of(issuer)
    const producedAt = wholeSecond(now().getTime())
    const nextUpdate = wholeSecond(Math.min(producedAt.getTime() + issuer.settings.ocspMinutes * 60_000, responder.notAfter))
    const responses = []
    for (const certId of certIds) responses.push({ certId: certId.raw, status: statusOf(await findBySerial(db, issuer.id, certId.serialNumber)), thisUpdate: producedAt, nextUpdate })
    const body = await buildOcspResponse({ responder: { keyHash: responder.keyHash }, producedAt, responses, nonce, certificates: [responder.certificate] }, responder.signer)
    return { body, maxAge: Math.max(0, Math.floor((nextUpdate.getTime() - now().getTime()) / 1000)), nextUpdate, producedAt }
  }

  function parse(request: Buffer): OcspRequest | undefined {
    try {
      return readOcspRequest(request)
    } catch (error) {
      if (error instanceof CertloopError) return undefined // answered with malformedRequest
      throw error
    }
  }

  /** Looks one up in the cache, by the bytes of the request: the fast path takes no request apart. */
  async function fromCache(key: string): Promise<OcspAnswer | undefined> {
    const owner = cache.ownerOf(key)
    if (owner === undefined) return undefined
    await lookForChanges(owner)
    const hit = cache.get(key, now().getTime())
    return hit && { body: hit.body, maxAge: Math.max(0, Math.floor((hit.nextUpdate.getTime() - now().getTime()) / 1000)), nextUpdate: hit.nextUpdate, producedAt: hit.producedAt }
  }

  return {
    /**
     * Answers an OCSP request (RFC 6960; the profile of RFC 5019 for what is cached). Never throws for what a client
     * sent: that is an OCSP error response.
     */
    async answer(request: Buffer): Promise<OcspAnswer> {
      const key = request.toString('latin1')
      const cached = await fromCache(key)
      if (cached) return cached
      const parsed = parse(request)
      if (!parsed) return failure('malformedRequest')
      const ids = await Promise.all(parsed.certIds.map(issuerOf))
      const [id] = ids
      // Not ours to speak for (RFC 5019, 2.2.3), or of several issuers, which one signature can't cover.
      if (id === undefined || ids.some((other) => other !== id)) return failure('unauthorized')
      await lookForChanges(id)
      const issuer = await getIssuer(db, id)
      if (issuer.keySource === 'outside') return failure('unauthorized')
      const changeNumber = seen.get(id)?.changeNumber
      const answer = await sign(issuer, parsed)
      const [only] = parsed.certIds
      // Not kept when something changed while it was signed: it might be old news already.
      if (parsed.nonce === null && parsed.certIds.length === 1 && only && seen.get(id)?.changeNumber === changeNumber) {
        cache.put(key, { issuerId: id, serialNumber: only.serialNumber, body: answer.body, nextUpdate: answer.nextUpdate, producedAt: answer.producedAt ?? answer.nextUpdate })
      }
      return parsed.nonce === null ? answer : { ...answer, maxAge: 0 }
    },
  }
}

/** What was recorded but not yet stored nobody has: it is unknown like any number that was never given out. */
function statusOf(row: IssuedRow | undefined): OcspStatus {
  if (!row || row.status === 'intended') return 'unknown'
  if (row.revokedAt === null) return 'good'
  return { revokedAt: new Date(row.revokedAt), ...(row.revocationReason ? { reason: row.revocationReason } : {}) }
}
export type Ocsp = ReturnType<typeof createOcsp>
