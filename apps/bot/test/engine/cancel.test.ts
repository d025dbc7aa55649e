import type { DeployResult } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import { eventually, tempFolder } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { DeployRequest } from '../../src/engine/index.ts'
import type { WatchStops } from '../../src/engine/types.ts'
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

/** What a control plane answers of every deployment. */
const wanted = (stops: { cancel?: AbortSignal; again?: AbortSignal }): WatchStops => () => ({ asked: Promise.resolve(), cancel: stops.cancel ?? new AbortController().signal, again: stops.again ?? new AbortController().signal, end: () => undefined })

/** As a killed process leaves it: the new files are in place, and the test was begun. */
async function leftInTheMiddle(scene: TinyScene): Promise<DeployRequest> {
  const deploy = await request(scene)
  void testEngine(scene.folder, { hostFor: () => ({ ...localHost, run: () => never() }) }).deploy(deploy)
  const journals = join(scene.folder, 'journals')
  await eventually(async () => (await readFile(join(journals, `${deploy.deploymentId}.1`, 'journal.ndjson'), 'utf8').catch(() => '')).includes('"type":"begun","step":2'), { what: 'the test being begun' })
  return deploy
}

test('one that a person stopped while the bot was gone is taken back by its recovery, although it could go on', async (t) => {
  const scene = await tinyScene(t)
  await leftInTheMiddle(scene)
  const { recovered } = await testEngine(scene.folder, { watchStops: wanted({ cancel: AbortSignal.abort() }) }).recover()
  assert.deepEqual(recovered.map(({ result }) => [result.outcome, result.error?.code]), [['rolled-back', 'DEPLOYMENT_CANCELLED']])
  await assertWhole(scene, 'old')
})

test('a reload that hangs in a recovery is ended when somebody stops it, and looks at that machine wait for its end', async (t) => {
  const scene = await tinyScene(t)
  const hanging = await hangingOnce(t, scene)
  await leftInTheMiddle(scene)
  const stop = new AbortController()
  const engine = testEngine(scene.folder, { watchStops: wanted({ cancel: stop.signal }) })
  const order: string[] = []
  const recovering = engine.recover().finally(() => { order.push('recovered') })
  await eventually(async () => (await hanging.pids()).length === 2, { what: 'the reload hanging' })
  const look = engine.inspect({ serverType: 'tiny', reach: 'local', fields: { ...scene.fields } }).finally(() => { order.push('seen') })
  await new Promise((resolve) => { setTimeout(resolve, 300) })
  assert.deepEqual(order, [])
  stop.abort()
  const { recovered } = await recovering
  assert.deepEqual(recovered.map(({ result }) => [result.outcome, result.error?.code]), [['rolled-back', 'DEPLOYMENT_CANCELLED']])
  await look
  await allGone(await hanging.pids())
  await assertWhole(scene, 'old')
})

test('asked once more while the reload hangs with the old files too, it is not waited for: what is back and what to run is said', async (t) => {
  const scene = await tinyScene(t)
  const pids = join(await tempFolder(t, 'hang'), 'pids')
  scene.fields.reloadArgv = ['/bin/sh', '-c', 'echo "$$" >> "$1"; exec sleep 600', 'reload', pids]
  const [stop, again] = [new AbortController(), new AbortController()]
  const running = async () => (await readFile(pids, 'utf8').catch(() => '')).trim().split('\n').filter(Boolean).map(Number)
  const deploy = await request(scene)
  const said: string[] = []
  const done = testEngine(scene.folder, { watchStops: wanted({ again: again.signal }) }).deploy(deploy, ({ message }) => said.push(message), stop.signal)
  await eventually(async () => (await running()).length === 1, { what: 'the reload hanging' })
  await eventually(() => said.some((line) => /^Step 4 of 5: Reload tiny.*: runs since \d\d:\d\d:\d\d UTC/.test(line)), { what: 'the step that runs being named' })
  stop.abort()
  await eventually(async () => (await running()).length === 2, { what: 'the reload hanging with the old files' })
  assert.ok(said.some((line) => /^Step 4 of 5: Reload tiny.*: again with the old files, for at most \d+ (s|min)\.$/.test(line)), said.join('\n'))
  again.abort()
  const result = await done
  await allGone(await running())
  assert.deepEqual([result.outcome, result.error?.code], ['failed', 'ROLLBACK_FAILED'])
  const message = result.error?.message ?? ''
  for (const part of [`the old files are in place again (${scene.certPath}, ${scene.keyPath})`, 'it was not waited for, as somebody cancelled once more', 'Step 4 of 5 did not work with them; run it by hand: Reload tiny', join(scene.folder, 'journals', `${deploy.deploymentId}.1`)]) assert.ok(message.includes(part), `${part}\n${message}`)
  await assertWhole(scene, 'old')
})

test('a failing step is told as what it is when nobody asked to stop', async (t) => {
  const scene = await tinyScene(t)
  scene.fields.reloadArgv = toolCommand('refuse')
  const result = await testEngine(scene.folder).deploy(await request(scene), undefined, new AbortController().signal)
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'RELOAD_FAILED'])
  await assertWhole(scene, 'old')
})
