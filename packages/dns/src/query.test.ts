import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { freePort, leftOut, startBind } from '@certloop/test-kit'
import { query, sendUpdate, type AskOptions } from './query.ts'
import { tsigKey, tsigAlgorithms } from './tsig.ts'

const bind = { skip: leftOut('named') }
const now = () => new Date()
const secret = Buffer.alloc(64, 7).toString('base64')
const problem = (expected: string) => (error: unknown) => error instanceof CertloopError && error.code === 'DNS_LOOKUP_FAILED' && error.facts['problem'] === expected

test('a real BIND answers each type of question, over UDP and TCP, and over TCP what is too long for UDP', bind, async (t) => {
  const long = Array.from({ length: 40 }, (_, index) => `many IN TXT "${String(index).padStart(3, '0')}-${'x'.repeat(60)}"`).join('\n')
  const server = await startBind(t, { zones: [{ name: 'example.test', records: `www IN A 192.0.2.7\nwww IN AAAA 2001:db8::7\nalias IN CNAME WWW\nold IN DNAME new.example.test.\n@ IN CAA 128 issue "ca.test; x=y"\ntext IN TXT "one" " two"\n${long}` }] })
  const ask = async (name: string, type: Parameters<typeof query>[1]['type'], tcp = false) => query(server, { name, type }, { tcp })
  assert.deepEqual((await ask('www.example.test.', 'A')).answers, [{ name: 'www.example.test', ttl: 60, type: 'A', data: '192.0.2.7' }])
  assert.deepEqual((await ask('WWW.example.test', 'AAAA')).answers.map(({ data }) => data), ['2001:db8::7'])
  assert.deepEqual((await ask('alias.example.test', 'CNAME')).answers.map(({ data }) => data), ['www.example.test'])
  assert.deepEqual((await ask('a.old.example.test', 'CNAME')).answers.map(({ type, data }) => [type, data]), [['DNAME', 'new.example.test'], ['CNAME', 'a.new.example.test']])
  assert.deepEqual((await ask('example.test', 'CAA')).answers.map(({ data }) => data), [{ critical: true, tag: 'issue', value: 'ca.test; x=y' }])
  assert.deepEqual((await ask('text.example.test', 'TXT')).answers.map(({ data }) => data), ['one two'])
  const soa = await ask('example.test', 'SOA', true)
  assert.deepEqual([soa.over, soa.authoritative, soa.rcode, soa.answers.map(({ data }) => data)], ['tcp', true, 'NOERROR', [{ primary: 'ns1.example.test', serial: 1, minimum: 1 }]])
  const missing = await ask('nothing.example.test', 'TXT')
  assert.deepEqual([missing.rcode, missing.authorities.map(({ name, type }) => [name, type])], ['NXDOMAIN', [['example.test', 'SOA']]])
  assert.equal((await ask('elsewhere.test', 'A')).rcode, 'REFUSED')
  const many = await ask('many.example.test', 'TXT')
  assert.deepEqual([many.over, many.answers.length], ['tcp', 40])
})

