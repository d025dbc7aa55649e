import { rule, type FindingRule } from './finding-rule.ts'
import type { CertificateFacts } from './certificate-facts.ts'

const brokenHashes = new Set(['md2', 'md4', 'md5'])
const isRsa = ({ key }: CertificateFacts): boolean => key.kind === 'rsa' || key.kind === 'rsa-pss'
const bits = ({ key }: CertificateFacts): number => key.bits ?? Number.POSITIVE_INFINITY
const usualExponent = 65_537
const exponent = ({ key }: CertificateFacts): number => Number(key.exponent ?? usualExponent)
const enciphering = ['keyEncipherment', 'dataEncipherment'] as const

/** What is said about keys and signatures from their sizes and algorithms alone. */
export const keyRules: readonly FindingRule[] = [
  rule('signature-broken', 'error', ({ signature, isSelfIssued }) => brokenHashes.has(signature.hash ?? '') && !isSelfIssued, 'The signature uses a digest that anybody can forge. Have the certificate issued anew.'),
  rule('signature-broken', 'notice', ({ signature, isSelfIssued }) => brokenHashes.has(signature.hash ?? '') && isSelfIssued, 'The certificate is signed by itself with a digest that is broken; as a trust anchor its signature does not matter.'),
  rule('signature-weak', 'error', ({ signature, isSelfIssued }) => signature.hash === 'sha1' && !isSelfIssued, 'The signature uses SHA-1; browsers and current servers refuse it. Have the certificate issued anew.'),
  rule('signature-weak', 'notice', ({ signature, isSelfIssued }) => signature.hash === 'sha1' && isSelfIssued, 'The certificate is signed by itself with SHA-1; as a trust anchor its signature does not matter.'),
  rule('signature-unknown', 'warning', ({ signature }) => /^[\d.]+$/.test(signature.name), 'The signature algorithm is not known here.'),
  rule('pss-digests-differ', 'notice', ({ signature }) => signature.pss !== null && signature.pss.hash !== signature.pss.mgfHash, 'The signature uses two different digests for RSASSA-PSS; some programs can not check it.'),
  rule('key-broken', 'error', (facts) => isRsa(facts) && bits(facts) < 1024, 'The RSA key is so short that anybody with a computer can find the private key. Make a new key now.'),
  rule('key-small', 'error', (facts) => isRsa(facts) && bits(facts) >= 1024 && bits(facts) < 2048, 'The RSA key is shorter than 2048 bits; browsers and current servers refuse it. Make a new key.'),
  rule('key-small', 'error', (facts) => facts.key.kind === 'ec' && bits(facts) < 224, 'The elliptic curve is too small to be safe. Make a new key.'),
  rule('key-curve-unusual', 'warning', ({ key }) => key.kind === 'ec' && !['P-256', 'P-384', 'P-521'].includes(key.curve ?? ''), 'The key is on a curve that browsers do not know.'),
  rule('key-old-kind', 'warning', ({ key }) => key.kind === 'dsa', 'The key is a DSA key; browsers and current servers refuse it.'),
  rule('key-unknown', 'warning', ({ key }) => /^[\d.]+$/.test(key.kind), 'The kind of the key is not known here.'),
  rule('exponent-broken', 'error', (facts) => isRsa(facts) && (exponent(facts) < 3 || exponent(facts) % 2 === 0), 'The RSA exponent protects nothing. Make a new key now.'),
  rule('exponent-small', 'warning', (facts) => isRsa(facts) && exponent(facts) >= 3 && exponent(facts) < usualExponent && exponent(facts) % 2 === 1, 'The RSA exponent is smaller than 65537, which has helped attacks before.'),
  rule('key-usage-unfit', 'warning', (facts) => !isRsa(facts) && enciphering.some((usage) => facts.keyUsage?.usages.includes(usage)), 'The key usage names encipherment, which only RSA keys can do; public CAs may not put it in.'),
]
