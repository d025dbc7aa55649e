import type { DetectedServer, DetectedSlot } from '@certloop/contract'
import { type KeyEntry, splitPem, writeJks, writePkcs12 } from '@certloop/pki'
import type { RunningJetty, TestPair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { detect } from '../kit/kit.ts'

export const storePassword = 'cheese-store 7'

export interface StoreOptions { format?: 'pkcs12' | 'jks'; keyPassword?: string; password?: string }

/** Writes a keystore with these pairs under their aliases. */
export async function writeStore(file: string, pairs: Readonly<Record<string, TestPair>>, { format = 'pkcs12', keyPassword, password = storePassword }: StoreOptions = {}): Promise<void> {
  const now = new Date()
  const entries = Object.entries(pairs).map(([alias, { certPem, keyPem }]): KeyEntry => ({
    kind: 'key', alias, createdAt: now, privateKey: createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' }), certificates: splitPem(certPem).map(({ der }) => der),
  }))
  const bytes = format === 'pkcs12' ? await writePkcs12({ entries }, password, { iterations: 2000 })
    : await writeJks({ entries }, password, { now, ...(keyPassword === undefined ? {} : { keyPasswords: new Map(entries.map(({ alias }) => [alias ?? '', keyPassword])) }) })
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, bytes, { mode: 0o600 })
}

/** Lines of an ini file that name etc/<name> as the keystore. Jetty 9.4 insists on a truststore. */
export const storeLines = (name: string, password = storePassword): string[] => ['keyStorePath', 'trustStorePath'].map((kind) => `jetty.sslContext.${kind}=etc/${name}`)
  .concat(['keyStorePassword', 'keyManagerPassword', 'trustStorePassword'].map((kind) => `jetty.sslContext.${kind}=${password}`))

/** A keystore etc/keystore.p12 with these pairs, for `settings` of a Jetty. */
export const withStore = (pairs: Readonly<Record<string, TestPair>>, options: StoreOptions & { name?: string; more?: readonly string[] } = {}) => async (base: string): Promise<string[]> => {
  const { name = 'keystore.p12', more = [], password, keyPassword } = options
  await writeStore(join(base, 'etc', name), pairs, options)
  return [...storeLines(name, password), ...(keyPassword === undefined ? [] : [`jetty.sslContext.keyManagerPassword=${keyPassword}`]), ...more]
}

export const detectAt = (base: string): Promise<DetectedServer> => detect('jetty', base)

export function slotOf({ slots, problem }: DetectedServer, alias: string): DetectedSlot {
  const slot = slots.find(({ fields }) => fields['alias'] === alias)
  assert.ok(slot, `no slot "${alias}": ${JSON.stringify([slots, problem])}`)
  return slot
}

/** "name kind-of-key" → fingerprint, or what went wrong. */
export const seen = ({ served }: Pick<DetectedSlot, 'served'>): Record<string, string | null> =>
  Object.fromEntries(served.map(({ endpoint: { serverName, keyType }, fingerprint, error }) => [[serverName ?? '-', keyType].filter(Boolean).join(' '), fingerprint ?? error]))

export const seenAt = async ({ base }: Pick<RunningJetty, 'base'>, alias: string): Promise<Record<string, string | null>> => seen(slotOf(await detectAt(base), alias))
