import { sealPlan } from '@certloop/contract'
import { pidOnceWritten, selfSignedPair, startProcess, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { testEngine } from './engine-kit.ts'
import { assertWhole, checkCommand, outcomeAfterRestart, planned, request, tinyScene, toolCommand } from './scene.ts'

test('a configuration that changed since the plan is refused with the differences, secrets hidden', async (t) => {
  const scene = await tinyScene(t)
  await writeFile(scene.configurationPath, 'listen here\nworkers 1\n')
  const deploy = await request(scene)
  await writeFile(scene.configurationPath, 'listen here\nworkers 2\nproxy_password hunter2\n')
  const result = await testEngine(scene.folder).deploy(deploy)
  assert.deepEqual([result.outcome, result.touched, result.error?.code], ['failed', false, 'PLAN_CHANGED'])
  assert.deepEqual(result.differences, [`${scene.configurationPath}: changed`, '  -2: workers 1', '  +2: workers 2', '  +3: proxy_password [hidden]'])
  assert.doesNotMatch(JSON.stringify(result), /hunter2/)
  await assertWhole(scene, 'old')
})

test('a certificate file that changed since the plan is refused, naming the step', async (t) => {
  const scene = await tinyScene(t)
  const deploy = await request(scene)
  await writeFile(scene.certPath, `${scene.old.certPem}\n`)
  const result = await testEngine(scene.folder).deploy(deploy)
  assert.equal(result.error?.code, 'PLAN_CHANGED')
  assert.match(result.differences.join('\n'), /shop\.crt: the file that is there now is another one/)
})

test('a plan that was altered on its way is refused, with or without a digest of its own', async (t) => {
  const scene = await tinyScene(t)
  const plan = await planned(scene)
  const steps = plan.steps.filter((step) => step.kind !== 'run-command')
  for (const altered of [{ ...plan, steps }, sealPlan({ serverType: plan.serverType, observed: plan.observed, steps })]) {
    const result = await testEngine(scene.folder).deploy(await request(scene, { plan: altered }))
    assert.deepEqual([result.error?.code, result.touched], ['PLAN_CHANGED', false])
    assert.match(result.differences.join('\n'), /Step added: Test the configuration/)
  }
  await assertWhole(scene, 'old')
})

test('a key that does not belong to the certificate is refused', async (t) => {
  const scene = await tinyScene(t)
  const deploy = await request(scene)
  await writeFile(join(scene.folder, `${scene.material.keyId}.pem`), scene.old.keyPem)
  const result = await testEngine(scene.folder).deploy(deploy)
  assert.deepEqual([result.outcome, result.touched, result.error?.code], ['failed', false, 'KEY_MISMATCH'])
  assert.equal((await testEngine(scene.folder).deploy({ ...deploy, material: { ...deploy.material, fingerprint: '0'.repeat(64) } })).error?.code, 'PLAN_FAILED')
  await assertWhole(scene, 'old')
})

for (const rollback of [true, false]) {
  test(`a failing configuration test is undone, with rollback ${rollback ? 'on' : 'off'}; a private key in its output is not shown`, async (t) => {
    const scene = await tinyScene(t)
    scene.fields.testArgv = toolCommand('refuse')
    const deploy = await request(scene, { rollback })
    const result = await testEngine(scene.folder).deploy(deploy)
    assert.deepEqual([result.outcome, result.touched, result.error?.code], ['rolled-back', true, 'CONFIG_TEST_FAILED'])
    assert.equal(result.inspection?.served[0]?.fingerprint, scene.old.fingerprint)
    const failed = result.log.find((entry) => !entry.ok)
    assert.match(failed?.output ?? '', /configuration refused\n\[private key hidden\]/)
    assert.doesNotMatch(JSON.stringify(result), /c2VjcmV0/)
    assert.doesNotMatch(scene.server.output(), /reloaded/, 'a server that never heard of the change is left alone')
    await assertWhole(scene, 'old')
    assert.deepEqual(await outcomeAfterRestart(scene, deploy.deploymentId), result)
  })
}

test('a reload that fails is undone', async (t) => {
  const scene = await tinyScene(t)
  scene.fields.reloadArgv = toolCommand('refuse')
  const result = await testEngine(scene.folder).deploy(await request(scene, { rollback: false }))
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'RELOAD_FAILED'])
  await assertWhole(scene, 'old')
})

test('a reload that says it went well and keeps the old pair is tried once more, noticed by the proof and undone', async (t) => {
  const scene = await tinyScene(t, { proofSeconds: 1 })
  const count = join(scene.folder, '..', 'count')
  scene.fields.reloadArgv = toolCommand('append', count)
  const result = await testEngine(scene.folder).deploy(await request(scene))
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'PROOF_MISMATCH'])
  assert.match(result.error?.message ?? '', new RegExp(`serves ${scene.old.fingerprint.slice(0, 16)}… instead of ${scene.next.fingerprint.slice(0, 16)}`))
  assert.equal((await readFile(count, 'utf8')).length, 3, 'once, once more half-way, and once after the undo')
  await assertWhole(scene, 'old')
})

test('a reload that is heard at the second time only is enough', async (t) => {
  const scene = await tinyScene(t, { proofSeconds: 4 })
  const count = join(scene.folder, '..', 'count')
  scene.fields.reloadArgv = toolCommand('reload-second', count, scene.pidFile)
  const result = await testEngine(scene.folder).deploy(await request(scene))
  assert.equal(result.outcome, 'deployed', result.error?.message ?? '')
  await assertWhole(scene, 'new')
})

