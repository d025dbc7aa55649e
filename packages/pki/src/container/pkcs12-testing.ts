import { createHash, createPrivateKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import type { KeyAlgorithm } from '@certloop/contract'
import { buildCertificate } from '../certificate/certificate-builder.ts'
import { basicConstraints, keyUsage, subjectAltName, subjectKeyIdentifier, authorityKeyIdentifier } from '../certificate/extensions.ts'
import { objectIdentifier, sequence, setOf, utf8String } from '../der/der-writer.ts'
import { generateKey } from '../key/key.ts'
import { keySigner } from '../key/signature.ts'
import { keyIdOfSpki, spkiOfKey } from '../key/spki.ts'
import { oid } from '../oids.ts'

/** A certificate made for tests, with its key. */
export interface Identity { key: KeyObject; privateKey: Buffer; certificate: Buffer; name: Buffer }

const nameOf = (commonName: string): Buffer => sequence(setOf(sequence(objectIdentifier(oid.commonName), utf8String(commonName))))
const pkcs8 = (key: KeyObject): Buffer => key.export({ type: 'pkcs8', format: 'der' })
const [notBefore, notAfter] = [new Date('2020-01-01T00:00:00Z'), new Date('2049-01-01T00:00:00Z')]

async function issue(commonName: string, key: KeyObject, issuer: Identity | undefined, isCa: boolean): Promise<Identity> {
  const spki = spkiOfKey(key)
  const name = nameOf(commonName)
  const certificate = await buildCertificate({
    serialNumber: createHash('sha1').update(commonName).update(randomBytes(8)).digest('hex').replace(/^../, '4a'),
    issuer: issuer?.name ?? name, subject: name, notBefore, notAfter, spki,
    extensions: [
      basicConstraints(isCa), keyUsage(isCa ? ['keyCertSign', 'cRLSign'] : ['digitalSignature']), subjectKeyIdentifier(keyIdOfSpki(spki)),
      authorityKeyIdentifier(keyIdOfSpki(issuer ? spkiOfKey(issuer.key) : spki)), ...(isCa ? [] : [subjectAltName(['www.example.com'], false)]),
    ],
  }, keySigner(issuer?.key ?? key))
  return { key, privateKey: pkcs8(key), certificate, name }
}

/** A root and an intermediate of P-256. */
export async function testHierarchy(): Promise<{ root: Identity; intermediate: Identity }> {
  const ecKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const root = await issue('Test Root', ecKey(), undefined, true)
  return { root, intermediate: await issue('Test Intermediate', ecKey(), root, true) }
}

/** An end entity with a new key. */
export const testLeaf = async (algorithm: KeyAlgorithm, issuer: Identity, commonName = `leaf ${algorithm}`): Promise<Identity> =>
  issue(commonName, createPrivateKey(await generateKey(algorithm)), issuer, false)
