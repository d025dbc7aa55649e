import type { PolicyFacts, ValidationKind } from './certificate-facts.ts'

/** Reserved policy identifiers of the CA/Browser Forum, and the EV ones that root programs knew CAs by before those. */
const kinds: ReadonlyMap<string, ValidationKind> = new Map([
  ['2.23.140.1.1', 'EV'], ['2.23.140.1.2.1', 'DV'], ['2.23.140.1.2.2', 'OV'], ['2.23.140.1.2.3', 'IV'],
  ['2.16.840.1.114412.2.1', 'EV'], // DigiCert
  ['1.3.6.1.4.1.6449.1.2.1.5.1', 'EV'], // Sectigo
  ['1.3.6.1.4.1.4146.1.1', 'EV'], // GlobalSign
  ['2.16.840.1.114028.10.1.2', 'EV'], // Entrust
  ['2.16.840.1.114413.1.7.23.3', 'EV'], // GoDaddy
  ['2.16.840.1.114414.1.7.23.3', 'EV'], // Starfield
  ['1.3.6.1.4.1.34697.2.1', 'EV'], // AffirmTrust
  ['1.3.6.1.4.1.8024.0.2.100.1.2', 'EV'], // QuoVadis
  ['2.16.756.1.89.1.2.1.1', 'EV'], // SwissSign
  ['1.2.616.1.113527.2.5.1.1', 'EV'], // Certum
  ['2.16.840.1.113733.1.7.23.6', 'EV'], // VeriSign
])

/** The strictest first: a certificate may name several. */
const byStrictness: readonly ValidationKind[] = ['EV', 'OV', 'IV', 'DV']

export function validationKind(policies: readonly PolicyFacts[]): ValidationKind | null {
  if (policies.length === 0) return null
  const found = policies.map(({ oid }) => kinds.get(oid))
  return byStrictness.find((kind) => found.includes(kind)) ?? null
}
