import assert from 'node:assert/strict'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { newDeploymentId, target, testEngine } from './engine-kit.ts'
import { assertWhole, outcomeAfterRestart, planned, request, reset, tinyScene } from './scene.ts'

test('a deployment puts the new pair in place, proves it and keeps its result until it is acknowledged', async (t) => {
  const scene = await tinyScene(t)
  const engine = testEngine(scene.folder)
  const deploy = await request(scene)
  const lines: string[] = []
  const result = await engine.deploy(deploy, (entry) => lines.push(`${entry.phase}: ${entry.message}`))
  assert.equal(result.outcome, 'deployed', JSON.stringify(result, null, 1))
  assert.equal(result.error, null)
  assert.equal(result.inspection?.served[0]?.fingerprint, scene.next.fingerprint)
  assert.equal(result.inspection?.installedPem, scene.next.certPem)
  assert.equal(lines.length, result.log.length)
  await assertWhole(scene, 'new')

  // Asked again, also after a restart, it answers and does nothing.
  const before = (await stat(scene.certPath)).ctimeMs
  assert.deepEqual(await testEngine(scene.folder).deploy(deploy), result)
  assert.equal((await stat(scene.certPath)).ctimeMs, before)
  await engine.acknowledge(deploy.deploymentId)
  assert.equal(await outcomeAfterRestart(scene, deploy.deploymentId), undefined)

  // Acknowledged, it may be carried out once more, as a new attempt beside the kept one.
  await reset(scene, { keepJournals: true })
  assert.equal((await engine.deploy({ ...deploy, plan: await planned(scene) })).outcome, 'deployed')
  assert.deepEqual((await readdir(join(scene.folder, 'journals'))).toSorted(), [1, 2].map((n) => `${deploy.deploymentId}.${n}`))
})

test('the plan tells what is served now, and inspecting shows both sides of a deployment', async (t) => {
  const scene = await tinyScene(t)
  const engine = testEngine(scene.folder)
  const plan = await planned(scene, engine)
  assert.deepEqual(plan.steps.map((step) => step.kind), ['write-file', 'write-file', 'run-command', 'reload-service', 'prove'])
  const texts = join(scene.folder, 'plans', `${plan.digest}.sealed`)
  assert.equal((await stat(texts)).mode & 0o777, 0o600)
  const kept = Buffer.from(await readFile(texts, 'utf8'), 'base64').toString('latin1')
  assert.ok(kept.length > 20 && !kept.includes('listen here'), 'texts of configurations may hold passwords')
  const seen = async () => (await engine.inspect(target('tiny', scene.fields)))
  assert.deepEqual([(await seen()).installedPem, (await seen()).served[0]?.fingerprint], [scene.old.certPem, scene.old.fingerprint])
  await engine.deploy(await request(scene))
  assert.deepEqual([(await seen()).installedPem, (await seen()).served[0]?.fingerprint], [scene.next.certPem, scene.next.fingerprint])
})

test('a result that was not acknowledged is there after a restart', async (t) => {
  const scene = await tinyScene(t)
  const deploy = await request(scene)
  const result = await testEngine(scene.folder).deploy(deploy)
  const restarted = testEngine(scene.folder)
  assert.deepEqual(await restarted.recover(), { recovered: [], stuck: [] })
  assert.deepEqual(await restarted.outcomeOf(deploy.deploymentId), result)
  await restarted.acknowledge(deploy.deploymentId)
  await restarted.acknowledge(deploy.deploymentId)
  await restarted.acknowledge(newDeploymentId())
  assert.equal(await restarted.outcomeOf(deploy.deploymentId), undefined)
})
