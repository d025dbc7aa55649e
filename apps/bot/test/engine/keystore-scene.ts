import { type KeyEntry, splitPem, writePkcs12 } from '@certloop/pki'
import { readKeystoreFile } from '@certloop/plugin-kit'
import { eventually, pidOnceWritten, selfSignedPair, startProcess, tempFolder, type TestPair } from '@certloop/test-kit'
import { createPrivateKey } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createProber } from '../../src/engine/index.ts'
import { materialOf } from './engine-kit.ts'
import type { KeystoreFields } from './keystore-driver.ts'
import type { KeystoreServer } from './keystore-server-process.ts'
import type { Scene } from './scene.ts'

export const keystorePassword = 'pass-of-the-store'
export const adminPassword = 'pass-of-the-admin'

export interface KeystoreScene extends Scene { fields: KeystoreFields; keystore: string; scriptLog: string; socket: string }

/** A server with a keystore that holds the pair and another key, and scripts around the deployment. */
export async function keystoreScene(t: TestContext): Promise<KeystoreScene> {
  const root = await tempFolder(t, 'keystore')
  const [folder, pairFolder] = [join(root, 'engine'), join(root, 'pair')]
  await Promise.all([mkdir(folder), mkdir(pairFolder)])
  const [old, next, other] = await Promise.all([selfSignedPair(['shop.test']), selfSignedPair(['shop.test']), selfSignedPair(['other.test'])])
  const [keystore, configuration, scriptLog] = [join(pairFolder, 'server.p12'), join(root, 'server.conf'), join(root, 'scripts')]
  await writeFile(configuration, `password=${keystorePassword}\n`)
  const entry = (alias: string, { certPem, keyPem }: TestPair): KeyEntry => ({
    kind: 'key', alias, createdAt: null, certificates: splitPem(certPem).map(({ der }) => der), privateKey: createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' }),
  })
  // Few iterations: it is read often.
  const original = await writePkcs12({ entries: [entry('shop', old), entry('other', other)] }, keystorePassword, { iterations: 1000, macIterations: 1000 })
  await writeFile(keystore, original, { mode: 0o640 })
  const socket = join(root, 'control')
  const job: KeystoreServer = { keystore, password: keystorePassword, socket, pidFile: join(root, 'pid'), adminPassword, ports: [0, 0] }
  const server = await startProcess(t, [process.execPath, join(import.meta.dirname, 'keystore-server-process.ts'), JSON.stringify(job)])
  const [, port, adminPort] = (await server.waitFor(/listening on (\d+) (\d+)/)).map(Number) as [number, number, number]
  const probe = createProber({ now: () => new Date() })
  const reloads = () => server.output().split('reloaded').length
  const script = (text: string) => ({ source: { from: 'platform' as const, interpreter: '/bin/sh', text }, timeoutSeconds: 20 })
  return {
    folder, pairFolder, certPath: keystore, keyPath: keystore, keystore, scriptLog, socket, old, next, serverType: 'keystore',
    fields: { keystore, alias: 'shop', configuration, ports: [port, adminPort], tell: { socket }, proofSeconds: 5 },
    options: { scripts: { before: script(`echo "$CERTLOOP_WHEN $CERTLOOP_NAMES $CERTLOOP_SERVER_TYPE" >> ${scriptLog}`), after: script(`echo "$CERTLOOP_WHEN" >> ${scriptLog}`) } },
    material: await materialOf(folder, next),
    served: async () => (await probe({ address: '127.0.0.1', port, serverName: 'shop.test', keyType: null })).fingerprint,
    async tellServer() {
      const before = reloads()
      process.kill(await pidOnceWritten(job.pidFile), 'SIGHUP')
      await eventually(() => reloads() > before, { what: 'the server reading its keystore again' })
    },
    restore: () => writeFile(keystore, original, { mode: 0o640 }),
    async sideNow() {
      const { entries } = await readKeystoreFile(await readFile(keystore), keystorePassword)
      const [shop, kept] = ['shop', 'other'].map((alias) => entries.find((entry) => entry.alias === alias))
      if (kept?.spkiDigest !== other.spkiDigest || kept.chainPem[0] !== other.certPem || entries.length !== 2) return 'other'
      const pair = [old, next].find(({ certPem, spkiDigest }) => shop?.chainPem[0] === certPem && shop.spkiDigest === spkiDigest)
      return pair === old ? 'old' : pair === next ? 'new' : 'other'
    },
    files: { 'server.p12': 0o640 },
  }
}
