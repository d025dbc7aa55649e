import type { CertloopError, ErrorCode } from '@certloop/contract'

/** Errors of work that tell of the authority as a whole rather than of one request. */
const ofTheAuthority: ReadonlySet<ErrorCode> = new Set(['AUTHORITY_UNREACHABLE', 'AUTHORITY_NOT_TRUSTED', 'AUTHORITY_ACCOUNT_REFUSED', 'AUTHORITY_TERMS_NOT_AGREED', 'AUTHORITY_ANSWER_INVALID', 'ADDRESS_NOT_ALLOWED', 'ISSUER_EXPIRED', 'ISSUER_NOT_READY'])
export const tellsOfTheAuthority = ({ code }: Pick<CertloopError, 'code'>): boolean => ofTheAuthority.has(code)
