import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually, leftOut, type RunningPebble } from '@certloop/test-kit'
import { eventsOf, nothingLeft, succeeded, timelineOf, trusted } from './kit/acme-look.ts'
import { acmeStage, addAcme, addBind, configured, csrFor, type AcmeStage } from './kit/acme-stage.ts'
import { moodyWay, type Answers } from './kit/moody-way.ts'
import { rows } from './kit/crash-kit.ts'
import { act, ended } from './kit/plane.ts'

const skip = leftOut('nginx') ?? leftOut('pebble') ?? leftOut('named')

test('one bad name among many: a renewal fails and names it, or goes on without it and says so at once', { skip, timeout: 240_000 }, async (t) => {
  const stage = await acmeStage(t)
  const { plane, bind, name, webRoot, tlsPort } = stage
  const pebble = await stage.startPebble()
  const { id: authorityId } = await addAcme(plane, 'Pebble', pebble)
  const names = [name, `a.${name}`, `b.${name}`, `c.${name}`]
  const settings = { authorityId, csr: csrFor(...names), validation: { method: 'file' as const, path: webRoot } }
  const { id } = await configured(stage, settings)
  await succeeded(stage, await act(plane, id, 'rotate'))
  const first = await trusted(tlsPort, name, pebble)
  assert.equal(first.subjectAltName?.split(', ').length, 4)

  // b is not in the zone any more; all other names are.
  const zoneFile = join(bind.folder, 'zones', name)
  await bind.stop()
  await writeFile(zoneFile, `${(await readFile(zoneFile, 'utf8')).replace('* A 127.0.0.1', 'a A 127.0.0.1\nc A 127.0.0.1')}`)
  await bind.start()
  const failed = await act(plane, id, 'renew')
  assert.equal(failed.state, 'failed', JSON.stringify(failed))
  assert.equal(failed.error?.code, 'DNS_NAME_UNKNOWN', JSON.stringify(failed.error))
  assert.match(failed.error?.message ?? '', new RegExp(`b\\.${name}`))
  assert.equal((await trusted(tlsPort, name, pebble)).fingerprint256, first.fingerprint256, 'what is served stays')
  await nothingLeft(stage)

  await configured(stage, { ...settings, validation: { ...settings.validation, leaveOut: true } })
  const action = await act(plane, id, 'renew')
  await succeeded(stage, action)
  assert.deepEqual((await trusted(tlsPort, name, pebble)).subjectAltName?.split(', ').toSorted(), [`DNS:a.${name}`, `DNS:c.${name}`, `DNS:${name}`].toSorted())
  const { order, timeline } = await plane.client.call('getOrder', { params: { id: action.orderIds[0] ?? assert.fail() } })
  assert.deepEqual(order.leftOut.map((each) => [each.name, each.error.code]), [[`b.${name}`, 'DNS_NAME_UNKNOWN']])
  assert.ok(timeline.some(({ kind, message }) => kind === 'order.name-left-out' && message.includes(`b.${name}`)))
  const certificate = await plane.client.call('getCertificate', { params: { id } })
  assert.match(certificate.statusReason, new RegExp(`Renewed without b\\.${name}: `))
  assert.equal(certificate.problem?.code, 'DNS_NAME_UNKNOWN')
  await nothingLeft(stage)
})

/** As after an outage that lost its database: address and TLS key are the same, accounts and orders are gone. */
async function killedAndEmpty(stage: AcmeStage, pebble: RunningPebble, whileDown: () => Promise<unknown>): Promise<RunningPebble> {
  process.kill(pebble.pid, 'SIGKILL')
  await whileDown()
  return stage.startPebble({ ports: pebble.ports, pair: pebble.pair })
}

test('the directory is killed while it looks at a name and comes back without a memory: the order and the next one get their certificate', { skip, timeout: 240_000 }, async (t) => {
  const stage = await acmeStage(t)
  const { plane, name, webRoot, tlsPort } = stage
  const pebble = await stage.startPebble({ sleepSeconds: 30 })
  const { id: authorityId } = await addAcme(plane, 'Pebble', pebble)
  const { id } = await configured(stage, { authorityId, csr: csrFor(name), validation: { method: 'file', path: webRoot } })
  const started = await plane.client.call('startAction', { params: { id, action: 'rotate' }, body: {} })
  const [row] = await eventually(() => { const found = rows<{ orderId: `ord_${string}` }>(plane, "select orderId from validation where state = 'asked'"); return found.length > 0 && found }, { what: 'the directory looking at the token file', timeoutMs: 60_000 })
  const orderId = row?.orderId ?? assert.fail()
  const after = await killedAndEmpty(stage, pebble, () => eventually(async () => /can not be reached/.test((await plane.client.call('getOrder', { params: { id: orderId } })).order.reason), { what: 'the order says that nobody answers', timeoutMs: 60_000 }))
  const action = await ended(plane, started.id, 120_000)
  const said = await timelineOf(plane, action)
  t.diagnostic(said)
  await succeeded(stage, action)
  await trusted(tlsPort, name, after)
  const events = await eventsOf(plane, action)
  assert.equal(events.filter(({ kind }) => kind === 'order.submitted-again').length, 1, said)
  assert.match(said, /Made the account/)
  await nothingLeft(stage)
  await succeeded(stage, await act(plane, id, 'rotate'))
  await trusted(tlsPort, name, after)
  assert.deepEqual({ ...after.counts() }, { accounts: 1, orders: 2, finalized: 2 })
  await nothingLeft(stage)
})

