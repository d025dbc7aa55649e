import { CertloopError, type Reach } from '@certloop/contract'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runEngine } from './crash-harness.ts'
import { localHost, newDeploymentId, testEngine } from './engine-kit.ts'
import { planned, request, tinyScene } from './scene.ts'

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
