export { createCsr, readCsr, maxCsrLength, type CsrFacts, type CsrRequest } from './csr.ts'
