import type { DeployResult } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import { eventually, tempFolder } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { DeployRequest } from '../../src/engine/index.ts'
import { leftOutReach, reached } from '../kit/reach.ts'
import { localHost, testEngine } from './engine-kit.ts'
import { assertWhole, request, tinyScene, toolCommand, type TinyScene } from './scene.ts'

/** A reload that hangs the first time, with a process of its own in its group, and tells the server each time after that. */
async function hangingOnce(t: TestContext, scene: TinyScene): Promise<{ pids(): Promise<number[]> }> {
  const folder = await tempFolder(t, 'hang')
  const [flag, pids] = [join(folder, 'flag'), join(folder, 'pids')]
  await writeFile(flag, '')
  await writeFile(pids, '')
  scene.fields.reloadArgv = ['/bin/sh', '-c', 'if [ -f "$2" ]; then rm "$2"; sleep 600 & echo "$$ $!" > "$3"; wait; fi; exec kill -HUP "$(cat "$1")"', 'reload', scene.pidFile, flag, pids]
  return { pids: async () => (await readFile(pids, 'utf8')).trim().split(' ').filter(Boolean).map(Number) }
}

/** What never ends stays referred to, as the open files of its engine are. */
const stalled: unknown[] = []
const never = (): Promise<never> => new Promise((_resolve, reject) => { stalled.push(reject) })

const isRunning = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
const allGone = (pids: number[]) => eventually(() => pids.every((pid) => !isRunning(pid)), { what: 'the processes of the reload being gone' })

/** Starts, waits for the reload to hang, and asks to stop. */
async function cancelledInReload(t: TestContext, scene: TinyScene, deploy: DeployRequest, host: Host, { pids }: { pids(): Promise<number[]> }): Promise<{ result: DeployResult; ms: number }> {
  const stop = new AbortController()
  const running = testEngine(scene.folder, { hostFor: () => host }).deploy(deploy, undefined, stop.signal)
  await eventually(async () => (await pids()).length === 2, { what: 'the reload hanging', timeoutMs: 20_000 })
  const hanging = await pids()
  assert.ok(hanging.every(isRunning))
  const asked = performance.now()
  stop.abort()
  const result = await running
  const ms = performance.now() - asked
  t.diagnostic(`ended ${Math.round(ms)} ms after it was asked to stop`)
  await allGone(hanging)
  return { result, ms }
}

for (const [reach, rollback] of [['local', true], ['local', false], ['ssh', true]] as const) {
  test(`a hanging reload is ended with its processes, and the old certificate is back (${reach}, rollback ${rollback ? 'on' : 'off'})`, { skip: leftOutReach(reach), timeout: 60_000 }, async (t) => {
    const { host } = await reached(reach)
    const scene = await tinyScene(t)
    const hanging = await hangingOnce(t, scene)
    const deploy = await request(scene, { rollback })
    const { result, ms } = await cancelledInReload(t, scene, deploy, host, hanging)
    assert.deepEqual([result.outcome, result.touched, result.error?.code], ['rolled-back', true, 'DEPLOYMENT_CANCELLED'])
    assert.match(result.error?.message ?? '', /Cancelled by hand in Step 4 of 5: Reload tiny/)
    assert.equal(result.inspection?.served[0]?.fingerprint, scene.old.fingerprint)
    assert.ok(ms < 15_000)
    await assertWhole(scene, 'old')
  })
}

test('asked to stop before anything was changed, nothing is touched', async (t) => {
  const scene = await tinyScene(t)
  const deploy = await request(scene)
  const before = await readdir(join(scene.folder, 'journals')).catch(() => [])
  const result = await testEngine(scene.folder).deploy(deploy, undefined, AbortSignal.abort())
  assert.deepEqual([result.outcome, result.touched, result.error?.code], ['failed', false, 'DEPLOYMENT_CANCELLED'])
  assert.deepEqual(await readdir(join(scene.folder, 'journals')).catch(() => []), before, 'there is no journal of it')

  const stop = new AbortController()
  const staged = await testEngine(scene.folder, { crashPoint: (name) => { if (name === 'stage-1:before') stop.abort() } }).deploy(await request(scene), undefined, stop.signal)
  assert.deepEqual([staged.outcome, staged.touched, staged.error?.code], ['failed', false, 'DEPLOYMENT_CANCELLED'])
  await assertWhole(scene, 'old')
})

test('asked to stop after the proof, the deployment stands', async (t) => {
  const scene = await tinyScene(t)
  const stop = new AbortController()
  const result = await testEngine(scene.folder, { crashPoint: (name) => { if (name === 'do-4:after') stop.abort() } }).deploy(await request(scene), undefined, stop.signal)
  assert.equal(result.outcome, 'deployed')
  await assertWhole(scene, 'new')
})

test('a bot that stops between the request and the undo ends old, although everything lay ready to go on', async (t) => {
  const scene = await tinyScene(t)
  const hanging = await hangingOnce(t, scene)
  const deploy = await request(scene)
  const stop = new AbortController()
  let cut = false
  const dying = new Error('the bot is gone')
  const engine = testEngine(scene.folder, {
    hostFor: () => ({ ...localHost, run: async (argv, options) => { const done = localHost.run(argv, options); return cut ? never() : done.catch(() => never()) } }),
    crashPoint: (name) => { if (name.includes('undo')) throw dying },
  })
  void engine.deploy(deploy, undefined, stop.signal)
  await eventually(async () => (await hanging.pids()).length === 2, { what: 'the reload hanging' })
  cut = true
  stop.abort()
  const [name = ''] = await readdir(join(scene.folder, 'journals'))
  const journal = join(scene.folder, 'journals', name, 'journal.ndjson')
  await eventually(async () => (await readFile(journal, 'utf8')).includes('"type":"cancel"'), { what: 'the request being on disk' })
  await allGone(await hanging.pids())

  const { recovered, stuck } = await testEngine(scene.folder).recover()
  assert.deepEqual(stuck, [])
  assert.deepEqual(recovered.map(({ result }) => [result.outcome, result.error?.code]), [['rolled-back', 'DEPLOYMENT_CANCELLED']])
  await assertWhole(scene, 'old')
})

test('one whose journal is open is taken back at once when it is wanted no more', async (t) => {
  const scene = await tinyScene(t)
  const deploy = await request(scene)
  // As a killed process leaves it: everything lies ready, and nobody has gone on.
  const engine = testEngine(scene.folder, { hostFor: () => ({ ...localHost, run: () => never() }) })
  void engine.deploy(deploy)
  await eventually(async () => (await readFile(scene.certPath, 'utf8')) === scene.next.certPem, { what: 'the new file being there' })
  const [name = ''] = await readdir(join(scene.folder, 'journals'))
  await eventually(async () => (await readFile(join(scene.folder, 'journals', name, 'journal.ndjson'), 'utf8')).includes('"type":"begun","step":2'), { what: 'the test being begun' })
  const result = await testEngine(scene.folder).deploy(deploy, undefined, AbortSignal.abort())
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'DEPLOYMENT_CANCELLED'])
  await assertWhole(scene, 'old')
})

test('a failing step is told as what it is when nobody asked to stop', async (t) => {
  const scene = await tinyScene(t)
  scene.fields.reloadArgv = toolCommand('refuse')
  const result = await testEngine(scene.folder).deploy(await request(scene), undefined, new AbortController().signal)
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'RELOAD_FAILED'])
  await assertWhole(scene, 'old')
})
