export { certificateParts, readCertificate, readCertificates, readCertificatesFrom, type CertificateFound, type CertificateLimits, type CertificateParts } from './certificate.ts'
export type * from './certificate-facts.ts'
export * from './certificate-builder.ts'
export * from './extensions.ts'
