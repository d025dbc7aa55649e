import { spawnSync } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KeyAlgorithm } from '@certloop/contract'
import { buildCertificate } from '../certificate/certificate-builder.ts'
import { authorityKeyIdentifier, basicConstraints, extendedKeyUsage, keyUsage, subjectKeyIdentifier } from '../certificate/extensions.ts'
import { generateKey } from '../key/key.ts'
import { keySigner, type Signer } from '../key/signature.ts'
import { keyIdOfSpki, spkiOfKey } from '../key/spki.ts'
import { nameOfCommonName } from '../name/distinguished-name.ts'
import { toPem } from '../pem.ts'

export interface TestAuthority {
  keyPem: string
  pem: string
  signer: Signer
  /** Name, DER. */
  subject: Buffer
  spki: Buffer
  keyId: Buffer
}

export const validFrom = new Date('2026-01-01T00:00:00Z')
const validTo = new Date('2065-01-01T00:00:00Z')

/** A self-signed CA made here, with any algorithm. */
export async function testAuthority(algorithm: KeyAlgorithm = 'ec-256', name = 'Example CA'): Promise<TestAuthority> {
  const keyPem = await generateKey(algorithm)
  const key = createPrivateKey(keyPem)
  const [subject, spki, signer] = [nameOfCommonName(name), spkiOfKey(key), keySigner(key)]
  const keyId = keyIdOfSpki(spki)
  const extensions = [basicConstraints(true), keyUsage(['keyCertSign', 'cRLSign', 'digitalSignature']), subjectKeyIdentifier(keyId), authorityKeyIdentifier(keyId)]
  const der = await buildCertificate({ serialNumber: '01', issuer: subject, subject, notBefore: validFrom, notAfter: validTo, spki, extensions }, signer)
  return { keyPem, pem: toPem('CERTIFICATE', der), signer, subject, spki, keyId }
}

export interface TestLeaf { pem: string; der: Buffer; keyPem: string; signer: Signer; spki: Buffer }
export interface LeafOptions { serialNumber: string; name?: string; purpose?: string; extensions?: readonly Uint8Array[]; notAfter?: Date }

/** A certificate of that CA. */
export async function testLeaf(authority: TestAuthority, { serialNumber, name = 'leaf', purpose = 'serverAuth', extensions = [], notAfter = validTo }: LeafOptions): Promise<TestLeaf> {
  const keyPem = await generateKey('ec-256')
  const key = createPrivateKey(keyPem)
  const spki = spkiOfKey(key)
  const der = await buildCertificate({
    serialNumber, issuer: authority.subject, subject: nameOfCommonName(name), notBefore: validFrom, notAfter, spki,
    extensions: [basicConstraints(false), keyUsage(['digitalSignature']), extendedKeyUsage(purpose), authorityKeyIdentifier(authority.keyId), ...extensions],
  }, authority.signer)
  return { pem: toPem('CERTIFICATE', der), der, keyPem, signer: keySigner(key), spki }
}

/** Runs a program to its end, whatever its exit code; what it printed on both outputs, one after the other. */
export function run(program: string, args: readonly string[], input: string | Buffer = ''): { code: number | null; text: string } {
  const { status, stdout, stderr, error } = spawnSync(program, args, { input, encoding: 'utf8', env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' }, maxBuffer: 1 << 28 })
  if (error) throw error
  return { code: status, text: stdout + stderr }
}

export interface IndexRow {
  /** Hex. */
  serialNumber: string
  /** As openssl writes it after the R: "260301000000Z,keyCompromise"; left out: valid. */
  revoked?: string
}

/** The database of `openssl ca` and `openssl ocsp`: rows with tabs between. */
export const opensslIndex = (rows: readonly IndexRow[]): string => rows.map(({ serialNumber, revoked }) =>
  `${revoked === undefined ? 'V' : 'R'}\t640101000000Z\t${revoked ?? ''}\t${serialNumber.toUpperCase()}\tunknown\t/CN=${serialNumber}\n`).join('')

/** Makes a CRL as `openssl ca -gencrl` does. @param extensions lines of a configuration file, further sections included */
export function opensslCrl(folder: string, authority: TestAuthority, rows: readonly IndexRow[], extensions = 'authorityKeyIdentifier=keyid'): Buffer {
  const at = (name: string) => join(folder, name)
  const files = {
    'index.txt': opensslIndex(rows), 'index.txt.attr': 'unique_subject = no\n', 'crlnumber': '0100\n', 'ca.key': authority.keyPem, 'ca.pem': authority.pem,
    'ca.cnf': `[ca]\ndefault_ca=it\n[it]\ndatabase=${at('index.txt')}\ncrlnumber=${at('crlnumber')}\ndefault_md=default\ncrl_extensions=lists\ndefault_crl_days=30\n[lists]\n${extensions}\n`,
  }
  for (const [name, content] of Object.entries(files)) writeFileSync(at(name), content)
  const made = run('openssl', ['ca', '-gencrl', '-config', at('ca.cnf'), '-cert', at('ca.pem'), '-keyfile', at('ca.key'), '-crl_lastupdate', '20261101000000Z', '-crl_nextupdate', '20261201000000Z', '-out', at('made.pem')])
  if (made.code !== 0) throw new Error(made.text)
  return readFileSync(at('made.pem'))
}
