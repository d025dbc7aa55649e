import { selfSignedPair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { runEngine } from './crash-harness.ts'
import { materialOf, testEngine } from './engine-kit.ts'
import { keystoreScene } from './keystore-scene.ts'
import { assertWhole, checkCommand, planned, request, reset, type Scene, tinyScene, toolCommand } from './scene.ts'

const deploy = async (scene: Scene) => testEngine(scene.folder).deploy(await request(scene))
const outcomeOf = async (scene: Scene) => { const { outcome, error } = await deploy(scene); return [outcome, error?.code] }
const nextPair = async (scene: Scene) => { scene.material = await materialOf(scene.folder, scene.next = await selfSignedPair(['shop.test'])) }

test('without overwriting, what was there before stops the plan and names it; what was put there by this engine gives way', async (t) => {
  const scene = await tinyScene(t)
  const allowed = await request(scene)
  scene.options = { overwrite: false }
  const { subject } = new X509Certificate(scene.old.certPem)
  await assert.rejects(planned(scene), (error: Error & { code?: string }) => error.code === 'TARGET_OCCUPIED' && [scene.certPath, subject, scene.old.fingerprint].every((part) => error.message.includes(part)))
  // Approved while overwriting was allowed, and carried out when it no longer is.
  const refused = await testEngine(scene.folder).deploy({ ...allowed, target: { ...allowed.target, overwrite: false } })
  assert.deepEqual([refused.outcome, refused.touched, refused.error?.code], ['failed', false, 'TARGET_OCCUPIED'])
  await assertWhole(scene, 'old')

  scene.options = {}
  assert.deepEqual(await outcomeOf(scene), ['deployed', undefined])
  scene.options = { overwrite: false }
  await nextPair(scene)
  assert.deepEqual(await outcomeOf(scene), ['deployed', undefined])
  await assertWhole(scene, 'new')
  const ledger = join(scene.folder, 'ledger')
  assert.doesNotMatch(await readFile(join(ledger, (await readdir(ledger))[0] ?? ''), 'utf8'), /PRIVATE|CERTIFICATE/)
})

test('new files need no permission, and those of somebody else among them stop everything', async (t) => {
  const scene = await tinyScene(t)
  await reset(scene)
  scene.options = { overwrite: false }
  const [certPath, keyPath] = ['made.crt', 'made.key'].map((name) => join(scene.folder, '..', name)) as [string, string]
  Object.assign(scene.fields, { certificatePath: certPath, keyPath, proofSeconds: 1, testArgv: checkCommand(certPath, keyPath) })
  await planned(scene)
  await writeFile(keyPath, scene.old.keyPem)
  await assert.rejects(planned(scene), { code: 'TARGET_OCCUPIED', message: new RegExp(`${keyPath} holds a private key`) })
  await writeFile(keyPath, 'notes')
  await assert.rejects(planned(scene), { code: 'TARGET_OCCUPIED', message: /something else \(5 bytes\)/ })
})

test('after a rollback the same things are ours as before it, and nothing more', async (t) => {
  const scene = await tinyScene(t)
  scene.fields.testArgv = toolCommand('refuse')
  assert.deepEqual(await outcomeOf(scene), ['rolled-back', 'CONFIG_TEST_FAILED'])
  scene.options = { overwrite: false }
  await assert.rejects(planned(scene), { code: 'TARGET_OCCUPIED' })
  // The pair that was rolled back is put there by somebody else: not ours either.
  await writeFile(scene.certPath, scene.next.certPem)
  await nextPair(scene)
  await assert.rejects(planned(scene), { code: 'TARGET_OCCUPIED' })
})

test('in a keystore only the entry of the alias counts, also when others are added to the file', async (t) => {
  const scene = await keystoreScene(t)
  const { old } = scene
  scene.options = { overwrite: false }
  await assert.rejects(planned(scene), { code: 'TARGET_OCCUPIED', message: new RegExp(`The entry "shop" of .*server\\.p12 holds the certificate of .*${old.fingerprint}`) })
  scene.fields.alias = 'another'
  await planned(scene)
  Object.assign(scene, { options: {} })
  scene.fields.alias = 'Shop'
  assert.deepEqual(await outcomeOf(scene), ['deployed', undefined])
  scene.options = { overwrite: false }
  scene.fields.alias = 'third'
  scene.fields.proofSeconds = 1
  await nextPair(scene)
  await testEngine(scene.folder).deploy({ ...await request(scene), rollback: false })
  scene.fields.alias = 'shop'
  await planned(scene)
})

test('killed around the outcome, the engine still knows afterwards what it put there', { timeout: 120_000 }, async (t) => {
  for (const point of ['do-4:after', 'ledger:before', 'ledger:after']) {
    const scene = await tinyScene(t)
    assert.ok((await runEngine(scene, await request(scene), point)).killed)
    const { recovered } = await testEngine(scene.folder).recover()
    assert.equal(recovered[0]?.result.outcome, 'deployed')
    scene.options = { overwrite: false }
    await nextPair(scene)
    await planned(scene)
  }
})
