import type { DeploymentId, SshReach } from '@certloop/contract'
import { eventually } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Engine } from '../../src/engine/index.ts'
import { leftOutReach, reached } from '../kit/reach.ts'
import { newDeploymentId, target, testEngine, type TestEngineOptions } from './engine-kit.ts'
import { keystoreScene } from './keystore-scene.ts'
import { tinyDriver } from './tiny-driver.ts'
import { assertWhole, nginxScene, request, type Scene, tinyScene, toolCommand } from './scene.ts'

/** Deployed, told and acknowledged, as in every day. */
async function deployed(scene: Scene, options: TestEngineOptions = {}): Promise<{ engine: Engine; undoes: DeploymentId }> {
  const engine = testEngine(scene.folder, options)
  const deploy = await request(scene)
  assert.equal((await engine.deploy(deploy)).outcome, 'deployed')
  await engine.acknowledge(deploy.deploymentId)
  await assertWhole(scene, 'new')
  return { engine, undoes: deploy.deploymentId }
}
const undoOf = (scene: Scene, undoes: DeploymentId) => ({ deploymentId: newDeploymentId(), undoes, target: target(scene.serverType, scene.fields, scene.options) })
const backupsIn = async (scene: Scene) => {
  const names = await readdir(join(scene.folder, 'journals'))
  return (await Promise.all(names.map((name) => stat(join(scene.folder, 'journals', name, 'backup.sealed')).then(() => name.split('.')[0], () => undefined)))).filter((name) => name !== undefined)
}

test('what was there before is served again; asked again it answers the same and does nothing', async (t) => {
  const scene = await tinyScene(t)
  const { engine, undoes } = await deployed(scene)
  const undo = undoOf(scene, undoes)
  const result = await engine.undo(undo)
  assert.deepEqual([result.outcome, result.touched, result.error], ['deployed', true, null])
  assert.deepEqual(result.inspection?.served.map(({ fingerprint }) => fingerprint), [scene.old.fingerprint])
  assert.match(result.log.at(-1)?.message ?? '', /Taken back: what was there before is in place and proven/)
  await assertWhole(scene, 'old')

  const reloads = scene.server.output().length
  assert.deepEqual(await engine.undo(undo), result)
  await engine.acknowledge(undo.deploymentId)
  for (const again of [undo, undoOf(scene, undoes)]) assert.equal((await engine.undo(again)).outcome, 'deployed')
  assert.equal(scene.server.output().length, reloads, 'the server was told nothing more')
  await assertWhole(scene, 'old')

  const texts = await Promise.all((await readdir(join(scene.folder, 'journals'))).map((name) => readFile(join(scene.folder, 'journals', name, 'journal.ndjson'), 'latin1')))
  assert.doesNotMatch(texts.join('') + JSON.stringify(result), /PRIVATE KEY/)
})

test('a driver may not plan what only the engine does', async (t) => {
  const scene = await tinyScene(t)
  const engine = testEngine(scene.folder, { driverFor: async () => ({ ...tinyDriver, plan: async () => ({ observed: [], observedTexts: {}, steps: [{ kind: 'restore-file', path: scene.certPath, contentDigest: null, ownership: null, replaces: 'x' }] }) }) })
  await assert.rejects(engine.plan({ deploymentId: newDeploymentId(), target: target('tiny', scene.fields), material: scene.material }), /PLAN_FAILED|only the engine itself does/)
  await assertWhole(scene, 'old')
})

test('it can be deployed again after that', async (t) => {
  const scene = await tinyScene(t)
  const { engine, undoes } = await deployed(scene)
  assert.equal((await engine.undo(undoOf(scene, undoes))).outcome, 'deployed')
  assert.equal((await engine.deploy(await request(scene))).outcome, 'deployed')
  await assertWhole(scene, 'new')
})

test('files and folders that were not there before are gone again', async (t) => {
  const scene = await tinyScene(t)
  const newFolder = join(scene.pairFolder, 'fresh')
  Object.assign(scene.fields, { newFolder, certificatePath: join(newFolder, 'a.crt'), keyPath: join(newFolder, 'a.key'), testArgv: ['/bin/true'] })
  // The reload copies them to where the server reads. On the way back there is nothing to copy, and what somebody put there is read.
  scene.fields.reloadArgv = ['/bin/sh', '-c', 'cp "$1" "$2"; cp "$3" "$4"; kill -HUP "$(cat "$5")"', 'x', scene.fields.certificatePath, scene.certPath, scene.fields.keyPath, scene.keyPath, scene.pidFile]
  const deploy = await request(scene)
  const engine = testEngine(scene.folder)
  assert.equal((await engine.deploy(deploy)).outcome, 'deployed')
  await writeFile(scene.certPath, scene.old.certPem)
  await writeFile(scene.keyPath, scene.old.keyPem)
  const result = await engine.undo(undoOf(scene, deploy.deploymentId))
  assert.equal(result.outcome, 'deployed', result.error?.message ?? '')
  await assertWhole(scene, 'old')
})

