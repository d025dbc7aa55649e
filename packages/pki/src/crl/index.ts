export { buildCrl, reasonFlags, type CrlTemplate, type IssuingDistributionPoint, type ReasonFlag } from './crl-builder.ts'
export type { CrlEntry } from './crl-entry-writer.ts'
export { revocationReasons, type RevocationReason } from './revocation-reason.ts'
