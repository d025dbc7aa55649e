import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { CertificateDetail, CertificateStatus, ConfigurationInput } from '@certloop/contract'
import { readCertificate } from '@certloop/pki'
import { eventually, leftOut, selfSignedPair, startNginx, tempFolder, writePair } from '@certloop/test-kit'
import { rows } from './kit/crash-kit.ts'
import { act, configureFromScan, discovered, startBot, startPlane, uniqueName } from './kit/plane.ts'
import { served } from './kit/served.ts'

test('what becomes of a certificate after its deployment is found by a look at the host, and told with what to do', { skip: leftOut('nginx'), timeout: 300_000 }, async (t) => {
  const name = uniqueName()
  const pair = await writePair(await tempFolder(t, 'files'), 'shop', await selfSignedPair([name]))
  const nginx = await startNginx(t, { servers: [{ names: [name], certPath: pair.certPath, keyPath: pair.keyPath }] })
  const port = nginx.ports[0] ?? 0
  const plane = await startPlane(t)
  const { client } = plane
  const bot = await startBot(t, plane)
  const deployment: ConfigurationInput['deployment'] = { when: 'at', at: '2099-01-01T03:00', window: null, zone: 'UTC', freezes: [], beforeExpiryDays: null }
  const { id } = await configureFromScan(plane, await discovered(plane, name), { deployment })
  const read = () => client.call('getCertificate', { params: { id } })
  const until = (status: CertificateStatus, nextAction: CertificateDetail['nextAction']) => eventually(async () => {
    const detail = await read()
    assert.deepEqual([detail.status, detail.nextAction], [status, nextAction], detail.statusReason)
    return detail
  }, { what: `a certificate that is ${status}`, timeoutMs: 90_000, intervalMs: 250 })
  const files = async () => ({ cert: await readFile(pair.certPath, 'utf8'), key: await readFile(pair.keyPath, 'utf8') })
  const put = async ({ cert, key }: Awaited<ReturnType<typeof files>>) => { await writeFile(pair.keyPath, key); await writeFile(pair.certPath, cert) }
  const reloaded = async (fingerprint: string) => {
    await nginx.reload()
    await eventually(async () => await served(port, name) === fingerprint, { what: 'what nginx serves' })
  }
  const deployed = async () => {
    const action = await act(plane, id, 'deploy')
    assert.equal(action.state, 'done', JSON.stringify(action))
    const detail = await until('deployed', null)
    assert.equal(await served(port, name), detail.fingerprint)
    return detail
  }

  assert.equal((await act(plane, id, 'rotate')).state, 'done', 'a rotation by hand waits for no time')
  const first = await files()
  const old = readCertificate(first.cert).fingerprint

  // Renewed, and its time is far away.
  const renewal = await client.call('startAction', { params: { id, action: 'renew' }, body: {} })
  const waiting = await until('renewed-not-deployed', 'deploy')
  assert.match(waiting.statusReason, /^Issued and not deployed\. .*2099/)
  assert.notEqual(waiting.fingerprint, old)
  assert.deepEqual([await served(port, name), waiting.installations[0]?.fingerprint, waiting.installations[0]?.state], [old, old, 'out-of-sync'])
  const action = await client.call('getAction', { params: { id: renewal.id } })
  assert.equal(action.state, 'waiting')
  assert.match(action.waitsUntil ?? '', /^2099-01-01T03:/, 'spread a little, so that not all begin in one second')
  await client.call('cancelAction', { params: { id: renewal.id } })
  await until('renewed-not-deployed', 'deploy')
  // The look after the rotation would be the one after this deployment too, and may come too soon for what follows.
  await eventually(() => rows(plane, "select id from task where kind = 'scan-host' and state in ('ready', 'leased')").length === 0, { what: 'the look after the rotation', timeoutMs: 90_000 })
  const { fingerprint } = await deployed()

  // The files are as they should be, and nginx has others. Nobody asks for a look: it comes after the deployment.
  const second = await files()
  await put(first)
  await reloaded(old)
  await put(second)
  const unserved = await until('deployed-not-served', 'deploy')
  assert.match(unserved.statusReason, /^Installed, but not served at .*another certificate is served/)
  assert.deepEqual(unserved.installations.map((i) => [i.fingerprint, i.state, i.served[0]?.fingerprint]), [[fingerprint, 'out-of-sync', old]])
  await deployed()

  // Somebody put an earlier one back.
  await put(first)
  await reloaded(old)
  await client.call('scanBot', { params: { id: bot.id } })
  const older = await until('renewed-not-deployed', 'deploy')
  assert.match(older.statusReason, /has an earlier version/)
  assert.deepEqual(older.installations.map((i) => [i.fingerprint, i.state]), [[old, 'out-of-sync']])
  await deployed()

  // Nothing answers any more.
  await nginx.stop()
  await client.call('scanBot', { params: { id: bot.id } })
  const gone = await eventually(async () => {
    const detail = await read()
    return detail.status === 'deployed' ? undefined : detail
  }, { what: 'a certificate that nothing serves', timeoutMs: 90_000 })
  assert.deepEqual(gone.installations.map((i) => i.state), ['missing'])
})
