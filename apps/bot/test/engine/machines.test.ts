import { CertloopError, type Reach } from '@certloop/contract'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { runEngine } from './crash-harness.ts'
import { localHost, newDeploymentId, testEngine } from './engine-kit.ts'
import type { TinyFields } from './tiny-driver.ts'
import { assertWhole, planned, request, tinyScene } from './scene.ts'
import type { Host } from '@certloop/plugin-kit'
import { DeploymentUnfinished, type EngineTarget, probersFor } from '../../src/engine/index.ts'

const far: Reach = { kind: 'ssh', host: 'Far.test', port: 22, user: 'bot', authentication: 'password', hostKey: null, privilege: 'none', jumps: [] }
const away = () => { throw new CertloopError('HOST_UNREACHABLE', 'The host does not answer.') }

test('work on one machine waits for nothing on another', async (t) => {
  const scene = await tinyScene(t)
  const gate = Promise.withResolvers<void>()
  const order: string[] = []
  const engine = testEngine(scene.folder, {
    hostFor: async ({ reach }) => {
      if (reach !== 'local') await gate.promise
      order.push(reach === 'local' ? 'local' : 'far')
      return localHost
    },
  })
  const asked = await request(scene)
  const slow = engine.plan({ ...asked, target: { ...asked.target, reach: far } })
  const second = engine.plan({ ...asked, target: { ...asked.target, reach: { ...far, host: 'FAR.TEST' } } })
  assert.equal((await engine.deploy(asked)).outcome, 'deployed')
  assert.ok(order.every((one) => one === 'local'))
  gate.resolve()
  await Promise.all([slow, second])
})

test('a journal of a machine that can not be reached holds up that machine alone, and the start only for its time', { timeout: 60_000 }, async (t) => {
  const scene = await tinyScene(t)
  const asked = await request(scene)
  const onFar = { ...asked, target: { ...asked.target, reach: far, secrets: { login: { password: 'pass-of-the-login' } } } }
  assert.ok((await runEngine(scene, onFar, 'do-0:after')).killed)
  const logins: (string | undefined)[] = []
  // Silent at first: the start does not wait for it.
  const gate = Promise.withResolvers<void>()
  const silent = testEngine(scene.folder, { limits: { recoverySeconds: 0.2 }, hostFor: async ({ reach }) => { if (reach !== 'local') { await gate.promise; return away() } return localHost } })
  const { recovered, stuck } = await silent.recover()
  assert.deepEqual([recovered, stuck.map(({ deploymentId, error }) => [deploymentId, error.code])], [[], [[asked.deploymentId, 'HOST_UNREACHABLE']]])
  await planned(scene, silent)
  gate.resolve()
  // Refused, while other machines go on.
  const refusing = testEngine(scene.folder, { hostFor: ({ reach }) => (reach === 'local' ? localHost : away()) })
  assert.deepEqual((await refusing.recover()).stuck.map(({ error }) => error.code), ['HOST_UNREACHABLE'])
  const next = await refusing.deploy({ ...onFar, deploymentId: newDeploymentId() })
  assert.match(next.error?.message ?? '', new RegExp(asked.deploymentId))
  await planned(scene, refusing)
  // Reachable again: with the login that the journal kept sealed.
  const back = testEngine(scene.folder, { hostFor: ({ secrets }) => { logins.push(secrets?.login?.password); return localHost } })
  assert.deepEqual((await back.recover()).recovered.map(({ result }) => result.outcome), ['deployed'])
  assert.deepEqual(logins, ['pass-of-the-login'])
})

/** This machine as if it were far: every call fails while `gone` says so. */
function farHost(gone: () => CertloopError | undefined): Host {
  return new Proxy<Host>({ ...localHost, kind: 'ssh' }, {
    get: (host, name: keyof Host) => (typeof host[name] !== 'function' ? host[name] : async (...args: unknown[]) => {
      const error = gone()
      if (error) throw error
      return (host[name] as (...given: unknown[]) => unknown)(...args)
    }),
  })
}
const probeFor = () => probersFor({ now: () => new Date() })(localHost)
const unreachable = new CertloopError('HOST_UNREACHABLE', 'The host does not answer.')

async function onFarMachine(t: TestContext, more: Partial<TinyFields> = {}) {
  const scene = await tinyScene(t)
  Object.assign(scene.fields, more)
  const asked = await request(scene)
  return { scene, asked: { ...asked, target: { ...asked.target, reach: far } } }
}

test('a host that goes away within the undo: the same deployment asked for again ends it', { timeout: 60_000 }, async (t) => {
  const { scene, asked } = await onFarMachine(t, { reloadArgv: ['/bin/false'] })
  let gone = false
  const lines: string[] = []
  const engine = testEngine(scene.folder, { probeFor, hostFor: () => farHost(() => (gone ? unreachable : undefined)), crashPoint: (point) => { if (point === 'undo-0:before') gone = true } })
  await assert.rejects(engine.deploy(asked), (thrown) => thrown instanceof DeploymentUnfinished && thrown.result.touched && thrown.result.log.length > 0)
  await assert.rejects(engine.deploy(asked, ({ message }) => lines.push(message)), DeploymentUnfinished)
  assert.ok(lines.some((line) => line.includes('can not be ended now')), 'who waits is told')
  const other = await engine.deploy({ ...asked, deploymentId: newDeploymentId() })
  assert.deepEqual([other.outcome, other.touched], ['failed', false], 'another one on that machine waits for it')
  gone = false
  const again = testEngine(scene.folder, { probeFor, hostFor: () => farHost(() => undefined) })
  assert.equal((await again.deploy(asked)).outcome, 'rolled-back')
  assert.equal((await again.outcomeOf(asked.deploymentId))?.outcome, 'rolled-back')
  await assertWhole(scene, 'old')
})

test('a host that does not answer for a moment within the undo is undone once more', { timeout: 60_000 }, async (t) => {
  const { scene, asked } = await onFarMachine(t, { reloadArgv: ['/bin/false'] })
  const moments = new Set(['undo-1:before'])
  let failing = false
  const engine = testEngine(scene.folder, { probeFor, hostFor: () => farHost(() => { const error = failing ? unreachable : undefined; failing = false; return error }), crashPoint: (point) => { failing ||= moments.delete(point) } })
  const result = await engine.deploy(asked)
  assert.equal(result.outcome, 'rolled-back', JSON.stringify(result.error))
  assert.ok(result.log.some(({ message }) => message.includes('once more')))
  await assertWhole(scene, 'old')
})

test('a login that was changed meanwhile: the journal is ended with the one that the target has now', { timeout: 60_000 }, async (t) => {
  const { scene, asked } = await onFarMachine(t)
  const withPassword = (password: string) => ({ ...asked, target: { ...asked.target, secrets: { login: { password } } } })
  let valid = 'first'
  const hostFor = ({ secrets }: Pick<EngineTarget, 'secrets'>) => farHost(() => (secrets?.login?.password === valid ? undefined : new CertloopError('LOGIN_REFUSED', 'Wrong password.')))
  const engine = testEngine(scene.folder, { probeFor, hostFor, crashPoint: (point) => { if (point === 'do-1:before') valid = 'second' } })
  await assert.rejects(engine.deploy(withPassword('first')), { code: 'LOGIN_REFUSED' })
  const later = testEngine(scene.folder, { probeFor, hostFor })
  assert.deepEqual((await later.recover()).stuck.map(({ error }) => error.code), ['LOGIN_REFUSED'])
  assert.equal((await later.deploy(withPassword('second'))).outcome, 'deployed')
  await assertWhole(scene, 'new')
})
