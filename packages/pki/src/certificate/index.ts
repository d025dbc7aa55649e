export { certificateParts, readCertificate, readCertificates, type CertificateFacts, type CertificateParts } from './certificate.ts'
export * from './certificate-builder.ts'
export * from './extensions.ts'
