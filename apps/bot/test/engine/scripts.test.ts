import type { DeploymentId, TargetScript } from '@certloop/contract'
import { eventually } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { shortName } from '../../src/engine/run.ts'
import { createLimits } from '../../src/hosts/limits.ts'
import { createLocalHost } from '../../src/hosts/local-host.ts'
import { runEngine } from './crash-harness.ts'
import { testEngine } from './engine-kit.ts'
import { assertWhole, planned, request, tinyScene, type TinyScene } from './scene.ts'

const sent = (text: string, timeoutSeconds = 20): TargetScript => ({ source: { from: 'platform', interpreter: '/bin/sh', text }, timeoutSeconds })
const deploy = async (scene: TinyScene) => testEngine(scene.folder).deploy(await request(scene))
/** Scripts of this deployment: other tests have theirs in the same folder. */
const leftBehind = async (id: DeploymentId) => (await readdir(tmpdir())).filter((name) => name.startsWith(`certloop-script-${shortName(id)}`))
const said = async (scene: TinyScene, name: string) => (await readFile(join(scene.folder, '..', name), 'utf8')).trim()

test('scripts get what they need to know and nothing else, from the platform and on the device; their output is kept', async (t) => {
  const scene = await tinyScene(t)
  const out = join(scene.folder, '..', 'out')
  scene.options = {
    secrets: { fields: { token: 'hunter2-and-more' } },
    scripts: { before: sent(`env | grep -v PWD | sort > ${out}; stat -c %a "$0" "$(dirname "$0")"; echo token hunter2-and-more`), after: { source: { from: 'device', argv: ['/bin/sh', '-c', 'echo "$CERTLOOP_WHEN"; cat'] }, timeoutSeconds: 20 } },
  }
  const asked = await request(scene)
  const result = await testEngine(scene.folder).deploy(asked)
  assert.equal(result.outcome, 'deployed', result.error?.message ?? '')
  const environment = Object.fromEntries((await said(scene, 'out')).split('\n').map((line) => line.split(/=(.*)/).slice(0, 2)))
  const { PATH: _path, LANG: _lang, LC_ALL: _all, _: _program, SHLVL: _level, OLDPWD: _old, ...rest } = environment
  assert.deepEqual(rest, { CERTLOOP_WHEN: 'before', CERTLOOP_DEPLOYMENT_ID: asked.deploymentId, CERTLOOP_SERVER_TYPE: 'tiny', CERTLOOP_FINGERPRINT: scene.next.fingerprint, CERTLOOP_NAMES: 'shop.test' })
  const outputs = result.log.filter(({ step }) => step === 0 || step === asked.plan.steps.length - 1).map(({ output }) => output).filter((output) => output !== null)
  assert.deepEqual(outputs, ['700\n700\ntoken [hidden]', 'after'], 'standard input is at its end for "cat"')
  assert.deepEqual(await leftBehind(asked.deploymentId), [])
})

test('a script before that fails leaves everything untouched, one after that fails brings the old pair back', async (t) => {
  const scene = await tinyScene(t)
  scene.options = { scripts: { before: sent('echo not today >&2; exit 3') } }
  const before = await deploy(scene)
  assert.deepEqual([before.outcome, before.touched, before.error?.code, before.error?.facts['exitCode']], ['failed', false, 'SCRIPT_FAILED', 3])
  assert.equal(before.log.find(({ ok }) => !ok)?.output, 'not today')
  assert.doesNotMatch(scene.server.output(), /reloaded/)
  await assertWhole(scene, 'old')
  scene.options = { scripts: { after: sent('exit 1') } }
  const after = await deploy(scene)
  assert.deepEqual([after.outcome, after.touched, after.error?.code], ['rolled-back', true, 'SCRIPT_FAILED'])
  await assertWhole(scene, 'old')
})

