import { createPublicKey, randomBytes, sign, verify } from 'node:crypto'
import {
  authorityInformationAccess, authorityKeyIdentifier, basicConstraints, buildCertificate, certificatePolicies, createCsr, crlDistributionPoints, extendedKeyUsage, generateKey,
  keyIdOfSpki, keySigner, keyUsage, nameOfCommonName, readCsr, readPrivateKey, serialHex, spkiOfKey, subjectAltName, subjectKeyIdentifier,
} from '@certloop/pki'
import { atLeast, sideBySide, type Line } from './side-by-side.ts'

type Request = Pick<ReturnType<typeof readCsr>, 'names' | 'publicKeySpki'>

/** Everything that an issuer does anew for each leaf: serial number, identifiers, extensions, signature. */
async function issuer() {
  const key = readPrivateKey(await generateKey('ec-256'))
  const signer = keySigner(key)
  const name = nameOfCommonName('Benchmark Intermediate E1')
  const fixed = {
    usage: keyUsage(['digitalSignature']), purposes: extendedKeyUsage('serverAuth'), constraints: basicConstraints(false), issuer: authorityKeyIdentifier(keyIdOfSpki(spkiOfKey(key))),
    access: authorityInformationAccess({ ocsp: ['http://ocsp.example'], issuers: ['http://ca.example/e1.cer'] }), policies: certificatePolicies(['2.23.140.1.2.1']), list: crlDistributionPoints(['http://crl.example/e1/17.crl']),
  }
  const issue = ({ names, publicKeySpki }: Request, now: Date): Promise<Buffer> => buildCertificate({
    serialNumber: serialHex(randomBytes(16)), issuer: name, subject: nameOfCommonName(null), spki: publicKeySpki, notBefore: now, notAfter: new Date(now.getTime() + 47 * 86_400_000 - 1000),
    extensions: [
      fixed.usage, fixed.purposes, fixed.constraints, subjectKeyIdentifier(keyIdOfSpki(publicKeySpki)), fixed.issuer, fixed.access, subjectAltName(names, true), fixed.policies, fixed.list,
    ],
  }, signer)
  return { key, issue }
}

/**
 * One leaf in process: from a request read before, and from the PEM text of a request whose signature is checked. What
 * no issuer can do without in the second case (a key made of the request, its signature checked, the leaf signed) is
 * measured as well, since together it takes longer than four bare signatures.
 */
export async function measureIssuing(): Promise<Line[]> {
  const { key, issue } = await issuer()
  const csrPem = await createCsr({ privateKeyPem: await generateKey('ec-256'), commonName: null, names: ['shop.example.com', 'www.shop.example.com'] })
  const request = readCsr(csrPem)
  const now = new Date('2026-11-21T12:00:00Z')
  const toSign = randomBytes(700)
  const subjectKey = readPrivateKey(await generateKey('ec-256'))
  const subjectSpki = spkiOfKey(subjectKey)
  const subjectSignature = sign('sha256', toSign, subjectKey)
  const needed = () => {
    verify('sha256', toSign, createPublicKey({ key: subjectSpki, format: 'der', type: 'spki' }), subjectSignature)
    sign('sha256', toSign, key)
  }
  const micros = await sideBySide({
    text: async () => issue(readCsr(csrPem), now), needed, ready: async () => issue(request, now), bare: () => sign('sha256', toSign, key), check: () => readCsr(csrPem),
  }, { rounds: 30, times: 150 })
  const line = (name: string, time: number, note: string): Line => atLeast(0.25, { name, unit: 'per second', measured: 1e6 / time, peer: { name: 'crypto.sign', value: 1e6 / micros.bare }, note })
  return [
    line('a P-256 leaf from a request read before', micros.ready, `${micros.ready.toFixed(0)} µs for a leaf, of which ${micros.bare.toFixed(0)} µs are the bare signature.`),
    line('a P-256 leaf from the PEM text of a request', micros.text, `${micros.text.toFixed(0)} µs for a leaf, of which ${micros.check.toFixed(0)} µs read the request and check its signature. Checking and signing alone have a ratio of ${(micros.bare / micros.needed).toFixed(2)}.`),
    atLeast(0.5, { name: 'the same beside what can not be left out', unit: 'per second', measured: 1e6 / micros.text, peer: { name: 'createPublicKey, verify and sign', value: 1e6 / micros.needed } }),
  ]
}
