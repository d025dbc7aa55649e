import { CertloopError } from '@certloop/contract'
import { buildOcspResponse, ocspError, readOcspRequest, type OcspRequest, type OcspStatus } from '@certloop/pki'
import type { Database } from '../database/database.ts'
import { findBySerial, type IssuedRow } from './issued-store.ts'
import type { Issuer } from './issuer.ts'
import { getIssuer } from './issuer-store.ts'
import type { OcspCache } from './ocsp-cache.ts'
import { createChangeWatch } from './ocsp-changes.ts'
import { createIssuerLookup } from './ocsp-issuers.ts'
import type { Responders } from './responder.ts'

/** body: DER. maxAge: seconds for which it may be kept by others; 0: not at all. */
export interface OcspAnswer { body: Buffer; maxAge: number; nextUpdate?: Date; producedAt?: Date }

export interface OcspDeps { database: Database; responders: Responders; cache: OcspCache; now: () => Date }

const wholeSecond = (milliseconds: number) => new Date(Math.floor(milliseconds / 1000) * 1000)
const failure = (status: Parameters<typeof ocspError>[0]): OcspAnswer => ({ body: ocspError(status), maxAge: 0 })

export function createOcsp({ database, responders, cache, now }: OcspDeps) {
  const { db } = database
  const issuerOf = createIssuerLookup(database)
  const { lookForChanges, changeNumberOf } = createChangeWatch(database, cache)

  async function sign(issuer: Issuer, { certIds, nonce }: OcspRequest): Promise<OcspAnswer & { nextUpdate: Date; producedAt: Date }> {
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

  async function signAndKeep(key: string, issuer: Issuer, parsed: OcspRequest): Promise<OcspAnswer> {
    const changeNumber = changeNumberOf(issuer.id)
    const answer = await sign(issuer, parsed)
    if (parsed.nonce !== null) return { ...answer, maxAge: 0 }
    const [only, ...others] = parsed.certIds
    // Not kept when something changed while it was signed: it might be old news already.
    if (only && others.length === 0 && changeNumberOf(issuer.id) === changeNumber) {
      cache.put(key, { issuerId: issuer.id, serialNumber: only.serialNumber, body: answer.body, nextUpdate: answer.nextUpdate, producedAt: answer.producedAt })
    }
    return answer
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
      return issuer.keySource === 'outside' ? failure('unauthorized') : signAndKeep(key, issuer, parsed)
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