test('a script that never ends is killed at its deadline with everything it started', async (t) => {
  const scene = await tinyScene(t)
  scene.options = { scripts: { before: sent(`sleep 300 & echo $! > ${join(scene.folder, '..', 'child')}; wait`, 1) } }
  const asked = await request(scene)
  const result = await testEngine(scene.folder).deploy(asked)
  assert.deepEqual([result.outcome, result.touched, result.error?.code], ['failed', false, 'COMMAND_TIMEOUT'])
  const child = Number(await said(scene, 'child'))
  await eventually(async () => !/^State:\s[^ZX]/m.test(await readFile(`/proc/${child}/status`, 'utf8').catch(() => '')), { what: 'the end of what the script started' })
  assert.deepEqual(await leftBehind(asked.deploymentId), [])
})

test('a script that was cut off is not run again, and does not stay on the host', { timeout: 60_000 }, async (t) => {
  const scene = await tinyScene(t)
  const count = join(scene.folder, '..', 'count')
  scene.options = { scripts: { after: sent(`echo x >> ${count}; kill -9 $PPID; sleep 1`) } }
  const asked = await request(scene)
  const { killed, output } = await runEngine(scene, asked, null)
  assert.ok(killed, output)
  assert.equal((await leftBehind(asked.deploymentId)).length, 1)
  const { recovered } = await testEngine(scene.folder).recover()
  assert.deepEqual(recovered.map(({ result }) => [result.outcome, result.error?.code]), [['rolled-back', 'INTERRUPTED']])
  assert.equal(await said(scene, 'count'), 'x')
  assert.deepEqual(await leftBehind(asked.deploymentId), [])
  await assertWhole(scene, 'old')
})

test('where bot.toml allows no scripts, neither they nor commands of the target are planned, and the host refuses them as well', async (t) => {
  const scene = await tinyScene(t)
  const engine = testEngine(scene.folder, { scripts: false })
  await planned(scene, engine)
  scene.options = { scripts: { after: sent('true') } }
  await assert.rejects(planned(scene, engine), { code: 'COMMAND_NOT_ALLOWED', message: /limits\.scripts/ })
  scene.options = {}
  scene.fields.givenReload = true
  await assert.rejects(planned(scene, engine), { code: 'COMMAND_NOT_ALLOWED', message: /limits\.scripts/ }, 'nor a command that somebody gave')
  const strict = createLocalHost({ limits: createLimits({ writePaths: null, commands: null, scripts: false }) })
  const result = await testEngine(scene.folder, { hostFor: () => strict }).deploy(await request(scene))
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'COMMAND_NOT_ALLOWED'])
  await assertWhole(scene, 'old')
})

test('a command that somebody gave runs again after an undo, also when nothing listens any more', { timeout: 60_000 }, async (t) => {
  const scene = await tinyScene(t, { proofSeconds: 1 })
  const count = join(scene.folder, '..', 'count')
  Object.assign(scene.fields, { givenReload: true, reloadArgv: ['/bin/sh', '-c', `echo x >> ${count}; kill -HUP $(cat ${scene.pidFile}) || true`] })
  scene.options = { scripts: { after: sent(`kill $(cat ${scene.pidFile}); false`) } }
  const { error } = await testEngine(scene.folder).deploy(await request(scene))
  assert.deepEqual([error?.code, error?.facts['cause']], ['ROLLBACK_FAILED', 'SCRIPT_FAILED'])
  assert.equal((await said(scene, 'count')).replaceAll(/\s/g, ''), 'xx')
  await (await scene.startServer()).waitFor(/listening/)
  await assertWhole(scene, 'old')
})

test('another script is another plan', async (t) => {
  const scene = await tinyScene(t)
  scene.options = { scripts: { before: sent('true') } }
  const asked = await request(scene)
  const result = await testEngine(scene.folder).deploy({ ...asked, target: { ...asked.target, scripts: { before: sent('false') } } })
  assert.deepEqual([result.outcome, result.touched, result.error?.code], ['failed', false, 'PLAN_CHANGED'])
})