test('a hundred names in one order by DNS, and an account with a new key', { skip, timeout: 240_000 }, async (t) => {
  const stage = await acmeStage(t)
  const { plane, name, webRoot, tlsPort } = stage
  const pebble = await stage.startPebble()
  const { id: authorityId } = await addAcme(plane, 'Pebble', pebble)
  await addBind(stage)
  const names = [name, ...Array.from({ length: 99 }, (_, i) => `n${i}.${name}`)]
  const { id } = await configured(stage, { authorityId, csr: csrFor(...names), validation: { method: 'dns' } })
  const begin = performance.now()
  const started = await plane.client.call('startAction', { params: { id, action: 'rotate' }, body: {} })
  await succeeded(stage, await ended(plane, started.id, 180_000))
  t.diagnostic(`a hundred names by DNS: ${Math.round((performance.now() - begin) / 100) / 10} s`)
  assert.deepEqual(new Set((await trusted(tlsPort, name, pebble)).subjectAltName?.split(', ')), new Set(names.map((each) => `DNS:${each}`)))
  await eventually(() => rows(plane, "select id from validation where cleanup not in ('removed', 'nothing')").length === 0, { what: 'no record of ours', timeoutMs: 60_000 })
  assert.deepEqual(await stage.textRecords(), [])

  const before = rows(plane, 'select sealedMemory from authority where id = ?', authorityId)
  await plane.client.call('rollAuthorityKey', { params: { id: authorityId } })
  assert.notDeepEqual(rows(plane, 'select sealedMemory from authority where id = ?', authorityId), before)
  await configured(stage, { authorityId, csr: csrFor(name), validation: { method: 'file', path: webRoot } })
  await succeeded(stage, await act(plane, id, 'rotate'))
  assert.equal((await trusted(tlsPort, name, pebble)).subjectAltName, `DNS:${name}`)
  assert.deepEqual({ ...pebble.counts() }, { accounts: 1, orders: 2, finalized: 2 })
})

test('a directory that has no room and then faults of its own: the order goes on at the time that was said, and is made once', { skip, timeout: 240_000 }, async (t) => {
  const stage = await acmeStage(t)
  const { plane, name, webRoot, tlsPort } = stage
  const pebble = await stage.startPebble()
  const problem = (type: string) => JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail: 'as the script says' })
  const script: Answers = {
    '/order-plz': [{ status: 429, headers: { 'retry-after': '8' }, body: problem('rateLimited') }],
    '/authZ/': [{ status: 500, body: problem('serverInternal') }, { status: 502, body: '<html>Bad Gateway</html>' }],
    '/chalZ/': [{ status: 500, body: problem('serverInternal') }],
    '/finalize-order/': [{ status: 503, headers: { 'retry-after': '3' }, body: '' }],
    '/certZ/': [{ status: 500, body: '' }],
  }
  const way = await moodyWay(t, pebble, script)
  const { id: authorityId } = await addAcme(plane, 'Moody', { ...pebble, directoryUrl: way.directoryUrl })
  const { id } = await configured(stage, { authorityId, csr: csrFor(name), validation: { method: 'file', path: webRoot } })
  const started = await plane.client.call('startAction', { params: { id, action: 'rotate' }, body: {} })
  const action = await ended(plane, started.id, 120_000)
  const said = await timelineOf(plane, action)
  t.diagnostic(said)
  await succeeded(stage, action)
  assert.deepEqual(Object.values(script).flat(), [], 'all that was to go wrong did')
  await trusted(tlsPort, name, pebble)
  assert.deepEqual({ ...pebble.counts() }, { accounts: 1, orders: 1, finalized: 1 })
  const [refused = 0, taken = 0] = way.seen.filter(({ path }) => path === '/order-plz').map(({ at }) => at)
  assert.ok(taken - refused >= 8_000 && taken - refused < 20_000, `asked again after ${taken - refused} ms`)
  assert.equal(way.seen.filter(({ at, method }) => method === 'POST' && at > refused && at < refused + 7_900).length, 0, 'nothing is asked before the time that was said')
  const waits = (await eventsOf(plane, action)).filter(({ kind }) => kind === 'order.waits').map(({ error }) => error?.code)
  assert.ok(waits.includes('AUTHORITY_RATE_LIMITED') && waits.includes('AUTHORITY_UNREACHABLE'), waits.join())
  await nothingLeft(stage)
})
