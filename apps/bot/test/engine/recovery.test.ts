import { CertloopError } from '@certloop/contract'
import { pidOnceWritten, runProcess, selfSignedPair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { DeployRequest, EngineDeps } from '../../src/engine/index.ts'
import { runEngine } from './crash-harness.ts'
import { localHost, newDeploymentId, testEngine } from './engine-kit.ts'
import { assertWhole, outcomeAfterRestart, request, type TinyScene, tinyScene, toolCommand } from './scene.ts'

const timeout = 120_000

async function killedAt(scene: TinyScene, point: string): Promise<DeployRequest> {
  const deploy = await request(scene)
  const { killed, output } = await runEngine(scene, deploy, point)
  assert.ok(killed, `the deployment was to die at ${point}:\n${output}`)
  return deploy
}

async function recovered(scene: TinyScene, more: Partial<EngineDeps> = {}) {
  const { recovered: [only], stuck } = await testEngine(scene.folder, more).recover()
  assert.deepEqual(stuck, [])
  assert.ok(only, 'one deployment was taken up')
  return only.result
}

const stop = (t: TestContext, scene: TinyScene) => runProcess(t, [process.execPath, ...toolCommand('stop', scene.pidFile).slice(1)])
const startArgv = ({ pidFile, certPath, keyPath, fields }: TinyScene) => toolCommand('start', pidFile, certPath, keyPath, String(fields.port))

test('a server that went down in the middle is started with the new pair where it is known how', { timeout }, async (t) => {
  const scene = await tinyScene(t)
  scene.fields.startArgv = startArgv(scene)
  const deploy = await killedAt(scene, 'do-0:after')
  await stop(t, scene)
  const result = await recovered(scene)
  try {
    assert.equal(result.outcome, 'deployed', result.error?.message ?? '')
    await assertWhole(scene, 'new')
    assert.deepEqual(await outcomeAfterRestart(scene, deploy.deploymentId), result)
  } finally {
    process.kill(await pidOnceWritten(scene.pidFile))
  }
})

test('a server that went down and comes up by itself while the proof waits is enough', { timeout }, async (t) => {
  const scene = await tinyScene(t, { proofSeconds: 20 })
  await killedAt(scene, 'do-0:after')
  await stop(t, scene)
  let started: Promise<unknown> | undefined
  const result = await recovered(scene, { crashPoint: (name) => { if (name === 'do-4:before') started = scene.startServer() } })
  await started
  assert.equal(result.outcome, 'deployed', result.error?.message ?? '')
  await assertWhole(scene, 'new')
})

test('a server that stays down: the previous files are back, and it is said that nothing answers', { timeout }, async (t) => {
  const scene = await tinyScene(t, { proofSeconds: 1 })
  await killedAt(scene, 'do-0:after')
  await stop(t, scene)
  const result = await recovered(scene)
  assert.deepEqual([result.outcome, result.touched, result.error?.code], ['failed', true, 'ROLLBACK_FAILED'])
  assert.match(result.error?.message ?? '', /did not answer/)
  await (await scene.startServer()).waitFor(/listening/)
  await assertWhole(scene, 'old')
})

test('a script runs at most once: one that may have run is not run again', { timeout }, async (t) => {
  const scene = await tinyScene(t)
  const count = join(scene.folder, '..', 'count')
  scene.options = { scripts: { before: { source: { from: 'device', argv: toolCommand('append', count) }, timeoutSeconds: 30 } } }
  await killedAt(scene, 'do-0:after')
  const result = await recovered(scene)
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'INTERRUPTED'])
  assert.equal((await readFile(count, 'utf8')).length, 1)
  await assertWhole(scene, 'old')
})

test('what another program put there after the crash gives way to the previous file', { timeout }, async (t) => {
  const scene = await tinyScene(t)
  await killedAt(scene, 'do-0:after')
  await writeFile(scene.certPath, (await selfSignedPair(['other.test'])).certPem)
  const result = await recovered(scene)
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'INTERRUPTED'], 'not even tried to go on')
  await assertWhole(scene, 'old')
})

test('without anything near the file, the sealed copy is put back', { timeout }, async (t) => {
  const scene = await tinyScene(t)
  await killedAt(scene, 'do-0:after')
  for (const name of (await readdir(scene.pairFolder)).filter((n) => n.includes('certloop'))) await rm(join(scene.pairFolder, name))
  const result = await recovered(scene)
  assert.equal(result.outcome, 'rolled-back', result.error?.message ?? '')
  await assertWhole(scene, 'old')
})

test('a name that the host left while it was stopped within a call is removed', { timeout }, async (t) => {
  const scene = await tinyScene(t)
  await killedAt(scene, 'stage-0:after')
  const old = (await readdir(scene.pairFolder)).find((name) => name.endsWith('.old')) ?? ''
  await writeFile(join(scene.pairFolder, `.${old}.0123456789ab`), 'half')
  await recovered(scene)
  await assertWhole(scene, 'old')
})

test('a record that was cut off counts as not written', { timeout }, async (t) => {
  const scene = await tinyScene(t)
  const deploy = await killedAt(scene, 'journal:done-0+begun-1:after')
  const journal = join(scene.folder, 'journals', `${deploy.deploymentId}.1`, 'journal.ndjson')
  const text = await readFile(journal, 'utf8')
  const cut = text.indexOf('{"type":"begun","step":1') + 15
  await truncate(journal, cut)
  await truncate(journal, text.length)
  const result = await recovered(scene)
  assert.equal(result.outcome, 'deployed', result.error?.message ?? '')
  await assertWhole(scene, 'new')
})

test('a journal whose host can not be had stays open, and new deployments wait for it', { timeout }, async (t) => {
  const scene = await tinyScene(t)
  const deploy = await killedAt(scene, 'do-0:after')
  let reachable = false
  const engine = testEngine(scene.folder, {
    hostFor: () => {
      if (reachable) return localHost
      throw new CertloopError('BOT_UNREACHABLE', 'The host does not answer.')
    },
  })
  const { stuck } = await engine.recover()
  assert.deepEqual(stuck.map(({ deploymentId, error }) => [deploymentId, error.code]), [[deploy.deploymentId, 'BOT_UNREACHABLE']])
  const refused = await engine.deploy({ ...deploy, deploymentId: newDeploymentId() })
  assert.deepEqual([refused.outcome, refused.touched], ['failed', false])
  assert.match(refused.error?.message ?? '', new RegExp(deploy.deploymentId))
  reachable = true
  // The next deployment tries again first, and finds its own result by then.
  assert.equal((await engine.deploy(deploy)).outcome, 'deployed')
  await assertWhole(scene, 'new')
})
