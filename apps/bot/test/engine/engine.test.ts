import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { test } from 'node:test'
import { testEngine } from './engine-kit.ts'
import { assertWhole, outcomeAfterRestart, request, tinyScene } from './scene.ts'

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
})
