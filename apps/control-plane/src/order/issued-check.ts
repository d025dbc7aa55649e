import { CertloopError, subjectPartsOf } from '@certloop/contract'
import { orderChain, readCertificate, readCsr, type CertificateFacts } from '@certloop/pki'
import { requestOf, wantedNames, type OrderRow } from './order-store.ts'

/** What was asked for besides names and key, and the certificate has not. An authority may add usages of its own. */
function lackOf(order: OrderRow, leaf: CertificateFacts): string | undefined {
  const { subject = {}, keyUsages = [], extendedKeyUsages = [], mustStaple = false } = requestOf(order)
  const parts = subjectPartsOf(subject).filter(({ type, value }) => !leaf.subjectFields.some((field) => field.type === type && field.value === value))
  if (parts.length > 0) return `lacks ${parts.map(({ type, value }) => `${type}=${value}`).join(', ')} in its subject`
  const usages = [...keyUsages.filter((usage) => !leaf.keyUsage?.usages.some((has) => has === usage)), ...extendedKeyUsages.filter((usage) => !leaf.extendedKeyUsage?.usages.includes(usage))]
  if (usages.length > 0) return `lacks the usages ${usages.join(', ')}`
  return mustStaple && !leaf.mustStaple ? 'lacks must-staple' : undefined
}

const wrong = (what: string, cause?: unknown) => new CertloopError('ISSUED_CERTIFICATE_WRONG', `The issued certificate ${what}.`, {}, cause)

function readChain(chainPem: readonly string[]): CertificateFacts[] {
  try {
    return orderChain(chainPem.map((pem) => readCertificate(pem)))
  } catch (error) {
    throw wrong(`can not be read: ${error instanceof Error ? error.message : String(error)}`, error)
  }
}

/** The issued certificate must be what was ordered, with the key of the CSR. @throws CertloopError ISSUED_CERTIFICATE_WRONG */
export function checkIssued(order: OrderRow, chainPem: readonly string[]): CertificateFacts[] {
  const chain = readChain(chainPem)
  const [leaf] = chain
  if (!leaf || !order.csrPem) throw wrong('is missing')
  if (leaf.spkiDigest !== readCsr(order.csrPem).spkiDigest) throw wrong('has another key than the CSR')
  const missing = wantedNames(order).filter((name) => !leaf.names.includes(name))
  if (missing.length > 0) throw wrong(`lacks the names ${missing.join(', ')}`)
  const lack = lackOf(order, leaf)
  if (lack) throw wrong(lack)
  return chain
}

/** The columns of a version that are read from the certificate itself. */
export function versionColumns(leaf: CertificateFacts) {
  const { fingerprint, serialNumber, subject, issuer, names, keyAlgorithm, signatureAlgorithm, spkiDigest } = leaf
  return { fingerprint, serialNumber, subject, issuer, names, keyAlgorithm, signatureAlgorithm, spkiDigest, notBefore: leaf.notBefore.toISOString(), notAfter: leaf.notAfter.toISOString() }
}