test('what is written with a key can be read, taken back value by value, and is refused to others', bind, async (t) => {
  const keys = tsigAlgorithms.map((algorithm) => ({ name: `k-${algorithm}`, algorithm, secret }))
  const policy = keys.map(({ name }) => `grant ${name} zonesub ANY;`).join(' ')
  const server = await startBind(t, { keys, zones: [{ name: 'example.test', records: '@ IN TXT "x"', statements: `update-policy { ${policy} };` }] })
  const read = async () => (await query(server, { name: '_acme-challenge.example.test', type: 'TXT' })).answers.flatMap(({ data }) => (typeof data === 'string' ? [data] : [])).toSorted()
  const name = '_acme-challenge.example.test'
  const signed = (key: { name: string; algorithm: string; secret: string }, at = now): AskOptions => ({ tsig: { key: tsigKey(key.name, key.algorithm, key.secret), now: at } })
  const add = (value: string, options: AskOptions, type: 'TXT' = 'TXT') => sendUpdate(server, { zone: 'example.test', changes: [{ kind: 'add', name, type, ttl: 60, value }] }, options)
  for (const [index, key] of keys.entries()) {
    const answer = await add(`value ${index}`, { ...signed(key), tcp: index % 2 === 0 })
    assert.deepEqual([answer.rcode, answer.tsig?.verified, answer.tsig?.error], ['NOERROR', true, 'NOERROR'], key.algorithm)
  }
  assert.deepEqual(await read(), keys.map((_, index) => `value ${index}`))
  const [first = { name: '', algorithm: '', secret: '' }] = keys
  const removed = await sendUpdate(server, { zone: 'example.test', prerequisites: [{ kind: 'set-exists', name, type: 'TXT' }], changes: [{ kind: 'remove', name, type: 'TXT', value: 'value 1' }] }, signed(first))
  assert.equal(removed.rcode, 'NOERROR')
  assert.deepEqual(await read(), ['value 0', 'value 2', 'value 3', 'value 4'])
  const absent = await sendUpdate(server, { zone: 'example.test', prerequisites: [{ kind: 'set-absent', name, type: 'TXT' }], changes: [{ kind: 'remove-name', name }] }, signed(first))
  assert.equal(absent.rcode, 'YXRRSET')
  const values = ['value 0', 'value 2', 'value 3', 'value 4']
  const is = await sendUpdate(server, { zone: 'example.test', prerequisites: [{ kind: 'set-is', name, type: 'TXT', values }], changes: [{ kind: 'remove-set', name, type: 'TXT' }, { kind: 'add', name: 'v6.example.test', type: 'AAAA', ttl: 60, value: '2001:db8::1' }] }, signed(first))
  assert.equal(is.rcode, 'NOERROR')
  assert.deepEqual(await read(), [])
  assert.deepEqual((await query(server, { name: 'v6.example.test', type: 'AAAA' })).answers.map(({ data }) => data), ['2001:db8::1'])
  const long = 'z'.repeat(700)
  await add(long, signed(first))
  assert.deepEqual(await read(), [long])

  const outcome = async (options: AskOptions) => { const { rcode, tsig } = await add('evil', options); return [rcode, tsig?.error, tsig?.verified] }
  assert.deepEqual(await outcome({}), ['REFUSED', undefined, undefined])
  assert.deepEqual(await outcome(signed({ ...first, secret: Buffer.alloc(64, 8).toString('base64') })), ['NOTAUTH', 'BADSIG', false])
  assert.deepEqual(await outcome(signed({ ...first, name: 'unknown' })), ['NOTAUTH', 'BADKEY', false])
  const late = () => new Date(Date.now() - 3_600_000)
  const badTime = await add('evil', signed(first, late))
  assert.deepEqual([badTime.rcode, badTime.tsig?.error, badTime.tsig?.verified], ['NOTAUTH', 'BADTIME', true])
  assert.ok(Math.abs((badTime.tsig?.serverTime?.getTime() ?? 0) - Date.now()) < 60_000, 'it says what time it is there')
  assert.deepEqual(await read(), [long])
  const signedQuery = await query(server, { name: 'example.test', type: 'SOA' }, signed(first))
  assert.equal(signedQuery.tsig?.verified, true)
})

/** A server of our own that answers as the function says. */
async function udpServer(t: TestContext, answers: (query: Buffer) => Buffer[], own = '127.0.0.1'): Promise<{ address: string; port: number }> {
  const socket = createSocket(own === '::1' ? 'udp6' : 'udp4')
  socket.on('message', (message, { port, address }) => { for (const answer of answers(message)) socket.send(answer, port, address) })
  socket.bind(0, own)
  await once(socket, 'listening')
  t.after(() => { socket.close() })
  return { address: own, port: socket.address().port }
}
/** The question again, as a NOERROR answer without records. */
const echo = (message: Buffer): Buffer => { const answer = Buffer.from(message.subarray(0, message.length - 11)); answer.writeUInt16BE(0x8180, 2); answer.writeUInt16BE(0, 10); return answer }
const changed = (answer: Buffer, at: number): Buffer => { const other = Buffer.from(answer); other[at] = (other[at] ?? 0) ^ 1; return other }

