import { createPublicKey, randomBytes } from 'node:crypto'
import { basicConstraints, buildCertificate, extendedKeyUsage, generateKey, keySigner, nameOfCommonName, readPrivateKey, spkiOfKey, subjectAltName, toPem } from '../../packages/pki/src/index.ts'

const dayMs = 86_400_000

/** A key and a certificate signed by itself, 30 days old and good for 60 more: what an administrator once made by hand. */
export async function makeOldCertificate(names: readonly string[]): Promise<{ certPem: string; keyPem: string }> {
  const keyPem = await generateKey('ec-256')
  const name = nameOfCommonName(names[0] ?? null)
  const thisSecond = Math.floor(Date.now() / 1000) * 1000
  const der = await buildCertificate({
    serialNumber: `4${randomBytes(15).toString('hex')}`, issuer: name, subject: name, spki: spkiOfKey(createPublicKey(keyPem)),
    notBefore: new Date(thisSecond - 30 * dayMs), notAfter: new Date(thisSecond + 60 * dayMs),
    extensions: [basicConstraints(false), extendedKeyUsage('serverAuth'), subjectAltName(names, false)],
  }, keySigner(readPrivateKey(keyPem)))
  return { certPem: toPem('CERTIFICATE', der), keyPem }
}
