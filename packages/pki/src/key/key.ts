import { createPublicKey, generateKeyPair, X509Certificate, type KeyObject } from 'node:crypto'
import { CertloopError, type KeyAlgorithm } from '@certloop/contract'
import { readCertificate } from '../certificate/certificate.ts'
import { openPlainKey } from './open-private-key.ts'
import { keyAlgorithmOfSpki, sha256Hex, spkiOfKey } from './spki.ts'

const encoding = { publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } } as const
const curves = { 'ec-256': 'P-256', 'ec-384': 'P-384', 'ec-521': 'P-521' } as const

/** A new private key, PKCS#8 PEM. Made in a worker thread of Node, so the event loop goes on. */
export function generateKey(algorithm: KeyAlgorithm): Promise<string> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, _publicKey: string, privateKey: string) => { if (error) reject(error); else resolve(privateKey) }
    switch (algorithm) {
      case 'rsa-2048': case 'rsa-3072': case 'rsa-4096':
        generateKeyPair('rsa', { modulusLength: Number(algorithm.slice(4)), ...encoding }, done)
        break
      case 'ec-256': case 'ec-384': case 'ec-521':
        generateKeyPair('ec', { namedCurve: curves[algorithm], ...encoding }, done)
        break
      case 'ed25519':
        generateKeyPair('ed25519', encoding, done)
        break
      case 'ml-dsa-44': case 'ml-dsa-65': case 'ml-dsa-87':
        generateKeyPair(algorithm, encoding, done)
        break
    }
  })
}

/**
 * Reads a private key that is not encrypted, without waiting; openPrivateKey reads the others as well.
 * @throws CertloopError KEY_INVALID
 */
export const readPrivateKey = (pem: string): KeyObject => openPlainKey(pem)

/** SHA-256 (hex) of the SubjectPublicKeyInfo that belongs to a private key. @throws CertloopError KEY_INVALID */
export const spkiDigestOfPrivateKey = (pem: string): string => sha256Hex(spkiOfKey(readPrivateKey(pem)))

/**
 * The algorithm of a key or certificate in PEM, in the words of KeyAlgorithm where it is one of them; others are
 * named alike ("rsa-1024", "ec-secp256k1", "ml-dsa-65") or by their dotted identifier.
 * @throws CertloopError KEY_INVALID, CERTIFICATE_INVALID
 */
export function keyAlgorithmOf(pem: string): string {
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return readCertificate(pem).keyAlgorithm
  if (pem.includes('PRIVATE KEY-----')) return keyAlgorithmOfSpki(spkiOfKey(readPrivateKey(pem)))
  try {
    return keyAlgorithmOfSpki(spkiOfKey(createPublicKey(pem)))
  } catch (error) {
    throw new CertloopError('KEY_INVALID', 'The text is neither a key nor a certificate.', {}, error)
  }
}

/** Whether a private key belongs to a certificate. @throws CertloopError KEY_INVALID, CERTIFICATE_INVALID */
export function keyMatchesCertificate(keyPem: string, certificatePem: string): boolean {
  const key = readPrivateKey(keyPem)
  const certificate = readCertificate(certificatePem)
  if (sha256Hex(spkiOfKey(key)) === certificate.spkiDigest) return true
  // The same key can be written in two ways (compressed points, missing NULL): let node compare the numbers.
  try {
    return new X509Certificate(certificate.pem).checkPrivateKey(key)
  } catch {
    return false // node can't read this certificate, and the digests differ
  }
}
