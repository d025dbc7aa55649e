import { CertloopError, keyAlgorithms } from '@certloop/contract'
import type { Authority } from '../authority/authority.ts'
import type { Db, Tx } from '../database/database.ts'
import { issuerInSlot } from './issue.ts'
import type { Issuer } from './issuer.ts'
import type { LocalCa } from './local-ca.ts'
import { revocationAbilities } from './local-ca-abilities.ts'
import { listProfiles } from './profile-store.ts'
import { isForOrders, profileForOrders, reviewRequest, wishesOf } from './review-request.ts'

export interface LocalCaAuthorityOptions {
  /** Of the transaction under way, where there is one. */
  db: Db | Tx
  /** Profile of requests that name none. */
  profile: string
  now: () => Date
}

/** What the profile does not allow is refused, never left out unseen: as an authority says it. */
function asRefusal(error: unknown): unknown {
  if (!(error instanceof CertloopError) || error.code !== 'PROFILE_VIOLATION') return error
  return new CertloopError('AUTHORITY_REJECTED', `The built-in CA refused the request. ${error.message}`, error.facts, error)
}

/** @throws CertloopError ISSUER_NOT_READY, ISSUER_EXPIRED */
function signing(issuers: readonly Issuer[], now: Date): { name: string; notAfter: Date } {
  const { name, status, certificate } = issuerInSlot(issuers, 'intermediate')
  if (status !== 'active' || !certificate) throw new CertloopError('ISSUER_NOT_READY', `The issuer "${name}" can not sign: it is ${status}.`, { issuer: name })
  if (certificate.notAfter <= now) throw new CertloopError('ISSUER_EXPIRED', `The certificate of the issuer "${name}" ended on ${certificate.notAfter.toISOString().slice(0, 10)}.`, { issuer: name })
  return { name, notAfter: certificate.notAfter }
}

/** The built-in CA as one authority among others: issues server certificates for orders. */
export function localCaAuthority(localCa: LocalCa, { db, profile: usual, now }: LocalCaAuthorityOptions): Authority {
  return {
    kind: 'local-ca',
    keyAlgorithms,
    validationMethods: ['none'],
    certificateTypes: ['other'],
    review: (request) => reviewRequest(db, request.profile ?? usual, request, now()),
    async submit({ request = {}, profile, reference, csrPem, names, commonName, keyAlgorithm, validityDays }) {
      const { name } = await profileForOrders(db, profile ?? usual)
      try {
        const { chainPem } = await localCa.issue({ reference, csrPem, names, commonName, keyAlgorithm, validityDays, ...wishesOf(request), profile: name })
        return { state: 'issued', chainPem }
      } catch (error) {
        throw asRefusal(error)
      }
    },
    // It issues at once, or not at all.
    async proceed({ reference }) {
      const issued = await localCa.findByReference(reference)
      if (!issued) throw new CertloopError('ORDER_EXPIRED', 'The built-in CA knows nothing of this request.')
      return { state: 'issued', chainPem: issued.chainPem }
    },
    async find({ reference }) {
      const issued = await localCa.findByReference(reference)
      return issued ? { state: 'issued', chainPem: issued.chainPem } : undefined
    },
    async templates() {
      return (await listProfiles(db)).filter((each) => isForOrders(each)).map(({ name, rules }) => ({ name, description: `at most ${rules.maximumValidityDays} days` }))
    },
    async test({ step }) {
      const issuer = await step('Issuing certificate', async () => signing(await localCa.issuers(), now()), ({ name, notAfter }) => `"${name}" signs, until ${notAfter.toISOString().slice(0, 10)}.`)
      await step('Profile', () => profileForOrders(db, usual), ({ name, rules }) => `Requests that name no profile go by "${name}": at most ${rules.maximumValidityDays} days, and never beyond the end of "${issuer.name}".`)
    },
    ...revocationAbilities(localCa, db),
  }
}
