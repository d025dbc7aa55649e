import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { CertificateId, DeploymentDetail } from '@certloop/contract'
import { eventually, leftOut, nginxPath, selfSignedPair, startNginx, tempFolder, writePair } from '@certloop/test-kit'
import { act, configurationFor, ended, startBot, startPlane, uniqueName, type Plane } from './kit/plane.ts'
import { served } from './kit/served.ts'

const impatient = fileURLToPath(new URL('./kit/impatient-plane.ts', import.meta.url))

const isRunning = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function latest(plane: Plane, certificateId: CertificateId): Promise<DeploymentDetail> {
  const { items: [first] } = await plane.client.call('listDeployments', { query: { certificateId } })
  assert.ok(first)
  return (await plane.client.call('getDeployment', { params: { id: first.id } })).deployment
}
const untilState = (plane: Plane, id: DeploymentDetail['id'], state: string) => eventually(async () => {
  const { deployment } = await plane.client.call('getDeployment', { params: { id } })
  return deployment.state === state ? deployment : undefined
}, { what: `${id} being ${state}`, timeoutMs: 60_000 })

/** A real nginx whose reload hangs, with a process of its own, as long as a file lies there. */
async function stuckNginx(t: Pick<TestContext, 'after'>, name: string) {
  const folder = await tempFolder(t, 'stuck')
  const pair = await writePair(folder, 'shop', await selfSignedPair([name]))
  const nginx = await startNginx(t, { servers: [{ names: [name], ...pair }] })
  const [script, flag, pids] = [join(folder, 'reload.sh'), join(folder, 'stuck'), join(folder, 'pids')]
  await writeFile(script, `if [ -f ${flag} ]; then sleep 600 & echo "$$ $!" > ${pids}; rm ${flag}; wait; fi\nexec ${nginxPath() ?? ''} -p ${nginx.prefix} -c ${nginx.configPath} -s reload\n`)
  const port = nginx.ports[0] ?? 0
  return {
    fields: { certificatePath: pair.certPath, keyPath: pair.keyPath, command: ['/bin/sh', script], proofPort: port, proofName: name, commandSeconds: 300 },
    flag, served: () => served(port, name),
    hanging: async () => (await readFile(pids, 'utf8')).trim().split(' ').map(Number),
  }
}

test('a reload that hangs is flagged against the usual time of its like, stopped, rolled back, and done again for the one target', { skip: leftOut('nginx'), timeout: 180_000 }, async (t) => {
  const plane = await startPlane(t, { program: impatient })
  const dataFolder = await tempFolder(t, 'bot')
  await writeFile(join(dataFolder, 'bot.toml'), '[limits]\nscripts = true\n', { mode: 0o600 })
  const bot = await startBot(t, plane, { dataFolder })
  const name = uniqueName()
  const [stuck, well] = [await stuckNginx(t, name), await stuckNginx(t, name)]
  const { id } = await plane.client.call('createCertificate', { body: { names: [name] } })
  await plane.client.call('setConfiguration', { params: { id }, body: await configurationFor(plane, [stuck, well].map(({ fields }) => ({ botId: bot.id, serverType: 'files', fields }))) })
  for (const _ of [1, 2]) {
    const action = await act(plane, id, 'rotate')
    assert.equal(action.state, 'done', JSON.stringify(action.error))
  }
  const before = await stuck.served()
  assert.equal(before, await well.served())

  await writeFile(stuck.flag, '')
  const action = await plane.client.call('startAction', { params: { id, action: 'rotate' }, body: {} })
  const slow = await eventually(async () => {
    const { items } = await plane.client.call('listDeployments', { query: { certificateId: id, state: 'deploying' } })
    return items.find((d) => d.slow !== null)
  }, { what: 'the deployment being flagged as slow', timeoutMs: 60_000 })
  assert.ok(slow.slow && slow.slow.usualSeconds < 3, `usual: ${slow.slow?.usualSeconds} s`)
  assert.match(slow.reason, /has been going on for .*, and its like usually take/)
  assert.equal(slow.nextAction, 'Look at the host, or cancel it.')
  assert.deepEqual(slow.can, ['cancel'])
  const { timeline } = await plane.client.call('getDeployment', { params: { id: slow.id } })
  assert.ok(timeline.some((event) => event.kind === 'deployment.slow'))
  assert.match((await plane.client.call('getCertificate', { params: { id } })).statusReason, /its like usually take/)
  const pids = await stuck.hanging()
  assert.ok(pids.every(isRunning))

  const asked = performance.now()
  const cancelled = await plane.client.call('cancelDeployment', { params: { id: slow.id } })
  assert.ok(cancelled.cancelRequestedAt)
  const back = await untilState(plane, slow.id, 'rolled-back')
  t.diagnostic(`rolled back ${Math.round(performance.now() - asked)} ms after it was cancelled`)
  assert.equal(back.error?.code, 'DEPLOYMENT_CANCELLED')
  await eventually(() => !pids.some(isRunning), { what: 'the hanging reload being gone with its processes' })
  assert.equal(await stuck.served(), before, 'the previous certificate is served')
  assert.equal((await ended(plane, action.id)).state, 'failed')
  const other = await well.served()
  assert.notEqual(other, before, 'the other target has the new one')

  await rm(stuck.flag, { force: true })
  const retried = await plane.client.call('retryDeployment', { params: { id: slow.id } })
  assert.equal((await ended(plane, retried.id)).state, 'done')
  const again = await latest(plane, id)
  assert.deepEqual([again.targetId, again.versionId, again.state], [slow.targetId, slow.versionId, 'deployed'])
  assert.deepEqual((await plane.client.call('getAction', { params: { id: retried.id } })).deploymentIds, [again.id], 'one target alone was done again')
  assert.equal(await stuck.served(), other)
  assert.equal((await plane.client.call('getCertificate', { params: { id } })).status, 'deployed')

  // And what was committed can be taken back.
  const undo = await plane.client.call('undoDeployment', { params: { id: again.id } })
  assert.equal(undo.undoes, again.id)
  const undone = await untilState(plane, undo.id, 'deployed')
  assert.match(undone.reason, /Taken back: what was there before is in place again/)
  assert.equal(await stuck.served(), before)
  assert.equal((await plane.client.call('getCertificate', { params: { id } })).status, 'renewed-not-deployed')
  // The bot looks at its host by itself, and the inventory follows what nginx serves there.
  await eventually(async () => ((await plane.client.call('getBot', { params: { id: bot.id } })).lastScanAt ?? '') > undone.updatedAt, { what: 'a look at the host after the last deployment', timeoutMs: 60_000 })
  const seen = (await plane.client.call('getCertificate', { params: { id } })).installations.filter((i) => i.serverType === 'nginx' && i.fields['certificatePath'] === stuck.fields.certificatePath)
  assert.deepEqual(seen.map((i) => i.fingerprint), [before])
})
