export { certIdHashes, certIdOf, issuerHashes, responderKeyHash, type CertId, type CertIdHash, type IssuerHashes, type IssuerParts } from './cert-id.ts'
export { buildOcspRequest, readOcspRequest, type OcspRequest, type OcspRequestLimits, type OcspRequestTemplate } from './ocsp-request.ts'
export { buildOcspResponse, ocspError, ocspErrors, type OcspErrorStatus, type OcspResponseTemplate, type OcspStatus, type SingleOcspResponse } from './ocsp-response-builder.ts'
