import type { DeploymentId, DeployResult, Material, Plan, TargetOptions, TargetSecrets } from '@certloop/contract'
import { eventually, pidOnceWritten, type RunningNginx, selfSignedPair, startNginx, startProcess, tempFolder, type TestPair, type TestProcess } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createProber, type DeployRequest, type Engine } from '../../src/engine/index.ts'
import { materialOf, newDeploymentId, target, testEngine } from './engine-kit.ts'
import type { TinyFields } from './tiny-driver.ts'

export type Side = 'old' | 'new'

/** A target with an old pair in place and served, and a new pair to deploy. */
export interface Scene {
  /** Of the engine. */
  folder: string
  /** Holds the pair and nothing else. */
  pairFolder: string
  certPath: string
  keyPath: string
  old: TestPair
  next: TestPair
  material: Material
  serverType: string
  fields: Record<string, unknown>
  /** Of the target. */
  options?: TargetOptions & { secrets?: TargetSecrets }
  served(): Promise<string | null>
  /** Makes the server read what is in its files. */
  tellServer(): Promise<void>
  /** Waits until a reload under way is over, and checks that the server could be started with its files. */
  settled?(): Promise<void>
  /** Which side lies there, and how the old one is put back, where that is not a certificate and a key as two files. */
  sideNow?(): Promise<Side | 'other'>
  restore?(): Promise<void>
  /** What is in the folder, with modes. */
  files?: Record<string, number>
}

/** One of the commands of server-tools-process.ts. */
export const toolCommand = (...args: string[]): string[] => [process.execPath, join(import.meta.dirname, 'server-tools-process.ts'), ...args]

/** Passes when the two belong together. A shell and openssl cost far less than a Node process, hundreds of times. */
export const checkCommand = (certPath: string, keyPath: string): string[] =>
  ['/bin/sh', '-c', '[ "$(openssl x509 -noout -pubkey -in "$1")" = "$(openssl pkey -pubout -in "$2")" ] || { echo "key values mismatch" >&2; exit 1; }', 'check', certPath, keyPath]

export interface TinyScene extends Scene { fields: TinyFields; server: TestProcess; pidFile: string; configurationPath: string; startServer(): Promise<TestProcess> }

/** The small TLS server with its files. `folder`: where the pair goes, if not a new folder. */
export async function tinyScene(t: TestContext, { pairFolder, proofSeconds = 10 }: { pairFolder?: string; proofSeconds?: number } = {}): Promise<TinyScene> {
  const root = await tempFolder(t, 'engine')
  const places = { folder: join(root, 'engine'), pairFolder: pairFolder ?? join(root, 'pair'), pidFile: join(root, 'server.pid'), configurationPath: join(root, 'server.conf') }
  await mkdir(places.folder)
  await mkdir(places.pairFolder, { recursive: true })
  await writeFile(places.configurationPath, 'listen here\n')
  const [old, next] = await Promise.all([selfSignedPair(['shop.test']), selfSignedPair(['shop.test'])])
  const [certPath, keyPath] = [join(places.pairFolder, 'shop.crt'), join(places.pairFolder, 'shop.key')]
  await placePair({ certPath, keyPath }, old)
  const startServer = (port = '0') => startProcess(t, [process.execPath, join(import.meta.dirname, 'tls-server-process.ts'), certPath, keyPath, port, places.pidFile])
  const server = await startServer()
  const port = Number((await server.waitFor(/listening on (\d+)/))[1])
  const fields: TinyFields = {
    certificatePath: certPath, keyPath, configurationPath: places.configurationPath, port, proofSeconds,
    testArgv: checkCommand(certPath, keyPath), reloadArgv: ['/bin/sh', '-c', 'exec kill -HUP "$(cat "$1")"', 'reload', places.pidFile], startArgv: null, newFolder: null,
  }
  const probe = createProber({ now: () => new Date() })
  return {
    ...places, certPath, keyPath, old, next, fields, server, serverType: 'tiny',
    material: await materialOf(places.folder, next),
    served: async () => (await probe({ address: '127.0.0.1', port, serverName: 'shop.test', keyType: null })).fingerprint,
    async tellServer() {
      const reloads = () => server.output().split('reloaded').length
      const before = reloads()
      process.kill(await pidOnceWritten(places.pidFile), 'SIGHUP')
      await eventually(() => reloads() > before, { what: 'the server reading its files again' })
    },
    startServer: () => startServer(String(port)),
  }
}

