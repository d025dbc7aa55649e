import { createPublicKey, randomBytes } from 'node:crypto'
import {
  authorityInformationAccess, authorityKeyIdentifier, basicConstraints, buildCertificate, certificatePolicies, crlDistributionPoints, extendedKeyUsage, extension,
  generateKey, keyIdOfSpki, keySigner, keyUsage, nameOfCommonName, readPrivateKey, spkiOfKey, subjectAltName, subjectKeyIdentifier,
} from '@certloop/pki'

/** Extension with two SCTs (RFC 6962, 3.3) of real sizes; no log signed them. */
function timestamps(): Buffer {
  const one = () => Buffer.concat([Buffer.of(0), randomBytes(32), Buffer.from('0000019a00000000', 'hex'), Buffer.of(0, 0, 4, 3, 0, 71), randomBytes(71)])
  const list = Buffer.concat([one(), one()].flatMap((sct) => [Buffer.of(sct.length >> 8, sct.length & 0xff), sct]))
  const body = Buffer.concat([Buffer.of(list.length >> 8, list.length & 0xff), list])
  return extension('1.3.6.1.4.1.11129.2.4.2', false, Buffer.concat([Buffer.of(0x04, 0x81, body.length), body]))
}

/** Leaves with all that a public CA puts in: DV policy, AIA, CRL address, two SCTs, one to eight names; keys in turn P-256 and RSA 2048. */
export async function publicStyleLeaves(count: number): Promise<Buffer[]> {
  const issuer = readPrivateKey(await generateKey('ec-256'))
  const keys = await Promise.all(['ec-256', 'rsa-2048'].map(async (algorithm) => spkiOfKey(createPublicKey(await generateKey(algorithm as 'ec-256')))))
  const signer = keySigner(issuer)
  const issuerId = keyIdOfSpki(spkiOfKey(issuer))
  const made: Buffer[] = []
  for (let i = 0; i < count; i++) {
    const spki = keys[i % 2] ?? Buffer.alloc(0)
    const names = Array.from({ length: 1 + (i % 8) }, (_, n) => `www${n}.shop-${i}.example.com`)
    made.push(await buildCertificate({
      serialNumber: `4${randomBytes(16).toString('hex').slice(1)}`, issuer: nameOfCommonName('Benchmark Intermediate E1'), subject: nameOfCommonName(names[0] ?? null), spki,
      notBefore: new Date('2026-03-20T00:00:00Z'), notAfter: new Date('2026-06-17T23:59:59Z'),
      extensions: [
        keyUsage(i % 2 === 0 ? ['digitalSignature'] : ['digitalSignature', 'keyEncipherment']), extendedKeyUsage('serverAuth'), basicConstraints(false),
        subjectKeyIdentifier(keyIdOfSpki(spki)), authorityKeyIdentifier(issuerId), authorityInformationAccess({ ocsp: ['http://ocsp.example'], issuers: ['http://ca.example/e1.cer'] }),
        subjectAltName(names, false), certificatePolicies(['2.23.140.1.2.1']), crlDistributionPoints(['http://crl.example/e1/17.crl']), timestamps(),
      ],
    }, signer))
  }
  return made
}
