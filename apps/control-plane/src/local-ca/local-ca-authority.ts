import { keyAlgorithms } from '@certloop/contract'
import type { Authority } from '../authority/authority.ts'
import type { LocalCa } from './local-ca.ts'

/** The built-in CA as one authority among others: issues server certificates for orders. */
export function localCaAuthority(localCa: LocalCa): Authority {
  return {
    kind: 'local-ca',
    keyAlgorithms,
    validationMethods: ['none'],
    certificateTypes: ['other'],
    async issue(request) {
      const { chainPem } = await localCa.issue({ ...request, profile: 'server' })
      return { chainPem }
    },
    async find(reference) {
      const issued = await localCa.findByReference(reference)
      return issued ? { chainPem: issued.chainPem } : undefined
    },
  }
}
