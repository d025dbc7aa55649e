import { CertloopError } from '@certloop/contract'
import { certificateBlocks, type Host, type KeystoreFile, keystoreKey, readKeystoreFile } from '@certloop/plugin-kit'
import { readPkcs7, recognise, toPem } from '@certloop/pki'
import path from 'node:path'
import { type LinkedFile, readLinked } from '../pem-files/linked-file.ts'
import type { FileFields } from './fields.ts'
import { isKeystore, type Output, outputsOf } from './outputs.ts'

/** A file of a target as it is now. */
export interface PresentFile { output: Output; file: LinkedFile; folder: string }

// Not 'openssh-key': no TLS program reads one, and host keys of sshd are such files.
const certificateForms = ['pem', 'base64', 'der-certificate', 'der-key', 'der-encrypted-key', 'pkcs7', 'pkcs12', 'jks', 'jceks']

/**
 * Reads what is there. Nothing but certificates, keys and keystores is ever overwritten: whoever edits a target is not
 * an administrator of its host.
 * @param at where a path of a field really lies
 * @throws CertloopError FOLDER_MISSING, PLAN_FAILED
 */
export async function readPresent(host: Host, fields: FileFields, at: (path: string) => Promise<string>): Promise<PresentFile[]> {
  return Promise.all(outputsOf(fields).map(async (output) => {
    const file = await readLinked(host, await at(output.path))
    const folder = path.posix.dirname(file.realPath)
    const facts = await host.stat(folder)
    if (facts?.type !== 'directory') throw new CertloopError('FOLDER_MISSING', `The folder ${folder} is not there, so ${output.path} can not be written. Make it, with the rights that the reading program needs.`, { path: folder })
    checkReplaceable(output, file)
    return { output, file, folder }
  }))
}

function checkReplaceable(output: Output, { path: file, content }: LinkedFile): void {
  if (content === undefined || content.length === 0) return
  const form = recognise(content)
  if (!certificateForms.includes(form) || (form === 'pem' && !/-----BEGIN [A-Z0-9 ]*(?:CERTIFICATE|PRIVATE KEY|PKCS7|PARAMETERS)-----/.test(Buffer.from(content).toString('latin1')))) {
    throw new CertloopError('PLAN_FAILED', `${file} holds neither a certificate nor a key of TLS, so it is not overwritten. Choose another file, or remove this one.`, { path: file })
  }
  if (isKeystore(output) !== ['pkcs12', 'jks', 'jceks'].includes(form)) {
    throw new CertloopError('PLAN_FAILED', `${file} is ${isKeystore(output) ? 'no keystore' : 'a keystore'} (${form}), and the target asks for another format. Choose another file, or remove this one.`, { path: file })
  }
}

/**
 * Leaf and chain as installed, PEM; null when the file is not there.
 * @throws CertloopError KEYSTORE_PASSWORD_WRONG, KEYSTORE_UNREADABLE, ALIAS_NOT_FOUND; KEYSTORE_INVALID for damaged PKCS#7
 */
export async function installedPem(present: readonly PresentFile[], fields: FileFields): Promise<string | null> {
  const main = present.find(({ output }) => output.path === fields.certificatePath)
  if (main?.file.content === undefined) return null
  const { output, file: { content } } = main
  if (isKeystore(output)) return keystorePem(main, fields)
  if (output.encoding === 'der') return toPem('CERTIFICATE', Buffer.from(content))
  if (output.encoding !== 'pem') return readPkcs7(content).certificates.map((der) => toPem('CERTIFICATE', der)).join('')
  const chain = present.find((one) => one.output.path === fields.chainPath)?.file.content
  return textOfCertificates(content) + textOfCertificates(chain ?? new Uint8Array())
}

const textOfCertificates = (content: Uint8Array) => certificateBlocks(Buffer.from(content).toString('latin1'))

async function keystorePem(present: PresentFile, fields: FileFields): Promise<string | null> {
  const store = await openStore(present, fields)
  if (store === undefined) return null
  const alias = aliasFor(store, present, fields)
  return keystoreKey(store, alias, present.file.path).chainPem.join('')
}

/** The keystore of a target; undefined when it is still to be made. @throws CertloopError KEYSTORE_PASSWORD_WRONG, KEYSTORE_UNREADABLE */
export async function openStore({ file }: PresentFile, { keystorePassword, keyPassword }: FileFields): Promise<KeystoreFile | undefined> {
  if (keystorePassword === undefined) throw new CertloopError('KEYSTORE_PASSWORD_WRONG', `The target has no password for the keystore ${file.path}.`, { path: file.path })
  return file.content === undefined ? undefined : readKeystoreFile(file.content, keystorePassword, { path: file.path, keyPassword })
}

/** The alias that the fields name, else the only key that there is. @throws CertloopError ALIAS_NOT_FOUND when there are several */
export function aliasFor(store: KeystoreFile | undefined, { file }: PresentFile, { alias }: FileFields): string {
  if (alias !== undefined) return alias
  const keys = (store?.entries ?? []).flatMap((entry) => (entry.kind.endsWith('key') && entry.alias !== null ? [entry.alias] : []))
  if (keys.length > 1) throw new CertloopError('ALIAS_NOT_FOUND', `${file.path} has several keys (${keys.join(', ')}), and the target names none of them.`, { path: file.path, aliases: keys })
  return keys[0] ?? 'server'
}
