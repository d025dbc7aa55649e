/** Reasons of a revocation by name, with the numbers of CRLReason (RFC 5280, 5.3.1). 7 is not used. */
export const revocationReasons = {
  unspecified: 0, keyCompromise: 1, cACompromise: 2, affiliationChanged: 3, superseded: 4, cessationOfOperation: 5, certificateHold: 6,
  removeFromCRL: 8, privilegeWithdrawn: 9, aACompromise: 10,
} as const
export type RevocationReason = keyof typeof revocationReasons

const names = new Map<number | undefined, RevocationReason>(Object.entries(revocationReasons).map(([name, number]) => [number, name as RevocationReason]))

/** The name of a CRLReason; undefined for a number that has none. */
export const reasonOfNumber = (number: number | undefined): RevocationReason | undefined => names.get(number)
