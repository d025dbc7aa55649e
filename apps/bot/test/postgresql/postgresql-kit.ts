import { type PostgresqlServer, type PostgresqlServerOptions, selfSignedPair, startPostgresqlServer, type TestPair } from '@certloop/test-kit'
import { chown, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { uniqueName } from '../kit/kit.ts'

/** Puts a pair into the server's folder, as its account's own. */
export async function ownPair(folder: string, name: string, pair: TestPair, mode = 0o600): Promise<void> {
  const { uid, gid } = await stat(folder)
  for (const [file, text, bits] of [[`${name}.crt`, pair.certPem, 0o644], [`${name}.key`, pair.keyPem, mode]] as const) {
    await writeFile(join(folder, file), text, { mode: bits })
    await chown(join(folder, file), uid, gid)
  }
}

/** ssl on with a pair "own" beside the data directory. */
export const withPair = (pair: TestPair, more = '') => async (folder: string) => {
  await ownPair(folder, 'own', pair)
  return `ssl = on\nssl_cert_file = '../own.crt'\nssl_key_file = '../own.key'\n${more}`
}

export const start = (t: TestContext, pair: TestPair, more = '', options: Partial<PostgresqlServerOptions> = {}): Promise<PostgresqlServer> => startPostgresqlServer(t, { settings: withPair(pair, more), ...options })
export const pairOf = async () => selfSignedPair([uniqueName()])
