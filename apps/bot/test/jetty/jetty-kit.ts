import { type DetectedServer, type DetectedSlot } from '@certloop/contract'
import { type KeyEntry, splitPem, writeJks, writePkcs12 } from '@certloop/pki'
import { serverTypes } from '@certloop/server-types'
import type { RunningJetty, TestPair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { local } from '../kit/reach.ts'

export const storePassword = 'Käse-store 7'

export interface StoreOptions { format?: 'pkcs12' | 'jks'; keyPassword?: string; password?: string }

/** Writes a keystore with these pairs under their aliases. */
export async function writeStore(file: string, pairs: Readonly<Record<string, TestPair>>, { format = 'pkcs12', keyPassword, password = storePassword }: StoreOptions = {}): Promise<void> {
  const now = new Date()
  const entries = Object.entries(pairs).map(([alias, { certPem, keyPem }]): KeyEntry => ({
    kind: 'key', alias, createdAt: now, privateKey: createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' }), certificates: splitPem(certPem).map(({ der }) => der),
  }))
  const bytes = format === 'pkcs12' ? await writePkcs12({ entries }, password, { iterations: 2000 })
    : await writeJks({ entries }, password, { now, ...(keyPassword === undefined ? {} : { keyPasswords: new Map(entries.map(({ alias }) => [alias ?? '', keyPassword])) }) })
  await writeFile(file, bytes, { mode: 0o600 })
}

/** Lines of an ini file that name etc/<name> as the keystore. */
export const storeLines = (name: string, password = storePassword): string[] => [`jetty.sslContext.keyStorePath=etc/${name}`, `jetty.sslContext.keyStorePassword=${password}`, `jetty.sslContext.keyManagerPassword=${password}`]

/** A keystore etc/keystore.p12 with these pairs, for `settings` of a Jetty. */
export const withStore = (pairs: Readonly<Record<string, TestPair>>, options: StoreOptions & { name?: string; more?: readonly string[] } = {}) => async (base: string): Promise<string[]> => {
  const { name = 'keystore.p12', more = [], password, keyPassword } = options
  await writeStore(join(base, 'etc', name), pairs, options)
  return [...storeLines(name, password), ...(keyPassword === undefined ? [] : [`jetty.sslContext.keyManagerPassword=${keyPassword}`]), ...more]
}

export async function detectAt(base: string): Promise<DetectedServer> {
  const entry = serverTypes.find('jetty')
  assert.ok(entry)
  const found = (await (await entry.driver()).detect(local)).find(({ key }) => key === base)
  assert.ok(found, `no Jetty with the base ${base} was found`)
  return found
}

export function slotOf({ slots, problem }: DetectedServer, alias: string): DetectedSlot {
  const slot = slots.find(({ fields }) => fields['alias'] === alias)
  assert.ok(slot, `no slot "${alias}": ${JSON.stringify([slots, problem])}`)
  return slot
}

/** "name kind-of-key" → fingerprint, or what went wrong. */
export const seen = ({ served }: Pick<DetectedSlot, 'served'>): Record<string, string | null> =>
  Object.fromEntries(served.map(({ endpoint: { serverName, keyType }, fingerprint, error }) => [[serverName ?? '-', keyType].filter(Boolean).join(' '), fingerprint ?? error]))

export const seenAt = async ({ base }: Pick<RunningJetty, 'base'>, alias: string): Promise<Record<string, string | null>> => seen(slotOf(await detectAt(base), alias))
