import assert from 'node:assert/strict'
import { appendFile, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { Action, CertificateId, DeploymentDetail } from '@certloop/contract'
import { keyMatchesCertificate, readCertificate } from '@certloop/pki'
import { eventually, freePort, leftOut, runProcess, selfSignedPair, startNginx, startProcess, tempFolder, type RunningNginx, type TestPair, writePair } from '@certloop/test-kit'
import { cannotMount, fillDisk, smallDisk } from '../../apps/bot/test/engine/mounts.ts'
import { cuttableWay } from './kit/cuttable.ts'
import { openJournals } from './kit/journals.ts'
import { act, configurationFor, configureFromScan, discovered, ended, startBot, startPlane, type Plane, type PlaneOptions, type RunningBot } from './kit/plane.ts'
import { served } from './kit/served.ts'

const options = { skip: leftOut('nginx'), timeout: 240_000 }
const asRoot = { ...options, skip: options.skip || cannotMount }
const name = 'shop.example'

interface Scene { folder: string; pair: TestPair & { certPath: string; keyPath: string }; nginx: RunningNginx; plane: Plane; bot: RunningBot; id: CertificateId }

/** A certificate in care on a real nginx, rotated once. */
async function scene(t: TestContext, { folder, plane: more = {} }: { folder?: string; plane?: PlaneOptions } = {}): Promise<Scene> {
  const place = folder ?? await tempFolder(t, 'files')
  const pair = await writePair(place, 'shop', await selfSignedPair([name]))
  const nginx = await startNginx(t, { servers: [{ names: [name], certPath: pair.certPath, keyPath: pair.keyPath }] })
  const plane = await startPlane(t, more)
  const bot = await startBot(t, plane)
  const { id } = await configureFromScan(plane, await discovered(plane, name))
  assert.equal((await act(plane, id, 'rotate')).state, 'done')
  return { folder: place, pair, nginx, plane, bot, id }
}

const portOf = ({ nginx }: Scene) => nginx.ports[0] ?? 0
const servedBy = (at: Scene) => served(portOf(at), name)

async function deploymentOf({ plane }: Scene, { deploymentIds: [id] }: Action): Promise<DeploymentDetail> {
  assert.ok(id, 'the action has a deployment')
  return (await plane.client.call('getDeployment', { params: { id } })).deployment
}

/** Files, handshake, inventory and journals are of one mind. */
async function assertWhole(at: Scene, fingerprint: string, status: string): Promise<void> {
  const { pair, nginx, plane, bot, id } = at
  await eventually(async () => await servedBy(at) === fingerprint, { what: 'the certificate in handshakes' })
  const certPem = await readFile(pair.certPath, 'utf8')
  assert.equal(readCertificate(certPem).fingerprint, fingerprint, 'the certificate file')
  assert.ok(keyMatchesCertificate(await readFile(pair.keyPath, 'utf8'), certPem), 'the key file')
  assert.deepEqual((await readdir(dirname(pair.certPath))).filter((entry) => entry !== 'filler').toSorted(), ['shop.crt', 'shop.key'])
  assert.equal((await nginx.testConfiguration()).code, 0)
  assert.deepEqual(await openJournals(bot.dataFolder), [])
  const certificate = await plane.client.call('getCertificate', { params: { id } })
  assert.deepEqual([certificate.status, certificate.installations[0]?.fingerprint], [status, fingerprint])
}

/** A rotation that ends badly with this code, and leaves all as it was; mended, the next one goes through. */
async function failsWith(at: Scene, code: string, mend: () => Promise<unknown>): Promise<void> {
  const before = await servedBy(at)
  const action = await act(at.plane, at.id, 'rotate')
  assert.deepEqual([action.state, action.error?.code], ['failed', code], JSON.stringify(action))
  const { state, error } = await deploymentOf(at, action)
  assert.equal(error?.code, code)
  assert.ok(state === 'failed' || state === 'rolled-back', state)
  await assertWhole(at, before, state === 'failed' ? 'deployment-failed' : 'rolled-back')
  await mend()
  const again = await act(at.plane, at.id, 'rotate')
  assert.equal(again.state, 'done', JSON.stringify(again))
  await assertWhole(at, (await deploymentOf(at, again)).fingerprint, 'deployed')
}

async function run(t: TestContext, ...argv: [string, ...string[]]): Promise<void> {
  const { code, stderr } = await runProcess(t, argv)
  assert.equal(code, 0, `${argv.join(' ')}: ${stderr}`)
}

test('a disk that is full', asRoot, async (t) => {
  const at = await scene(t, { folder: await smallDisk(t, 64) })
  fillDisk(at.folder)
  await failsWith(at, 'DISK_FULL', () => rm(join(at.folder, 'filler')))
})

test('a certificate file that is immutable', asRoot, async (t) => {
  const at = await scene(t)
  const { code, stderr } = await runProcess(t, ['chattr', '+i', at.pair.certPath])
  if (code !== 0) return t.skip(`chattr does not work here: ${stderr.trim()}`)
  const mend = () => run(t, 'chattr', '-i', at.pair.certPath)
  try {
    await failsWith(at, 'FILE_UNWRITABLE', mend)
  } finally {
    await mend()
  }
})

test('a folder that is mounted read-only', asRoot, async (t) => {
  const folder = await smallDisk(t, 256)
  const at = await scene(t, { folder })
  await run(t, 'mount', '--bind', folder, folder)
  try {
    await run(t, 'mount', '-o', 'remount,bind,ro', folder)
    await failsWith(at, 'FILE_UNWRITABLE', () => run(t, 'mount', '-o', 'remount,bind,rw', folder))
  } finally {
    await run(t, 'umount', '-l', folder)
  }
})

/** The reload signal goes to a process of ours in place of nginx: a moment in the middle of a deployment that lasts. */
async function gatedReload(t: TestContext, { nginx }: Scene) {
  const gate = await startProcess(t, ['sh', '-c', 'trap "echo told" HUP; echo ready; while :; do sleep 0.1; done'])
  await gate.waitFor(/ready/)
  const pidFile = join(nginx.prefix, 'nginx.pid')
  await writeFile(pidFile, `${gate.pid}\n`)
  return {
    told: () => gate.waitFor(/told/, 60_000),
    async open() {
      await writeFile(pidFile, `${nginx.pid}\n`)
      process.kill(nginx.pid, 'SIGHUP')
    },
    mend: () => writeFile(pidFile, `${nginx.pid}\n`),
  }
}

test('a reload that is taken and does nothing: the proof sees the previous certificate', options, async (t) => {
  const at = await scene(t)
  const gate = await gatedReload(t, at)
  await failsWith(at, 'PROOF_MISMATCH', () => gate.mend())
})

/** Something happens to the connection in the middle of a deployment, which goes on; then it is there again. */
async function inTheMiddle(t: TestContext, at: Scene, loseAndRegain: (whileLost: () => Promise<void>) => Promise<void>): Promise<void> {
  const gate = await gatedReload(t, at)
  const before = await servedBy(at)
  const { id } = await at.plane.client.call('startAction', { params: { id: at.id, action: 'rotate' }, body: {} })
  await gate.told()
  await loseAndRegain(async () => {
    await gate.open()
    await eventually(async () => await servedBy(at) !== before, { what: 'the new certificate served' })
    await eventually(async () => (await openJournals(at.bot.dataFolder)).length === 0, { what: 'the end of the deployment on the host', timeoutMs: 30_000 })
  })
  const action = await ended(at.plane, id, 120_000)
  assert.equal(action.state, 'done', JSON.stringify(action))
  const { state, fingerprint } = await deploymentOf(at, action)
  assert.equal(state, 'deployed')
  await assertWhole(at, fingerprint, 'deployed')
}

test('the network between bot and control plane is cut in the middle of a deployment', options, async (t) => {
  const port = await freePort()
  const way = await cuttableWay(t, port)
  const origin = `http://localhost:${way.port}`
  const at = await scene(t, { plane: { port, origin, env: { CERTLOOP_PUBLIC_URL: origin } } })
  await inTheMiddle(t, at, async (whileLost) => {
    way.cut()
    await whileLost()
    const { deployments } = await at.plane.client.call('getBot', { params: { id: at.bot.id } })
    // The first line of its log may or may not have come through before the cut.
    assert.ok(deployments.some(({ state }) => state === 'pending' || state === 'deploying'), 'the control plane can not know the end yet')
    way.mend()
  })
})

test('the control plane is killed and started again in the middle of a deployment', options, async (t) => {
  const at = await scene(t)
  await inTheMiddle(t, at, async (whileLost) => {
    await at.plane.kill()
    await whileLost()
    await at.plane.restart()
  })
})

test('nginx.conf edited between plan and approval: refused with the differences', options, async (t) => {
  const at = await scene(t)
  const { plane, nginx, id } = at
  const before = await servedBy(at)
  const { suggestions } = await plane.client.call('getCertificate', { params: { id } })
  const targets = suggestions.map(({ botId, serverType, fields }) => ({ botId, serverType, fields }))
  await plane.client.call('setConfiguration', { params: { id }, body: await configurationFor(plane, targets, { approval: 'manual' }) })
  const started = await plane.client.call('startAction', { params: { id, action: 'rotate' }, body: {} })
  const planned = await eventually(async () => {
    const action = await plane.client.call('getAction', { params: { id: started.id } })
    if (action.deploymentIds.length === 0) return undefined
    const deployment = await deploymentOf(at, action)
    return deployment.state === 'planned' ? deployment : undefined
  }, { what: 'a plan', timeoutMs: 60_000 })
  await appendFile(nginx.configPath, '# edited since\n')
  await plane.client.call('approveDeployment', { params: { id: planned.id }, body: { digest: planned.plan?.digest ?? '' } })
  assert.equal((await ended(plane, started.id)).state, 'failed')
  const { deployment } = await plane.client.call('getDeployment', { params: { id: planned.id } })
  assert.deepEqual([deployment.state, deployment.error?.code], ['failed', 'PLAN_CHANGED'])
  assert.match(deployment.differences.join('\n'), /nginx\.conf: changed\n[^]*# edited since/)
  await assertWhole(at, before, 'deployment-failed')
})
