import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { tempFolder } from './folders.ts'
import { startNginx } from './nginx.ts'
import { selfSignedPair, writePair } from './self-signed.ts'
import { leftOut } from './tools.ts'
import { eventually } from './wait.ts'

async function servedFingerprint(port: number, servername: string): Promise<string | undefined> {
  const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const fingerprint = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase()
  socket.destroy()
  return fingerprint
}

test('nginx starts, serves by name, reloads, tells its log and stops', { skip: leftOut('nginx') }, async (t) => {
  const folder = await tempFolder(t, 'pairs')
  const one = await writePair(folder, 'one', await selfSignedPair(['one.test'], 'ec'))
  const two = await writePair(folder, 'two', await selfSignedPair(['two.test'], 'rsa'))
  const nginx = await startNginx(t, { servers: [{ names: ['one.test'], ...one }, { names: ['two.test'], ...two }, { ...two, listener: 1 }] })
  const [shared, other] = [nginx.ports[0] ?? 0, nginx.ports[1] ?? 0]
  assert.equal(await servedFingerprint(shared, 'one.test'), one.fingerprint)
  assert.equal(await servedFingerprint(shared, 'two.test'), two.fingerprint)
  assert.equal(await servedFingerprint(other, 'one.test'), two.fingerprint)
  assert.equal((await nginx.testConfiguration()).code, 0)

  const next = await writePair(folder, 'one', await selfSignedPair(['one.test'], 'ec'))
  assert.equal(await servedFingerprint(shared, 'one.test'), one.fingerprint)
  await nginx.reload()
  await eventually(async () => await servedFingerprint(shared, 'one.test') === next.fingerprint)
  assert.match(await nginx.errorLog(), /reconfiguring/)

  await nginx.stop()
  await assert.rejects(servedFingerprint(shared, 'one.test'), /ECONNREFUSED/)
})

test('an nginx that does not start says why', { skip: leftOut('nginx') }, async (t) => {
  await assert.rejects(startNginx(t, { servers: [{ certPath: '/none.crt', keyPath: '/none.key' }] }), /none\.crt/)
})
