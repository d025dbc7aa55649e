import { CertloopError } from '@certloop/contract'
import type { Issuer } from './issuer.ts'
import { completeIssuer, makeIssuer, type IssuerMakingDeps } from './issuer-making.ts'
import { listIssuers } from './issuer-store.ts'

const rootDays = 3652
const intermediateDays = 1826

/**
 * Makes root (ECDSA P-384, 10 years) and intermediate (P-256, 5 years) unless they are there, and finishes issuers
 * that a crash left half made. Several replicas that start at once make one pair: the slots are unique.
 */
export async function ensureHierarchy(deps: IssuerMakingDeps): Promise<void> {
  const bySlot = async (slot: Issuer['slot']) => (await listIssuers(deps.database.db)).find((issuer) => issuer.slot === slot)
  const root = await bySlot('root') ?? await makeIssuer(deps, {
    name: 'Certloop Root CA', commonName: 'Certloop Root CA', appendKeyId: true, keyAlgorithm: 'ec-384', signedBy: 'self', validityDays: rootDays, slot: 'root',
  })
  const ready = await completeIssuer(deps, root.id)
  if (!await bySlot('intermediate')) {
    await makeIssuer(deps, {
      name: 'Certloop Issuing CA', commonName: 'Certloop Issuing CA', appendKeyId: true, keyAlgorithm: 'ec-256', signedBy: ready.id, validityDays: intermediateDays, slot: 'intermediate', settings: { pathLength: 0 },
    })
  }
  for (const { id, name, slot } of await listIssuers(deps.database.db)) {
    try {
      await completeIssuer(deps, id)
    } catch (error) {
      // One whose token is away, say, waits for the next start; the others do not wait for it.
      if (slot !== null || !(error instanceof CertloopError)) throw error
      deps.log('warn', 'an issuer could not be finished and waits for the next start', { issuer: name, code: error.code, reason: error.message })
    }
  }
}
