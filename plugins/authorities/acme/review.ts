import { isIP } from 'node:net'
import { addressGuard, type Reviewed, type ReviewedRequest } from '@certloop/plugin-kit'
import type { AcmeFields } from './fields.ts'

/** Names that nobody on the internet can own (RFC 6761, RFC 6762, RFC 7686, RFC 8375 and ICANN's "internal"). */
const privateEnd = /(^|\.)(local|localhost|internal|test|invalid|example|onion|home\.arpa)$/

const publicAddresses = addressGuard([])
const isOfInternet = (name: string) => (isIP(name) === 0 ? name.includes('.') && !privateEnd.test(name) : publicAddresses.allows(name))

/** What can be said of a request without asking. */
export function reviewRequest({ fields, isPublic }: { fields: AcmeFields; isPublic: boolean }, { names, validityDays, request = {} }: ReviewedRequest): Reviewed {
  const refused = isPublic ? names.filter((name) => !isOfInternet(name)).map((name) => ({ field: 'csr/names', problem: `"${name}" is no name or address of the internet; a public authority does not issue for it` })) : []
  const subject = Object.keys(request.subject ?? {})
  return {
    refused,
    otherwise: [
      ...(validityDays !== null && !fields.requestNotAfter ? [{ field: 'csr/validityDays', problem: 'the authority decides how long the certificate is valid; it is not asked for these days' }] : []),
      ...(subject.length > 0 ? [{ field: 'csr/subject', problem: 'ACME authorities that check names alone leave the parts of the subject out' }] : []),
    ],
  }
}
