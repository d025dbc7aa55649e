import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test, type TestContext } from 'node:test'
import type { Action, DeploymentState } from '@certloop/contract'
import { eventually, leftOut, nginxTempPaths, selfSignedPair, startNginx, tempFolder, writePair } from '@certloop/test-kit'
import { arm, openTasks, program, rotate, rows, spread } from './kit/crash-kit.ts'
import { configureFromScan, discovered, startBot, startPlane, uniqueName } from './kit/plane.ts'
import { served } from './kit/served.ts'

/** nginx that takes no RSA key of 2048 bits, and a configuration that orders one, with plans that wait for a person. */
async function setUp(t: TestContext) {
  const name = uniqueName()
  const pair = await writePair(await tempFolder(t, 'files'), 'shop', await selfSignedPair([name]))
  const nginx = await startNginx(t, {
    configuration: ({ prefix, ports }) => `http {
${nginxTempPaths(prefix)}
  ssl_ciphers HIGH:@SECLEVEL=3;
  server { listen 127.0.0.1:${ports[0]} ssl; server_name ${name}; ssl_certificate ${pair.certPath}; ssl_certificate_key ${pair.keyPath}; }
}
`,
  })
  const plane = await startPlane(t, { program, arguments: [] })
  await startBot(t, plane)
  const { id } = await configureFromScan(plane, await discovered(plane, name), { approval: 'manual', csr: { commonName: null, names: [], keyAlgorithm: 'rsa-2048', keyReuse: false, validityDays: null } })
  return { name, pair, port: nginx.ports[0] ?? 0, plane, id }
}
type Stage = Awaited<ReturnType<typeof setUp>>
type Decision = 'approve' | 'cancel'

/** Decides about the plan as soon as it waits, and goes on until the action has ended, whatever happens to the control plane. */
async function seeThrough({ plane }: Stage, id: Action['id'], decision: Decision): Promise<{ killed: boolean; deployment: DeploymentState | undefined }> {
  let killed = false
  const look = async () => {
    const action = await plane.client.call('getAction', { params: { id } })
    const [deploymentId] = action.deploymentIds
    const found = deploymentId ? (await plane.client.call('getDeployment', { params: { id: deploymentId } })).deployment : undefined
    if (found?.state === 'planned' && found.plan) {
      const params = { id: found.id }
      if (decision === 'approve') await plane.client.call('approveDeployment', { params, body: { digest: found.plan.digest } })
      else await plane.client.call('cancelDeployment', { params })
    }
    return action.endedAt ? { killed, deployment: found?.state } : undefined
  }
  return eventually(async () => {
    if (plane.process().child.signalCode !== null) {
      killed = true
      await plane.restart()
    }
    return look()
  }, { what: `the end of ${id}`, timeoutMs: 90_000 })
}

for (const [decision, end, actionEnd] of [['approve', 'rolled-back', 'failed'], ['cancel', 'cancelled', 'cancelled']] as const) {
  test(`killed at commits all over a rotation that ends ${end}, the control plane goes on`, { skip: leftOut('nginx'), timeout: 1_000_000 }, async (t) => {
    const stage = await setUp(t)
    const { plane, port, name, pair } = stage
    const before = await served(port, name)
    const check = async (action: string, deployment: DeploymentState | undefined, at: string) => {
      assert.equal(deployment, end, at)
      const orders = rows<{ id: string; state: string }>(plane, 'select id, state from "certificateOrder" where "actionId" = ?', action)
      assert.deepEqual(orders.map((o) => o.state), ['complete'], at)
      assert.equal(rows(plane, 'select serialNumber from ca_certificate where reference = ?', orders[0]?.id ?? '').length, 1, at)
      assert.deepEqual(rows<{ state: string }>(plane, 'select state from deployment where "actionId" = ?', action).map((d) => d.state), [end], at)
      assert.deepEqual(rows<{ state: string }>(plane, 'select state from action where id = ?', action).map((a) => a.state), [actionEnd], at)
      assert.equal(await served(port, name), before, at)
      assert.equal(await readFile(pair.certPath, 'utf8'), pair.certPem, at)
      await eventually(() => openTasks(plane).length === 0, { what: `${at}: no open task` })
    }
    await arm(plane)
    const first = await rotate(stage)
    await check(first.action, (await seeThrough(stage, first.action, decision)).deployment, 'good run')
    plane.process().kill('SIGUSR2')
    const moments = Number((await plane.process().waitFor(/counted (\d+) moments/))[1])
    await plane.kill()
    let killedRuns = 0
    const tried = spread(moments, 10)
    for (const k of tried) {
      await plane.restart({ CRASH_AT: String(k) })
      await arm(plane)
      const { action, killed: atOnce } = await rotate(stage)
      const { killed, deployment } = await seeThrough(stage, action, decision)
      if (killed || atOnce) killedRuns++
      await check(action, deployment, `killed at ${k}`)
      await plane.kill()
    }
    t.diagnostic(`killed at ${killedRuns} of ${tried.length} moments out of ${moments}`)
    assert.ok(killedRuns >= tried.length - 2, `only ${killedRuns} of ${tried.length} runs were killed`)
  })
}
