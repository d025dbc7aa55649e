import { randomBytes } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { acmeIdentifier, basicConstraints, buildCertificate, generateKey, ipBytes, keySigner, nameOfCommonName, readPrivateKey, spkiOfKey, subjectAltName, toPem } from '@certloop/pki'

export interface AlpnName { type: 'dns' | 'ip'; name: string }

const hourMs = 3_600_000

/**
 * The certificate that answers a TLS-ALPN validation (RFC 8737, 3; RFC 8738 for addresses): signed by itself, one name
 * alone, and the digest of the key authorization. Its key is made for it and lives in memory.
 * @param digest hex
 */
export async function alpnCertificate({ name, digest }: AlpnName & { digest: string }, now: Date): Promise<{ key: string; cert: string }> {
  const key = await generateKey('ec-256')
  const [privateKey, own] = [readPrivateKey(key), nameOfCommonName('ACME validation')]
  const der = await buildCertificate({
    // A positive number whatever the bytes.
    serialNumber: `01${randomBytes(15).toString('hex')}`,
    issuer: own, subject: own, spki: spkiOfKey(privateKey),
    // Clocks differ; the authority need not look at the time at all.
    notBefore: new Date(now.getTime() - 24 * hourMs), notAfter: new Date(now.getTime() + 7 * 24 * hourMs),
    extensions: [basicConstraints(false), subjectAltName([name], false), acmeIdentifier(Buffer.from(digest, 'hex'))],
  }, keySigner(privateKey))
  return { key, cert: toPem('CERTIFICATE', der) }
}

/** What the authority asks for by SNI: the name itself, or of an address its name for reverse look-ups (RFC 8738, 6). @throws CertloopError INPUT_INVALID */
export function serverNameFor({ type, name }: AlpnName): string {
  if (type === 'dns') return name.toLowerCase()
  const bytes = ipBytes(name)
  if (!bytes) throw new CertloopError('INPUT_INVALID', `${name} is no IP address.`, { fields: ['proof.name: has to be an IP address'] })
  if (bytes.length === 4) return `${[...bytes].toReversed().join('.')}.in-addr.arpa`
  return `${[...bytes.toString('hex')].toReversed().join('.')}.ip6.arpa`
}
