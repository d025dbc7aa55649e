import assert from 'node:assert/strict'
import tls from 'node:tls'
import { test, type TestContext } from 'node:test'
import { eventually, leftOut } from '@certloop/test-kit'
import { nothingLeft, succeeded, timelineOf, trusted } from './kit/acme-look.ts'
import { acmeStage, addAcme, addBind, configured, csrFor } from './kit/acme-stage.ts'
import { act } from './kit/plane.ts'

const skip = leftOut('nginx') ?? leftOut('pebble') ?? leftOut('named')

test('from a hostile ACME directory to nginx, by file, DNS record and TLS handshake; nothing is left behind', { skip, timeout: 300_000 }, async (t: TestContext) => {
  const stage = await acmeStage(t)
  const { plane, name, webRoot, tlsPort, alpnPort } = stage
  const pebble = await stage.startPebble({ rejectNoncesPercent: 50, sleepSeconds: 1, alternateRoots: 1, chainLength: 2 })
  const authority = await addAcme(plane, 'Pebble', pebble)
  assert.equal(authority.health.state, 'ok', JSON.stringify(authority.health.lastReport))

  await t.test('HTTP-01 by a file that the bot places', async () => {
    const { id } = await configured(stage, { authorityId: authority.id, csr: csrFor(name, `www.${name}`), validation: { method: 'file', path: webRoot } })
    await succeeded(stage, await act(plane, id, 'rotate'))
    const leaf = await trusted(tlsPort, name, pebble)
    assert.deepEqual(leaf.subjectAltName?.split(', ').toSorted(), [`DNS:${name}`, `DNS:www.${name}`])
    await nothingLeft(stage)
  })
  await t.test('DNS-01 in BIND by signed updates, with a wildcard: two values at one name', async () => {
    await addBind(stage)
    const { id } = await configured(stage, { authorityId: authority.id, csr: csrFor(name, `*.${name}`), validation: { method: 'dns' } })
    await succeeded(stage, await act(plane, id, 'rotate'))
    assert.match((await trusted(tlsPort, name, pebble)).subjectAltName ?? '', /DNS:\*\./)
    await nothingLeft(stage)
  })
  await t.test('TLS-ALPN-01, answered by the bot', async () => {
    const { id } = await configured(stage, { authorityId: authority.id, csr: csrFor(name), validation: { method: 'tls-alpn', listenOn: `127.0.0.1:${alpnPort}` } })
    await succeeded(stage, await act(plane, id, 'rotate'))
    await trusted(tlsPort, name, pebble)
    await eventually(() => new Promise<boolean>((resolve) => { tls.connect({ host: '127.0.0.1', port: alpnPort }).once('error', () => resolve(true)).once('secureConnect', () => resolve(false)) }), { what: 'nobody answers on the port any more' })
    await nothingLeft(stage)
  })
  await t.test('revoked at the directory', async () => {
    const before = await trusted(tlsPort, name, pebble)
    const { items: [certificate] } = await plane.client.call('listCertificates', { query: { search: name } })
    assert.ok(certificate)
    const revoked = await act(plane, certificate.id, 'revoke')
    assert.equal(revoked.state, 'done', JSON.stringify(revoked.error))
    assert.equal((await pebble.statusOf(before.serialNumber.toLowerCase()))?.status, 'Revoked')
  })
})

test('the first authority is dead: the certificate comes from the second, and the timeline says why', { skip, timeout: 180_000 }, async (t) => {
  const stage = await acmeStage(t)
  const { plane, name, webRoot } = stage
  const [dead, alive] = [await stage.startPebble(), await stage.startPebble()]
  const [first, second] = [await addAcme(plane, 'First', dead), await addAcme(plane, 'Second', alive)]
  await dead.stop()
  const { id } = await configured(stage, { authorityId: first.id, fallbackAuthorityIds: [second.id], csr: csrFor(name), validation: { method: 'file', path: webRoot } })
  const action = await act(plane, id, 'rotate')
  await succeeded(stage, action)
  await trusted(stage.tlsPort, name, alive)
  assert.match(await timelineOf(plane, action), /First.*can not be reached/)
  const { items } = await plane.client.call('listOrderAttempts', { params: { id: action.orderIds[0] ?? assert.fail() } })
  assert.deepEqual(items.map(({ authorityName, state }) => [authorityName, state]), [['First', 'failed'], ['Second', 'issued']])
  await nothingLeft(stage)
})
