import { createHash, X509Certificate } from 'node:crypto'
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { requireTool } from './tools.ts'

const run = promisify(execFile)

const keyArguments = {
  rsa: ['-newkey', 'rsa:2048'],
  'weak-rsa': ['-newkey', 'rsa:1024'],
  ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
} as const

export interface TestPair {
  certPem: string
  keyPem: string
  /** SHA-256 of the certificate, lower-case hex. */
  fingerprint: string
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  spkiDigest: string
  keyType: 'rsa' | 'ec'
}

/**
 * A new key and a certificate for these names, valid for 30 days, signed by itself; made with OpenSSL.
 * weak-rsa: 1024 bits, which servers with OpenSSL at its usual security level refuse to load.
 */
export async function selfSignedPair(names: readonly string[], kind: keyof typeof keyArguments = 'ec'): Promise<TestPair> {
  const alternativeNames = names.map((name) => `${isIP(name) === 0 ? 'DNS' : 'IP'}:${name}`).join(',')
  const { stdout } = await run(requireTool('openssl'), [
    'req', '-x509', ...keyArguments[kind], '-nodes', '-days', '30', '-sha256',
    '-subj', `/CN=${names[0] ?? 'test'}`, '-addext', `subjectAltName=${alternativeNames}`, '-keyout', '-', '-out', '-',
  ])
  const [keyPem, certPem] = ['PRIVATE KEY', 'CERTIFICATE'].map((label) => new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----\n`).exec(stdout)?.[0])
  if (!keyPem || !certPem) throw new Error(`openssl req gave something else than a key and a certificate:\n${stdout}`)
  const certificate = new X509Certificate(certPem)
  return {
    certPem, keyPem, keyType: kind === 'ec' ? 'ec' : 'rsa',
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    spkiDigest: createHash('sha256').update(certificate.publicKey.export({ type: 'spki', format: 'der' })).digest('hex'),
  }
}

/** Writes a pair as `<name>.crt` (0644) and `<name>.key` (0600) into a folder. */
export async function writePair(folder: string, name: string, pair: TestPair): Promise<TestPair & { certPath: string; keyPath: string }> {
  const [certPath, keyPath] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)]
  await writeFile(certPath, pair.certPem, { mode: 0o644 })
  await writeFile(keyPath, pair.keyPem, { mode: 0o600 })
  return { ...pair, certPath, keyPath }
}
