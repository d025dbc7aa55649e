import { type DeployResult, newId, type SshReach } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import { eventually, leftOut, type RunningNginx, selfSignedPair, startNginx, tempFolder, type TestPair, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, describe, test, type TestContext } from 'node:test'
import { DeploymentUnfinished, probersFor } from '../../src/engine/index.ts'
import { createSshPool } from '../../src/hosts/ssh/pool.ts'
import { materialOf, testEngine } from '../engine/engine-kit.ts'
import { cuttable } from '../kit/cuttable.ts'
import { assertDeployed, isOf, nginxDriver } from '../nginx/nginx-kit.ts'
import { leftOutSsh, type SshScene, sshScene } from './ssh-kit.ts'

const probeFor = probersFor({ now: () => new Date() })

const skip = leftOutSsh || leftOut('nginx')
const finishing: (() => unknown)[] = []
let scene: SshScene
before(async () => { if (!skip) scene = await sshScene({ after: (finish) => { finishing.push(finish as () => unknown) } }) })
after(async () => { for (const finish of finishing) await finish() })

async function served(t: TestContext) {
  const folder = await tempFolder(t, 'pairs')
  const pair = await writePair(folder, 'one', await selfSignedPair(['one.test']))
  const nginx = await startNginx(t, { servers: [{ names: ['one.test'], ...pair }] })
  return { pair, nginx, next: await selfSignedPair(['one.test']) }
}
async function fieldsOf(nginx: RunningNginx, host: Host) {
  const found = (await (await nginxDriver()).detect({ host, probe: probeFor(host) })).find(isOf(nginx))
  assert.deepEqual(found?.slots.map(({ problem }) => problem), [null], JSON.stringify(found))
  return found?.slots[0]?.fields ?? {}
}
async function deploying(t: TestContext, nginx: RunningNginx, host: Host, reach: SshReach) {
  const folder = await tempFolder(t, 'engine')
  const target = { serverType: 'nginx', reach, fields: await fieldsOf(nginx, host) }
  const engine = (using: Host, crashPoint?: (name: string) => void) => testEngine(folder, { hostFor: () => using, ...(crashPoint ? { crashPoint } : {}) })
  const request = async (next: TestPair) => ({ deploymentId: newId('dep', new Date()), target, material: await materialOf(folder, next) })
  return { engine, request }
}
const looks = async (host: Host, nginx: RunningNginx) => (await probeFor(host)({ address: '127.0.0.1', port: nginx.ports[0] ?? 0, serverName: 'one.test', keyType: null })).fingerprint

describe('nginx over SSH', { skip }, () => {
  for (const privilege of ['none', 'sudo'] as const) {
    test(`found, planned, deployed and proven; a broken configuration is told before anything is touched (${privilege === 'sudo' ? 'sudo' : 'root'})`, { timeout: 120_000 }, async (t) => {
      const reach = scene.reach(privilege === 'sudo' ? scene.admin.name : scene.root.name, { privilege })
      const host = scene.host(reach)
      const { pair, nginx, next } = await served(t)
      const { engine, request } = await deploying(t, nginx, host, reach)
      const asked = await request(next)
      const started = performance.now()
      const plan = await engine(host).plan(asked)
      t.diagnostic(`plan: ${Math.round(performance.now() - started)} ms`)
      assert.deepEqual(plan.steps.map(({ kind }) => kind), ['write-file', 'write-file', 'run-command', 'reload-service', 'prove'])
      assertDeployed(await engine(host).deploy({ ...asked, plan, rollback: true }))
      assert.equal(await looks(host, nginx), next.fingerprint)
      assert.equal(await readFile(pair.certPath, 'utf8'), next.certPem)

      const third = await request(await selfSignedPair(['one.test']))
      const good = await readFile(nginx.configPath, 'utf8')
      let broken = false
      const breaking: Host = { ...host, renameFile: async (from, to) => {
        await host.renameFile(from, to)
        if (!broken) await writeFile(nginx.configPath, `${good}\nnonsense;`)
        broken = true
      }, run: async (argv, options) => {
        const said = await host.run(argv, options)
        if (broken && said.exitCode !== 0) await writeFile(nginx.configPath, good)
        return said
      } }
      const result = await engine(breaking).deploy({ ...third, plan: await engine(host).plan(third), rollback: true })
      assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'CONFIG_TEST_FAILED'], JSON.stringify(result.error))
      assert.equal(await readFile(pair.certPath, 'utf8'), next.certPem)
      assert.equal(await looks(host, nginx), next.fingerprint)
    })
  }
})