test('an answer with another id or question is passed over, and the right one taken', async (t) => {
  const server = await udpServer(t, (asked) => [changed(echo(asked), 1), changed(echo(asked), 13), Buffer.from('x'), asked, echo(asked)])
  assert.equal((await query(server, { name: 'example.test', type: 'TXT' }, { timeoutMs: 2000 })).rcode, 'NOERROR')
  const liar = await udpServer(t, (asked) => [changed(echo(asked), 1), changed(echo(asked), 13)])
  await assert.rejects(query(liar, { name: 'example.test', type: 'TXT' }, { timeoutMs: 200 }), problem('timeout'))
})

test('a server is asked over IPv6, again when nothing comes, and with an id that can not be guessed', async (t) => {
  const seen: string[] = []
  const server = await udpServer(t, (asked) => { seen.push(asked.toString('hex', 0, 2)); return seen.length === 1 ? [] : [echo(asked)] }, '::1')
  assert.equal((await query(server, { name: 'example.test', type: 'TXT' }, { timeoutMs: 400 })).rcode, 'NOERROR')
  assert.deepEqual([seen.length, seen[0] === seen[1]], [2, true], 'the same question, sent again')
  for (let index = 0; index < 20; index++) await query(server, { name: 'example.test', type: 'TXT' })
  assert.ok(new Set(seen).size > 15, 'ids are not to be guessed')
})

test('an unsigned yes to a signed question is not believed', async (t) => {
  const tsig = { key: tsigKey('k', 'hmac-sha256', secret), now }
  const server = await udpServer(t, (asked) => {
    const answer = Buffer.from(asked.subarray(0, 12 + 14 + 4))
    answer.writeUInt16BE(0x8180, 2)
    answer.writeUInt16BE(0, 10)
    return [answer]
  })
  await assert.rejects(query(server, { name: 'example.test', type: 'TXT' }, { tsig, timeoutMs: 500 }), problem('signature'))
})

test('a server that is not there, one that never answers and one that hangs up are told apart, in time', async (t) => {
  const port = await freePort()
  await assert.rejects(query({ address: '127.0.0.1', port }, { name: 'a.test', type: 'A' }), problem('unreachable'))
  await assert.rejects(query({ address: '127.0.0.1', port }, { name: 'a.test', type: 'A' }, { tcp: true }), problem('unreachable'))
  const silent = await udpServer(t, () => [])
  await assert.rejects(query(silent, { name: 'a.test', type: 'A' }, { timeoutMs: 100 }), problem('timeout'))
  await assert.rejects(query(silent, { name: 'a.test', type: 'A' }, { signal: AbortSignal.abort() }), problem('aborted'))
  await assert.rejects(query(silent, { name: 'a.test', type: 'A' }, { signal: AbortSignal.timeout(50) }), problem('aborted'))
  const rude = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await once(rude, 'listening')
  t.after(() => { rude.close() })
  await assert.rejects(query({ address: '127.0.0.1', port: (rude.address() as AddressInfo).port }, { name: 'a.test', type: 'A' }, { tcp: true }), problem('unreachable'))
})

test('a server that knows no EDNS is asked without it', async (t) => {
  let asked = 0
  const server = await udpServer(t, (message) => {
    asked += 1
    if (message.readUInt16BE(10) === 0) { const answer = Buffer.from(message); answer.writeUInt16BE(0x8180, 2); return [answer] }
    const answer = Buffer.from(message.subarray(0, 12))
    for (const [at, value] of [[2, 0x8181], [4, 0], [10, 0]] as const) answer.writeUInt16BE(value, at)
    return [answer]
  })
  assert.equal((await query(server, { name: 'a.test', type: 'A' })).rcode, 'NOERROR')
  assert.equal(asked, 2)
})

test('names that DNS can not hold are refused before anything is sent', async () => {
  for (const name of ['a..test', `${'x'.repeat(64)}.test`, 'ä.test', 'a b.test', `${'abcdefgh.'.repeat(29)}test`]) {
    await assert.rejects(query({ address: '127.0.0.1', port: 1 }, { name, type: 'A' }), { code: 'INPUT_INVALID' }, name)
  }
})