/** A real nginx that serves the pair under one name. */
export async function nginxScene(t: TestContext, { proofSeconds = 10 }: { proofSeconds?: number } = {}): Promise<Scene & { nginx: RunningNginx }> {
  const root = await tempFolder(t, 'engine-nginx')
  const [folder, pairFolder] = [join(root, 'engine'), join(root, 'pair')]
  await Promise.all([mkdir(folder), mkdir(pairFolder)])
  const [old, next] = await Promise.all([selfSignedPair(['shop.test']), selfSignedPair(['shop.test'], 'rsa')])
  const [certPath, keyPath] = [join(pairFolder, 'shop.crt'), join(pairFolder, 'shop.key')]
  await placePair({ certPath, keyPath }, old)
  const nginx = await startNginx(t, { servers: [{ names: ['shop.test'], certPath, keyPath }] })
  const probe = createProber({ now: () => new Date() })
  const workers = async () => (await readFile(`/proc/${nginx.pid}/task/${nginx.pid}/children`, 'utf8')).trim().split(' ')
  const endpoint = { address: '127.0.0.1', port: nginx.ports[0] ?? 0, serverName: 'shop.test', keyType: null }
  return {
    folder, pairFolder, certPath, keyPath, old, next, nginx, serverType: 'nginx',
    fields: { certificatePath: certPath, keyPath, configurationPath: nginx.configPath, prefix: nginx.prefix, proofSeconds },
    material: await materialOf(folder, next),
    served: async () => (await probe(endpoint)).fingerprint,
    async tellServer() {
      const before = await workers()
      await nginx.reload()
      await eventually(async () => (await workers()).every((pid) => !before.includes(pid)), { what: 'new workers of nginx in place of the old' })
    },
    async settled() {
      // While a reload is under way, workers of both sides take connections.
      await eventually(async () => (await workers()).length === 1, { what: 'the old worker of nginx ending' })
      const { code, stderr } = await nginx.testConfiguration()
      assert.equal(code, 0, `nginx -t: ${stderr}`)
    },
  }
}

export async function placePair({ certPath, keyPath }: Pick<Scene, 'certPath' | 'keyPath'>, pair: TestPair): Promise<void> {
  await writeFile(certPath, pair.certPem)
  await writeFile(keyPath, pair.keyPem)
  await chmod(certPath, 0o644)
  await chmod(keyPath, 0o600)
}

/** Everything as it was at the beginning, and served. */
export async function reset(scene: Scene, { keepJournals = false } = {}): Promise<void> {
  for (const name of await readdir(scene.pairFolder)) await rm(join(scene.pairFolder, name), { recursive: true })
  await (scene.restore?.() ?? placePair(scene, scene.old))
  if (!keepJournals) await rm(join(scene.folder, 'journals'), { recursive: true, force: true })
  await scene.tellServer()
  await eventually(async () => await scene.served() === scene.old.fingerprint, { what: 'the old pair being served' })
  await scene.settled?.()
}

export async function planned(scene: Scene, engine: Engine = testEngine(scene.folder)): Promise<Plan> {
  return engine.plan({ deploymentId: newDeploymentId(), target: target(scene.serverType, scene.fields, scene.options), material: scene.material })
}

export async function request(scene: Scene, { rollback = true, plan }: { rollback?: boolean; plan?: Plan } = {}): Promise<DeployRequest> {
  return { deploymentId: newDeploymentId(), target: target(scene.serverType, scene.fields, scene.options), material: scene.material, plan: plan ?? await planned(scene), rollback }
}

const sideOf = (scene: Scene, text: string, file: 'certPem' | 'keyPem'): Side | 'other' =>
  (text.trim() === scene.old[file].trim() ? 'old' : text.trim() === scene.next[file].trim() ? 'new' : 'other')

async function sideOfFiles(scene: Scene): Promise<Side | 'other'> {
  const side = sideOf(scene, await readFile(scene.certPath, 'utf8'), 'certPem')
  assert.equal(sideOf(scene, await readFile(scene.keyPath, 'utf8'), 'keyPem'), side, 'key and certificate are of one side')
  return side
}

/**
 * The target is wholly on one side: both files, owner's mode, what is served; nothing is left over and no journal is open.
 * @returns the side
 */
export async function assertWhole(scene: Scene, expected?: Side): Promise<Side> {
  await scene.settled?.()
  const files = scene.files ?? { 'shop.crt': 0o644, 'shop.key': 0o600 }
  assert.deepEqual((await readdir(scene.pairFolder)).toSorted(), Object.keys(files), 'nothing is left over')
  const side = await (scene.sideNow?.() ?? sideOfFiles(scene))
  assert.notEqual(side, 'other')
  if (expected !== undefined) assert.equal(side, expected)
  for (const [name, mode] of Object.entries(files)) assert.equal((await stat(join(scene.pairFolder, name))).mode & 0o7777, mode, 'modes are kept')
  assert.equal(await scene.served(), scene[side === 'old' ? 'old' : 'next'].fingerprint, 'the same is served')
  for (const name of await readdir(join(scene.folder, 'journals')).catch(() => [])) {
    const text = await readFile(join(scene.folder, 'journals', name, 'journal.ndjson'), 'utf8')
    assert.ok(text.includes('"type":"closed"'), `the journal ${name} is not closed`)
  }
  return side as Side
}

/** What the engine says of a deployment is what the target shows. */
export function assertTruth(result: DeployResult | undefined, side: Side): void {
  if (side === 'new') return assert.equal(result?.outcome, 'deployed')
  if (result === undefined) return // it never came as far as a journal
  assert.ok(result.outcome === 'rolled-back' || (result.outcome === 'failed' && !result.touched), `outcome ${result.outcome}, touched ${result.touched}: ${result.error?.message}`)
  assert.ok(result.error, 'what is not deployed says why')
}

/** A new engine on the same folder, as after a restart of the bot. */
export const outcomeAfterRestart = (scene: Scene, deploymentId: DeploymentId): Promise<DeployResult | undefined> => testEngine(scene.folder).outcomeOf(deploymentId)
