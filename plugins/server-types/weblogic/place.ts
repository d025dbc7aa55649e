import { CertloopError } from '@certloop/contract'
import { readCertificate, readJks, recognise, toPem } from '@certloop/pki'
import { type Host, keystoreError, placeOfAlias, readKeystoreFile } from '@certloop/plugin-kit'
import { type HeldKey, heldKeyOf, openKeystore, type OpenKeystore } from '../shared/keystore/keystore-place.ts'
import type { WeblogicFields } from './driver.ts'

type Given = Pick<WeblogicFields, 'keystorePath' | 'alias' | 'keystorePassword' | 'keyPassword'>

const limitBytes = 20_000_000

/**
 * The keystore with the entry that is to be replaced.
 * @throws CertloopError KEYSTORE_PASSWORD_WRONG, also when none is given, ALIAS_NOT_FOUND, and those of openKeystore
 */
export async function openEntry(host: Host, { keystorePath, alias, keystorePassword, keyPassword }: Given): Promise<{ keystore: OpenKeystore; key: HeldKey }> {
  if (keystorePassword === undefined) throw new CertloopError('KEYSTORE_PASSWORD_WRONG', `The passphrase of ${keystorePath} is not known: config.xml has it encrypted. Fill in the field "Passphrase of the keystore".`, { path: keystorePath })
  const keystore = await openKeystore(host, { path: keystorePath, password: keystorePassword, keyPassword })
  const key = heldKeyOf(keystore, alias)
  if (key === undefined) throw notFound(keystorePath, alias, keystore.keys.map((held) => held.alias))
  return { keystore, key }
}

const notFound = (file: string, alias: string, aliases: readonly (string | null)[]) => {
  const named = aliases.filter((one) => one !== null).slice(0, 50)
  return new CertloopError('ALIAS_NOT_FOUND', `The keystore ${file} has no key "${alias}". ${named.length === 0 ? 'It has no key at all.' : `It has: ${named.join(', ')}.`}`, { path: file, alias, aliases: named })
}

/** What is installed under the alias, and its names. Certificates in JKS can be read without its passphrase; of PKCS#12 nothing can. */
export async function installedIn(host: Host, given: Given): Promise<{ chainPem: string[]; names: readonly string[] } | null> {
  const { keystorePath: file, alias, keystorePassword: password, keyPassword } = given
  const bytes = await host.readFile(await host.realPath(file) ?? file, limitBytes)
  if (bytes === undefined) throw new CertloopError('KEYSTORE_UNREADABLE', `The keystore ${file} is not there.`, { path: file })
  const format = recognise(bytes)
  if (password === undefined && format === 'pkcs12') return null
  const entries = password === undefined && (format === 'jks' || format === 'jceks') ? await readableOf(bytes, file) : (await readKeystoreFile(bytes, password ?? '', { keyPassword, path: file })).entries
  const keys = entries.filter(({ kind }) => kind === 'key' || kind === 'locked-key')
  const entry = keys[placeOfAlias(keys.map((one) => one.alias), alias)]
  if (entry === undefined) throw notFound(file, alias, keys.map((one) => one.alias))
  const [leaf] = entry.chainPem
  return { chainPem: entry.chainPem, names: leaf === undefined ? [] : readCertificate(leaf).names }
}

async function readableOf(bytes: Uint8Array, file: string) {
  const { entries } = await readJks(bytes, null).catch((error: unknown) => { throw keystoreError(error, file) })
  return entries.map((entry) => ({ kind: entry.kind, alias: entry.alias, chainPem: entry.kind === 'key' || entry.kind === 'locked-key' ? entry.certificates.map((der) => toPem('CERTIFICATE', der)) : [] }))
}