describe('an SSH connection that is cut or stands still', { skip }, () => {
  test('a connection cut in the middle and possible again at once: what is there afterwards is wholly old or new', { timeout: 120_000 }, async (t) => {
    const { pair, nginx, next } = await served(t)
    const proxy = await cuttable(t, scene.sshd.port)
    const pool = createSshPool({ connectTimeoutMs: 2000 })
    t.after(() => { pool.close() })
    const reach = scene.reach(scene.root.name, { port: proxy.port })
    const host = scene.host(reach, { pool })
    const { engine, request } = await deploying(t, nginx, host, reach)
    const asked = await request(next)
    const plan = await engine(host).plan(asked)
    const result: DeployResult = await engine(host, (point) => { if (point === 'do-1:before') { proxy.cut(); proxy.mend() } }).deploy({ ...asked, plan, rollback: true })
    assert.ok(['deployed', 'rolled-back'].includes(result.outcome), JSON.stringify(result.error))
    const certificate = await readFile(pair.certPath, 'utf8')
    const isNew = certificate === next.certPem
    assert.equal(await readFile(pair.keyPath, 'utf8'), isNew ? next.keyPem : pair.keyPem)
    await eventually(async () => await looks(host, nginx) === (isNew ? next.fingerprint : pair.fingerprint))
  })

  test('a connection that stays cut, through the undo too: the deployment is unfinished, and ended when the host is back', { timeout: 120_000 }, async (t) => {
    const { pair, nginx, next } = await served(t)
    const proxy = await cuttable(t, scene.sshd.port)
    const pool = createSshPool({ connectTimeoutMs: 2000 })
    t.after(() => { pool.close() })
    const host = scene.host(scene.reach(scene.root.name, { port: proxy.port }), { pool })
    const { engine, request } = await deploying(t, nginx, host, scene.reach(scene.root.name, { port: proxy.port }))
    const asked = await request(next)
    const plan = await engine(host).plan(asked)
    let cuts = 0
    const cut = engine(host, (point) => { if (point === 'do-1:before' && cuts++ === 0) proxy.cut() })
    await assert.rejects(cut.deploy({ ...asked, plan, rollback: true }), (thrown) => thrown instanceof DeploymentUnfinished && thrown.code === 'HOST_UNREACHABLE' && /not finished/.test(thrown.message))
    assert.equal(await cut.outcomeOf(asked.deploymentId), undefined, 'nothing says that it is over')
    assert.deepEqual((await cut.recover()).stuck.map(({ error }) => error.code), ['HOST_UNREACHABLE'])
    proxy.mend()
    const { recovered: [only], stuck } = await cut.recover()
    assert.deepEqual(stuck, [])
    assert.equal(only?.result.outcome, 'deployed', JSON.stringify(only?.result))
    assert.deepEqual([await readFile(pair.certPath, 'utf8'), await readFile(pair.keyPath, 'utf8')], [next.certPem, next.keyPem])
    assert.equal(await looks(host, nginx), next.fingerprint)
    assert.equal((await cut.deploy({ ...asked, plan, rollback: true })).outcome, 'deployed', 'the same result to whoever asks again')
  })

  test('a host that stops answering in the middle of a command is given up at the deadline', { timeout: 60_000 }, async (t) => {
    const proxy = await cuttable(t, scene.sshd.port)
    const pool = createSshPool({ connectTimeoutMs: 1000, keepaliveMs: 300 })
    t.after(() => { pool.close() })
    const host = scene.host(scene.reach(scene.root.name, { port: proxy.port }), { pool })
    await host.run(['true'])
    const slow = host.run(['sleep', '30'], { timeoutSeconds: 40 })
    proxy.stall()
    await assert.rejects(slow, { code: 'HOST_UNREACHABLE' })
    await assert.rejects(host.run(['true']), { code: 'HOST_UNREACHABLE', message: /within 1000 ms/ })
    proxy.mend()
    assert.equal((await host.run(['echo', 'again'])).stdout, 'again\n')
  })
})
