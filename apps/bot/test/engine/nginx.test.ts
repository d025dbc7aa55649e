import { leftOut } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { appendFileSync, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { killAtEveryPoint, killRecoveryAtEveryPoint, seeded, seedOfRun } from './crash-harness.ts'
import { testEngine } from './engine-kit.ts'
import { assertWhole, nginxScene, request } from './scene.ts'

const options = { timeout: 900_000, skip: leftOut('nginx') }

test('nginx: a deployment is proven, and its log tells no secret', options, async (t) => {
  const scene = await nginxScene(t)
  const result = await testEngine(scene.folder).deploy(await request(scene))
  assert.equal(result.outcome, 'deployed', result.error?.message ?? '')
  assert.doesNotMatch(JSON.stringify(result), /PRIVATE KEY/)
  await assertWhole(scene, 'new')
})

test('nginx killed at any point of a deployment serves the old or the new certificate with its key', options, async (t) => {
  const scene = await nginxScene(t)
  const { points, sides } = await killAtEveryPoint(scene, 'new', (line) => { t.diagnostic(line) })
  t.diagnostic(`${points.length} points: ${sides.old} ended old, ${sides.new} ended new`)
  assert.ok(sides.old > 0 && sides.new > 0, 'some go forward and some back')
})

test('nginx: killed again at any point of the recovery', options, async (t) => {
  const scene = await nginxScene(t)
  const seed = seedOfRun()
  t.diagnostic(`CERTLOOP_SEED=${seed}`)
  const random = seeded(seed)
  for (let i = 0; i < Number(process.env['CERTLOOP_CRASH_SAMPLE'] ?? 1); i++) {
    await killRecoveryAtEveryPoint(scene, 12 + Math.floor(random() * 22), (line) => { t.diagnostic(line) })
  }
})

test('nginx: a configuration that breaks while the files are replaced is noticed by its test and undone', options, async (t) => {
  const scene = await nginxScene(t)
  const good = await readFile(scene.nginx.configPath, 'utf8')
  const deploy = await request(scene)
  const result = await testEngine(scene.folder, {
    crashPoint: (name) => { if (name === 'do-1:after') appendFileSync(scene.nginx.configPath, 'nonsense on;\n') },
  }).deploy(deploy)
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'CONFIG_TEST_FAILED'], result.error?.message ?? '')
  assert.match(JSON.stringify(result.log), /unknown directive \\+"nonsense/)
  await writeFile(scene.nginx.configPath, good)
  await assertWhole(scene, 'old')
})

test('nginx: a reload that nginx accepts and then can not carry out is noticed by the proof and undone', options, async (t) => {
  const scene = await nginxScene(t, { proofSeconds: 2 })
  const good = await readFile(scene.nginx.configPath, 'utf8')
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.after(() => { taken.close() })
  const { port } = taken.address() as AddressInfo
  const result = await testEngine(scene.folder, {
    // nginx -t does not mind a port that is in use, and -s reload only sends a signal.
    crashPoint: (name) => { if (name === 'do-1:after') writeFileSync(scene.nginx.configPath, good.replace('server {', `server { listen 127.0.0.1:${port}; }\n  server {`)) },
  }).deploy(await request(scene))
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'PROOF_MISMATCH'], result.error?.message ?? '')
  assert.match(await scene.nginx.errorLog(), /bind\(\) to 127\.0\.0\.1:\d+ failed/)
  await writeFile(scene.nginx.configPath, good)
  await assertWhole(scene, 'old')
})

test('nginx: a changed configuration between plan and deployment is refused with the differences', options, async (t) => {
  const scene = await nginxScene(t)
  const deploy = await request(scene)
  const text = await readFile(scene.nginx.configPath, 'utf8')
  await writeFile(scene.nginx.configPath, text.replace('return 200 "hello";', 'return 200 "hello";\n    ssl_session_timeout 5m;'))
  const result = await testEngine(scene.folder).deploy(deploy)
  assert.deepEqual([result.outcome, result.touched, result.error?.code], ['failed', false, 'PLAN_CHANGED'])
  assert.match(result.differences.join('\n'), /\+\d+: +ssl_session_timeout 5m;/)
  await assertWhole(scene, 'old')
})
