import { CertloopError } from '@certloop/contract'
import { buildOcspResponse, ocspError, readOcspRequest, type OcspRequest, type OcspStatus } from '@certloop/pki'
import type { Database } from '../database/database.ts'
import { stateLookup, type IssuedState } from './issued-store.ts'
import type { Issuer } from './issuer.ts'
import type { OcspCache, SignedAnswer, Validators } from './ocsp-cache.ts'
import { createChangeWatch } from './ocsp-changes.ts'
import { createIssuerLookup } from './ocsp-issuers.ts'
import type { Responders } from './responder.ts'
import { wholeSecond } from './whole-second.ts'

/** body: DER. maxAge: seconds for which it may be kept by others; 0: not at all. validators: of one that may. */
export interface OcspAnswer { body: Buffer; maxAge: number; validators?: Validators }

export interface OcspDeps { database: Database; responders: Responders; cache: OcspCache; now: () => Date }

/** Requests as clients send them have some 120 bytes; odd ones are answered and not kept. */
const longestKey = 1024

const failure = (status: Parameters<typeof ocspError>[0]): OcspAnswer => ({ body: ocspError(status), maxAge: 0 })

export function createOcsp({ database, responders, cache, now }: OcspDeps) {
  const findState = stateLookup(database.db)
  const issuerOf = createIssuerLookup(database)
  const { isCurrent, lookForChanges, changeNumberOf } = createChangeWatch(database, cache)

  const maxAgeOf = (nextUpdate: Date) => Math.max(0, Math.floor((nextUpdate.getTime() - now().getTime()) / 1000))

  async function sign(issuer: Issuer, { certIds, nonce }: OcspRequest): Promise<Pick<SignedAnswer, 'body' | 'nextUpdate' | 'producedAt'> & { isKnown: boolean }> {
    const responder = await responders.of(issuer)
    const producedAt = wholeSecond(now())
    const nextUpdate = wholeSecond(Math.min(producedAt.getTime() + issuer.settings.ocspMinutes * 60_000, responder.notAfter))
    const responses = []
    for (const certId of certIds) responses.push({ certId: certId.raw, status: statusOf(await findState(issuer.id, certId.serialNumber)), thisUpdate: producedAt, nextUpdate })
    const isKnown = responses.every(({ status }) => status !== 'unknown')
    const body = await buildOcspResponse({ responder: { keyHash: responder.keyHash }, producedAt, responses, nonce, certificates: [responder.certificate] }, responder.signer)
    return { body, nextUpdate, producedAt, isKnown }
  }

  function parse(request: Buffer): OcspRequest | undefined {
    try {
      return readOcspRequest(request)
    } catch (error) {
      if (error instanceof CertloopError) return undefined // answered with malformedRequest
      throw error
    }
  }

  function fromCache(key: string): OcspAnswer | undefined {
    const hit = cache.get(key, now().getTime())
    return hit && { body: hit.body, maxAge: maxAgeOf(hit.nextUpdate), validators: hit.validators }
  }

  async function signAndKeep(key: string, issuer: Issuer, parsed: OcspRequest): Promise<OcspAnswer> {
    const changeNumber = changeNumberOf(issuer.id)
    const { isKnown, ...answer } = await sign(issuer, parsed)
    const [only, ...others] = parsed.certIds
    // Not kept when something changed while it was signed: it might be old news already. Nor what is not known yet: it
    // may be any moment, and strangers could fill the cache with made-up numbers.
    if (isKnown && parsed.nonce === null && only && others.length === 0 && key.length <= longestKey && changeNumberOf(issuer.id) === changeNumber) {
      cache.put(key, { issuerId: issuer.id, serialNumber: only.serialNumber, ...answer })
    }
    return fromCache(key) ?? { body: answer.body, maxAge: 0 }
  }

  /** Then nobody can check an answer, and nobody is certified to sign one. */
  const hasEnded = ({ certificate }: Issuer) => certificate !== null && certificate.notAfter <= now()

  return {
    /**
     * The answer to a request that came before, if one is kept that is known to be true still: no promise, and the
     * request is not taken apart, for this is what nearly all requests get.
     * @param key as given to answer()
     */
    atHand(key: string): OcspAnswer | undefined {
      const kept = cache.find(key)
      return kept && isCurrent(kept.issuerId) ? fromCache(key) : undefined
    },
    /**
     * Answers an OCSP request (RFC 6960; the profile of RFC 5019 for what is cached). Never throws for what a client
     * sent: that is an OCSP error response.
     * @param key what stands for the request in the cache: its bytes as latin1, or the address that holds it
     */
    async answer(request: Buffer, key: string): Promise<OcspAnswer> {
      const kept = cache.find(key)
      if (kept) await lookForChanges(kept.issuerId)
      const cached = fromCache(key)
      if (cached) return cached
      const parsed = parse(request)
      if (!parsed) return failure('malformedRequest')
      const ids = await Promise.all(parsed.certIds.map(issuerOf))
      const [id] = ids
      // Not ours to speak for (RFC 5019, 2.2.3), or of several issuers, which one signature can't cover.
      if (id === undefined || ids.some((other) => other !== id)) return failure('unauthorized')
      const issuer = await lookForChanges(id)
      return issuer.keySource === 'outside' || hasEnded(issuer) ? failure('unauthorized') : signAndKeep(key, issuer, parsed)
    },
  }
}

/**
 * What was recorded but not yet stored nobody has: it is unknown like any number that was never given out. What came back
 * from the ledger somebody may well be using: after a restore its clients must not be turned away.
 */
function statusOf(row: IssuedState | undefined): OcspStatus {
  if (!row || (row.status === 'intended' && !row.reference.startsWith('ledger:'))) return 'unknown'
  if (row.revokedAt === null) return 'good'
  return { revokedAt: new Date(row.revokedAt), ...(row.revocationReason ? { reason: row.revocationReason } : {}) }
}
export type Ocsp = ReturnType<typeof createOcsp>
