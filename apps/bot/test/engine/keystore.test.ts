import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { shortName } from '../../src/engine/run.ts'
import { runEngine } from './crash-harness.ts'
import { localHost, testEngine } from './engine-kit.ts'
import { adminPassword, keystorePassword, keystoreScene, type KeystoreScene } from './keystore-scene.ts'
import { assertWhole, outcomeAfterRestart, planned, request } from './scene.ts'

/** Everything that the engine has on disk, sealed texts decoded. */
async function onDisk(scene: KeystoreScene): Promise<string> {
  const names = (await readdir(scene.folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile() && !entry.name.endsWith('.pem'))
  return (await Promise.all(names.map((entry) => readFile(join(entry.parentPath, entry.name), 'latin1')))).join('\n')
}
const noSecrets = (text: string) => {
  for (const secret of [keystorePassword, adminPassword, Buffer.from(`admin:${adminPassword}`).toString('base64')]) assert.ok(!text.includes(secret), `a secret shows:\n${text}`)
}

test('a keystore gets its entry, the server is told over its socket, scripts run before and after; secrets show nowhere', async (t) => {
  const scene = await keystoreScene(t)
  const plan = await planned(scene)
  assert.deepEqual(plan.steps.map(({ kind }) => kind), ['run-script', 'keystore-entry', 'socket-command', 'prove', 'run-script'])
  const asked = await request(scene, { plan })
  const result = await testEngine(scene.folder).deploy(asked)
  assert.equal(result.outcome, 'deployed', JSON.stringify(result.error))
  await assertWhole(scene, 'new')
  assert.equal(await readFile(scene.scriptLog, 'utf8'), 'before shop.test keystore\nafter\n')
  assert.deepEqual((await readdir(tmpdir())).filter((name) => name.includes(shortName(asked.deploymentId))), [])
  assert.match(result.log.find(({ step }) => step === 2)?.output ?? '', /^\d+ bytes taken\ndone$/)
  noSecrets(JSON.stringify([plan, result]) + await onDisk(scene))
  // Nothing is left to do but to tell and to prove.
  assert.ok(!(await planned(scene)).steps.some(({ kind }) => kind === 'keystore-entry'))
})

test('a server that refuses what its socket was told keeps the old keystore, whose content is told again', async (t) => {
  const scene = await keystoreScene(t)
  scene.fields.tell = { socket: scene.socket, expect: '^never' }
  const result = await testEngine(scene.folder).deploy(await request(scene))
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'MANAGEMENT_REFUSED'])
  assert.match(result.error?.message ?? '', /"reload" was answered with: done/)
  await assertWhole(scene, 'old')
  assert.equal(await readFile(scene.scriptLog, 'utf8'), 'before shop.test keystore\n')
})

test('a socket that is not there or never answers has a code of its own', async (t) => {
  const scene = await keystoreScene(t)
  const silent = createServer({ allowHalfOpen: true }, (stream) => stream.on('error', () => undefined).resume()).listen(join(scene.folder, 'silent'))
  await once(silent, 'listening')
  t.after(() => silent.close())
  for (const [socket, code] of [[join(scene.folder, 'nothing'), 'HOST_UNREACHABLE'], [join(scene.folder, 'silent'), 'COMMAND_TIMEOUT']] as const) {
    Object.assign(scene.fields, { tell: { socket }, tellSeconds: 1 })
    const result = await testEngine(scene.folder).deploy(await request(scene))
    assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', code])
    await assertWhole(scene, 'old')
  }
})

test('after a crash the management interface is told with the password that the journal keeps sealed', { timeout: 60_000 }, async (t) => {
  const scene = await keystoreScene(t)
  scene.fields.tell = { admin: true }
  scene.options = { secrets: { fields: { adminPassword } } }
  const deploy = await request(scene)
  const { killed } = await runEngine(scene, deploy, 'do-0:after')
  assert.ok(killed)
  noSecrets(await onDisk(scene))
  await writeFile(scene.fields.configuration, 'password=no longer this one\n') // neither file nor password are needed to go on
  const { recovered } = await testEngine(scene.folder).recover()
  assert.deepEqual(recovered.map(({ result }) => [result.outcome, result.error]), [['deployed', null]])
  await assertWhole(scene, 'new')
  noSecrets(JSON.stringify(recovered) + await onDisk(scene))
})

test('what a management interface says of a refused password does not show it', async (t) => {
  const scene = await keystoreScene(t)
  scene.fields.tell = { admin: true }
  scene.options = { secrets: { fields: { adminPassword: 'a-wrong-password' } } }
  const result = await testEngine(scene.folder).deploy(await request(scene))
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'MANAGEMENT_REFUSED'])
  assert.match(result.error?.message ?? '', /refused: Basic .*\[hidden\]/)
  assert.ok(!JSON.stringify(await outcomeAfterRestart(scene, (await request(scene)).deploymentId) ?? result).includes(Buffer.from('a-wrong-password').toString('base64').slice(4, -4)))
  await assertWhole(scene, 'old')
})

test('a wrong password and a plan that names a secret it does not have stop before anything is touched', async (t) => {
  const scene = await keystoreScene(t)
  scene.fields.tell = { admin: true }
  await assert.rejects(planned(scene), { code: 'PLAN_FAILED', message: /secret "adminPassword"/ })
  await writeFile(scene.fields.configuration, 'password=wrong-one\n')
  await assert.rejects(planned(scene), { code: 'KEYSTORE_PASSWORD_WRONG' })
  await assertWhole(scene, 'old')
})

test('a keystore that somebody else changed while it was staged is left alone', async (t) => {
  const scene = await keystoreScene(t)
  const deploy = await request(scene)
  const changed = Buffer.concat([await readFile(scene.keystore), Buffer.of(0)])
  const host = { ...localHost, stageFile: async (...all: Parameters<typeof localHost.stageFile>) => { await localHost.stageFile(...all); await writeFile(scene.keystore, changed) } }
  const result = await testEngine(scene.folder, { hostFor: () => host }).deploy(deploy)
  assert.deepEqual([result.outcome, result.touched, result.error?.code], ['failed', false, 'PLAN_CHANGED'])
  assert.deepEqual(await readFile(scene.keystore), changed)
})
