import type { Encoding, MaterialPart, Step } from '@certloop/contract'
import type { FileFields } from './fields.ts'

/** One file of PEM, DER or PKCS#7. */
export interface PartOutput { path: string; part: MaterialPart; encoding: Encoding }
/** An entry of a keystore. */
export interface KeystoreOutput { path: string; format: 'pkcs12' | 'jks' }
export type Output = PartOutput | KeystoreOutput

export const isKeystore = (output: Output): output is KeystoreOutput => 'format' in output

/** The files of a target in the order in which they are replaced: the certificate last, as it is what programs watch. */
export function outputsOf(fields: FileFields): Output[] {
  const { format, certificatePath: path, keyPath, chainPath } = fields
  if (format === 'pkcs12' || format === 'jks') return [{ path, format }]
  if (format === 'bundle') return [{ path, part: fields.order ?? 'full-chain-and-key', encoding: 'pem' }]
  const key: Output[] = keyPath === undefined ? [] : [{ path: keyPath, part: 'key', encoding: format === 'der' ? 'der' : 'pem' }]
  if (format === 'pkcs7') return [...key, { path, part: 'full-chain', encoding: fields.encoding ?? 'pkcs7-pem' }]
  const chain: Output[] = chainPath === undefined ? [] : [{ path: chainPath, part: 'chain', encoding: 'pem' }]
  const certificate: Output = format === 'der' ? { path, part: 'certificate', encoding: 'der' } : { path, part: fields.certificateContent ?? 'full-chain', encoding: 'pem' }
  return [...key, ...chain, certificate]
}

export type FileStep = Extract<Step, { kind: 'write-file' | 'keystore-entry' }>
