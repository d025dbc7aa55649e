import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { newId, type BotTask, type BotTaskKind, type DeployResult, type Plan, type TaskId } from '@certloop/contract'
import { eventually } from '@certloop/test-kit'
import { target, testEngine } from '../../test/engine/engine-kit.ts'
import { assertWhole, outcomeAfterRestart, tinyScene, type TinyScene } from '../../test/engine/scene.ts'
import { working } from '../../test/working-bot.ts'
import { createKeyStore } from '../keys/key-store.ts'
import { jobFor, type HandlerDeps } from './handlers.ts'
import { createTurns } from './turns.ts'

const now = () => new Date()

function handling(scene: TinyScene, purpose: HandlerDeps['purpose'] = 'both'): HandlerDeps {
  const keys = createKeyStore({ folder: join(scene.folder, 'keys'), now })
  const notHere = () => Promise.reject(new Error('not here'))
  return { engine: testEngine(scene.folder), keys, proofs: { place: notHere, remove: notHere }, purpose, turns: createTurns(), scan: () => Promise.reject(new Error('not here')), openSecrets: () => Promise.reject(new Error('not here')) }
}

async function deploying(t: TestContext) {
  const scene = await tinyScene(t)
  const deps = handling(scene)
  const bot = await working(t, (task) => jobFor(task, deps), { now })
  const data = async <T>(id: TaskId) => {
    const result = await bot.result(id)
    assert.ok(result.ok, JSON.stringify(result))
    return result.data as T
  }
  const work = { deploymentId: newId('dep', new Date()), target: target(scene.serverType, scene.fields), material: scene.material }
  const plan = await data<Plan>(bot.server.give('plan-deployment', work))
  return { scene, bot, data, work, plan, deploy: () => bot.server.give('deploy', { ...work, plan, rollback: true }) }
}
const reloads = (scene: TinyScene) => scene.server.output().split('reloaded').length - 1

test('a plan, its deployment and a look at the target go over the wire; a result that was taken is no longer kept', { timeout: 120_000 }, async (t) => {
  const { scene, bot, data, work, deploy } = await deploying(t)
  const id = deploy()
  assert.equal((await data<DeployResult>(id)).outcome, 'deployed')
  await assertWhole(scene, 'new')
  const inspection = await data<{ installedPem: string }>(bot.server.give('inspect-target', { target: work.target }))
  assert.equal(inspection.installedPem, scene.next.certPem)
  await bot.stop()
  assert.equal(await outcomeAfterRestart(scene, work.deploymentId), undefined)
})

test('a deployment whose result was not taken is told again when its task comes again, and is not done again', { timeout: 120_000 }, async (t) => {
  const { scene, bot, data, work, deploy } = await deploying(t)
  bot.server.state.mischief = (path) => path.endsWith('/result') ? { status: 409, body: JSON.stringify({ code: 'LEASE_LOST', detail: 'Too late.' }) } : undefined
  const id = deploy()
  await eventually(() => bot.logger.lines.some(({ message }) => message.includes('no longer')), { timeoutMs: 60_000 })
  const kept = await outcomeAfterRestart(scene, work.deploymentId)
  assert.equal(kept?.outcome, 'deployed')
  bot.server.state.mischief = () => undefined
  bot.server.board.takeAway(id)
  bot.server.ring()
  assert.deepEqual(await data(id), kept)
  assert.equal(reloads(scene), 1)
  await bot.stop()
  assert.equal(await outcomeAfterRestart(scene, work.deploymentId), undefined)
})

const task = (kind: BotTaskKind, payload: unknown): BotTask => ({ id: newId('tsk', new Date()), kind, fence: 1, leaseUntil: now().toISOString(), deadline: now().toISOString(), payload })

test('payloads of another form are refused before anything is done', async (t) => {
  const deps = handling(await tinyScene(t))
  const good = { orderId: newId('ord', new Date()), commonName: null, names: ['a.example'], keyAlgorithm: 'ec-256', reuseKeyId: null }
  const bad = [null, {}, { ...good, names: [] }, { ...good, orderId: '../../etc' }, { ...good, keyAlgorithm: 'dsa' }, { ...good, extra: 1 }]
  for (const payload of bad) assert.throws(() => jobFor(task('make-csr', payload), deps), { code: 'INPUT_INVALID', message: /make-csr/ }, JSON.stringify(payload))
  assert.throws(() => jobFor(task('scan-host', { deep: true }), deps), { code: 'INPUT_INVALID' })
  assert.ok(jobFor(task('make-csr', good), deps))
})

test('a bot that joined for discovery looks, and does nothing else', async (t) => {
  const deps = handling(await tinyScene(t), 'discovery')
  for (const kind of ['make-csr', 'plan-deployment', 'deploy'] as const) assert.throws(() => jobFor(task(kind, {}), deps), { code: 'ACTION_NOT_POSSIBLE' }, kind)
  assert.ok(jobFor(task('scan-host', {}), deps))
})

test('the secrets of a target are opened for the engine, those of a machine to be scanned for the scan', async (t) => {
  const scene = await tinyScene(t)
  const seen: unknown[] = []
  const secrets = { fields: { token: 'x' }, login: { password: 'y' } }
  const base = handling(scene)
  const reach = { kind: 'ssh', host: 'far.test', port: 22, user: 'bot', authentication: 'password', hostKey: null, privilege: 'none', jumps: [] } as const
  const deps: HandlerDeps = {
    ...base, openSecrets: async (sealed) => { assert.equal(sealed, 'for this bot'); return secrets },
    engine: { ...base.engine, inspect: async (asked) => { seen.push(asked); return { at: now().toISOString(), installedPem: null, served: [] } } },
    scan: async (way) => { seen.push(way); throw new Error('seen') },
  }
  await jobFor(task('inspect-target', { target: { serverType: 'tiny', reach: 'local', fields: { a: 1 }, sealed: 'for this bot' } }), deps).run(() => undefined)
  await assert.rejects(jobFor(task('scan-host', { reach, sealed: 'for this bot' }), deps).run(() => undefined), /seen/)
  assert.deepEqual(seen, [{ serverType: 'tiny', reach: 'local', fields: { a: 1 }, secrets }, { reach, secrets }])
})