test('somebody changed it since: refused with the differences, and nothing is touched', async (t) => {
  const scene = await tinyScene(t)
  const { engine, undoes } = await deployed(scene)
  await writeFile(scene.certPath, `${scene.next.certPem}\n`)
  const result = await engine.undo(undoOf(scene, undoes))
  assert.deepEqual([result.outcome, result.touched, result.error?.code], ['failed', false, 'UNDO_NOT_POSSIBLE'])
  assert.deepEqual(result.differences, [`${scene.certPath}: the file that is there now is not the one that the deployment left.`])
  assert.equal(await readFile(scene.certPath, 'utf8'), `${scene.next.certPem}\n`)
})

test('a reload that fails on the way back: what the deployment installed is in place again', async (t) => {
  const scene = await tinyScene(t)
  const count = join(scene.folder, '..', 'count')
  await writeFile(count, '')
  // The second call, that of the undo, fails; those before and after it pass.
  scene.fields.reloadArgv = ['/bin/sh', '-c', 'printf . >>"$1"; [ "$(wc -c <"$1")" = 2 ] && exit 1; kill -HUP "$(cat "$2")"', 'x', count, scene.pidFile]
  const { engine, undoes } = await deployed(scene)
  const result = await engine.undo(undoOf(scene, undoes))
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'RELOAD_FAILED'])
  assert.match(result.log.at(-1)?.message ?? '', /Not taken back/)
  await assertWhole(scene, 'new')
  assert.equal((await engine.undo(undoOf(scene, undoes))).outcome, 'deployed', 'and may be tried again')
  await assertWhole(scene, 'old')
})

test('unknown, failed, replaced and another machine: each refusal says why', async (t) => {
  const scene = await tinyScene(t)
  const { engine, undoes } = await deployed(scene)
  const why = async (undo: Parameters<Engine['undo']>[0]) => {
    const { error, touched } = await engine.undo(undo)
    assert.deepEqual([error?.code, touched], ['UNDO_NOT_POSSIBLE', false])
    return error?.message ?? ''
  }
  assert.match(await why(undoOf(scene, newDeploymentId())), /no record of this deployment any more: what it replaced is kept for 7 days/)
  const far: SshReach = { kind: 'ssh', host: 'far.test', port: 22, user: 'x', authentication: 'key', hostKey: null, privilege: 'none', jumps: [] }
  assert.match(await why({ ...undoOf(scene, undoes), target: { ...target(scene.serverType, scene.fields), reach: far } }), /leads to another machine/)
  scene.fields.testArgv = toolCommand('refuse')
  const failing = await request(scene)
  assert.equal((await engine.deploy(failing)).outcome, 'rolled-back')
  assert.match(await why(undoOf(scene, failing.deploymentId)), /did not stay in place/)
  scene.fields.testArgv = ['/bin/true']
  assert.equal((await engine.deploy(await request(scene))).outcome, 'deployed')
  assert.match(await why(undoOf(scene, undoes)), /A later deployment \(dep_\w+\) has replaced/)
})

test('what was replaced is kept until the next deployment to the place is committed, or its days are over, or there is too much of it', async (t) => {
  const scene = await tinyScene(t)
  let now = new Date()
  const options: TestEngineOptions = { now: () => now, limits: { undoDays: 3 } }
  const first = await deployed(scene, options)
  assert.deepEqual(await backupsIn(scene), [first.undoes])
  const second = await deployed(scene, options)
  assert.deepEqual(await backupsIn(scene), [second.undoes])
  now = new Date(now.getTime() + 4 * 86_400_000)
  await testEngine(scene.folder, options).recover()
  assert.deepEqual(await backupsIn(scene), [])
  assert.match((await first.engine.undo(undoOf(scene, second.undoes))).error?.message ?? '', /not kept any more \(3 days/)
  await deployed(scene, { limits: { backupBytes: 10 } })
  assert.deepEqual(await backupsIn(scene), [])
})

test('a keystore is put back byte by byte', async (t) => {
  const scene = await keystoreScene(t)
  const { engine, undoes } = await deployed(scene)
  const result = await engine.undo(undoOf(scene, undoes))
  assert.equal(result.outcome, 'deployed', result.error?.message ?? '')
  await assertWhole(scene, 'old')
})

test('nginx, a real one', { skip: leftOutReach('local') }, async (t) => {
  const scene = await nginxScene(t)
  const { engine, undoes } = await deployed(scene)
  const result = await engine.undo(undoOf(scene, undoes))
  assert.equal(result.outcome, 'deployed', result.error?.message ?? '')
  await eventually(async () => await scene.served() === scene.old.fingerprint, { what: 'the old certificate being served' })
  await assertWhole(scene, 'old')
})

test('on the far side of an SSH connection', { skip: leftOutReach('ssh') }, async (t) => {
  const { host } = await reached('ssh')
  const scene = await tinyScene(t)
  const { engine, undoes } = await deployed(scene, { hostFor: () => host })
  assert.equal((await engine.undo(undoOf(scene, undoes))).outcome, 'deployed')
  await assertWhole(scene, 'old')
})