for (const rollback of [true, false]) {
  test(`another certificate on the port: ${rollback ? 'undone' : 'the new files stay when no rollback is wanted'}`, async (t) => {
    const scene = await tinyScene(t, { proofSeconds: 1 })
    const other = await writePair(scene.folder, 'other', await selfSignedPair(['other.test']))
    const server = await startProcess(t, [process.execPath, join(import.meta.dirname, 'tls-server-process.ts'), other.certPath, other.keyPath, '0', `${scene.pidFile}.other`])
    scene.fields.port = Number((await server.waitFor(/listening on (\d+)/))[1])
    const result = await testEngine(scene.folder).deploy(await request(scene, { rollback }))
    assert.deepEqual([result.outcome, result.touched, result.error?.code], [rollback ? 'rolled-back' : 'failed', true, 'PROOF_MISMATCH'])
    assert.equal(result.inspection?.served[0]?.fingerprint, other.fingerprint, 'what was served there is served there')
    await assertWhole(scene, rollback ? 'old' : 'new')
  })
}

test('new files in a new folder: made, and all gone after an undo', async (t) => {
  const scene = await tinyScene(t)
  const newFolder = join(scene.pairFolder, '..', 'made')
  const moved = { ...scene.fields, newFolder, certificatePath: join(newFolder, 'shop.crt'), keyPath: join(newFolder, 'shop.key') }
  // The server reads its files elsewhere, so the proof can't succeed.
  Object.assign(scene.fields, moved, { proofSeconds: 1, testArgv: checkCommand(moved.certificatePath, moved.keyPath) })
  const kept = await testEngine(scene.folder).deploy(await request(scene, { rollback: false }))
  assert.equal(kept.error?.code, 'PROOF_MISMATCH')
  assert.deepEqual(await readdir(newFolder), ['shop.crt', 'shop.key'])
  await rm(newFolder, { recursive: true })
  const undone = await testEngine(scene.folder).deploy(await request(scene))
  assert.equal(undone.outcome, 'rolled-back', undone.error?.message ?? '')
  await assert.rejects(readdir(newFolder), { code: 'ENOENT' })
  await assertWhole(scene, 'old')
})

test('a server that is down for good after the undo is reported, naming what was left', async (t) => {
  const scene = await tinyScene(t, { proofSeconds: 1 })
  scene.fields.reloadArgv = toolCommand('stop', scene.pidFile)
  const deploy = await request(scene)
  const result = await testEngine(scene.folder).deploy(deploy)
  assert.deepEqual([result.outcome, result.touched, result.error?.code], ['failed', true, 'ROLLBACK_FAILED'])
  assert.match(result.error?.message ?? '', /127\.0\.0\.1:\d+ \(shop\.test\) did not answer/)
  assert.equal((await readFile(scene.certPath, 'utf8')), scene.old.certPem, 'the files are the old ones all the same')
  assert.deepEqual(await readdir(scene.pairFolder), ['shop.crt', 'shop.key'])
})

test('a server that went down is started again with its previous files where it is known how', async (t) => {
  const scene = await tinyScene(t, { proofSeconds: 5 })
  scene.fields.reloadArgv = toolCommand('stop', scene.pidFile)
  scene.fields.startArgv = toolCommand('start', scene.pidFile, scene.certPath, scene.keyPath, String(scene.fields.port))
  const result = await testEngine(scene.folder).deploy(await request(scene))
  try {
    assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'PROOF_NO_ANSWER'], result.error?.message ?? '')
    await assertWhole(scene, 'old')
  } finally {
    process.kill(await pidOnceWritten(scene.pidFile)) // the one that was started
  }
})

test('two deployments at once: one after the other, and the same one twice runs once', async (t) => {
  const scene = await tinyScene(t)
  const engine = testEngine(scene.folder)
  const [first, second] = [await request(scene), await request(scene)]
  const [a, again, b] = await Promise.all([engine.deploy(first), engine.deploy(first), engine.deploy(second)])
  assert.equal(a.outcome, 'deployed')
  assert.deepEqual(again, a)
  assert.equal(b.error?.code, 'PLAN_CHANGED', 'the second was planned for a host that is no more')
  await assertWhole(scene, 'new')
})

test('a listener of the log that throws does not disturb the deployment', async (t) => {
  const scene = await tinyScene(t)
  const result = await testEngine(scene.folder).deploy(await request(scene), () => { throw new Error('no line') })
  assert.equal(result.outcome, 'deployed')
  assert.ok(result.log.some((entry) => !entry.ok && entry.message.includes('no line')))
})

test('what was there before is kept sealed for a time, and old copies go', async (t) => {
  const scene = await tinyScene(t)
  let now = new Date('2026-01-01T00:00:00Z')
  const engine = testEngine(scene.folder, { now: () => now, limits: { backupDays: 10, backupsPerPath: 3 } })
  const deploy = await request(scene)
  assert.equal((await engine.deploy(deploy)).outcome, 'deployed')
  const journals = join(scene.folder, 'journals')
  const [name = ''] = await readdir(journals)
  const everything = (await Promise.all((await readdir(join(journals, name))).map((file) => readFile(join(journals, name, file), 'utf8')))).join('')
  assert.doesNotMatch(everything, /PRIVATE KEY/)
  await engine.acknowledge(deploy.deploymentId)
  assert.deepEqual(await readdir(journals), [name], 'kept after the acknowledgement')
  now = new Date('2026-01-12T00:00:00Z')
  await testEngine(scene.folder, { now: () => now, limits: { backupDays: 10, backupsPerPath: 3 } }).recover()
  assert.deepEqual(await readdir(journals), [])
})
