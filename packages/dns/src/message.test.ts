import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { encode, type Packet } from 'dns-packet'
import fc from 'fast-check'
import { decodeMessage } from './message.ts'
import { signMessage, tsigKey, verifyMessage } from './tsig.ts'
import { encodeUpdate } from './update.ts'

const now = new Date('2026-11-22T03:00:00Z')
const key = tsigKey('Some.Key.', 'HMAC-SHA256.', Buffer.alloc(32, 1).toString('base64'))

const packet = (): Packet => ({
  type: 'response', id: 4711, flags: 0x0580, questions: [{ name: 'www.Example.test', type: 'TXT' }],
  answers: [
    { name: 'www.example.test', type: 'CNAME', ttl: 60, data: 'other.example.test' },
    { name: 'other.example.test', type: 'TXT', ttl: 60, data: ['one', 'two'] },
    { name: 'other.example.test', type: 'A', ttl: 60, data: '192.0.2.1' },
    { name: 'other.example.test', type: 'AAAA', ttl: 60, data: '2001:db8::1' },
    { name: 'example.test', type: 'CAA', ttl: 60, data: { flags: 128, tag: 'issue', value: 'ca.test' } },
    { name: 'example.test', type: 'CAA', ttl: 60, data: { flags: 1, tag: 'iodef', value: 'x' } },
    { name: 'example.test', type: 'CAA', ttl: 60, data: { flags: 0, tag: 'iodef', value: 'y' } },
    { name: 'example.test', type: 'MX', ttl: 60, data: { preference: 10, exchange: 'mail.example.test' } },
  ],
  authorities: [{ name: 'example.test', type: 'SOA', ttl: 60, data: { mname: 'ns1.example.test', rname: 'host.example.test', serial: 7, refresh: 1, retry: 1, expire: 1, minimum: 30 } }],
  additionals: [{ name: '.', type: 'OPT', udpPayloadSize: 1232, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] }],
})
const sample = () => encode(packet())

/** What the decoder makes of bytes: a message or the code of its typed error. */
function outcome(bytes: Buffer): string {
  try {
    return decodeMessage(bytes).rcode
  } catch (error) {
    if (error instanceof CertloopError && error.code === 'DNS_LOOKUP_FAILED' && error.facts['problem'] === 'malformed') return 'malformed'
    throw error
  }
}

/** Whether a signature holds; a malformed one does not. */
function holds(bytes: Buffer): boolean {
  try {
    return verifyMessage(bytes, key, { now }).verified
  } catch (error) {
    if (error instanceof CertloopError && error.facts['problem'] === 'malformed') return false
    throw error
  }
}

test('a message is read into plain records, and types that nobody asks for are left out', () => {
  const message = decodeMessage(sample())
  assert.deepEqual([message.id, message.isResponse, message.authoritative, message.rcode, message.hasEdns, message.questions[0]?.name], [4711, true, true, 'NOERROR', true, 'www.example.test'])
  assert.deepEqual(message.answers.map(({ type, data }) => [type, data]), [
    ['CNAME', 'other.example.test'], ['TXT', 'onetwo'], ['A', '192.0.2.1'], ['AAAA', '2001:db8::1'], ['CAA', { critical: true, tag: 'issue', value: 'ca.test' }],
    ['CAA', { critical: true, tag: 'iodef', value: 'x' }], ['CAA', { critical: false, tag: 'iodef', value: 'y' }],
  ])
  assert.deepEqual(message.authorities.map(({ name, type, data }) => [name, type, data]), [['example.test', 'SOA', { primary: 'ns1.example.test', serial: 7, minimum: 30 }]])
})

test('cut, lengthened, looping and ambiguous messages are refused', () => {
  const whole = sample()
  for (let length = 0; length < whole.length; length++) assert.equal(outcome(whole.subarray(0, length)), 'malformed', `first ${length} bytes`)
  assert.equal(outcome(Buffer.concat([whole, Buffer.alloc(1)])), 'malformed')
  const header = (questions: number) => Buffer.from([0, 1, 0x80, 0, 0, questions, 0, 0, 0, 0, 0, 0])
  const asked = (...name: number[]) => Buffer.concat([header(1), Buffer.from(name), Buffer.from([0, 1, 0, 1])])
  assert.equal(outcome(asked(1, 97, 0)), 'NOERROR')
  assert.equal(outcome(asked(0xc0, 12)), 'malformed', 'a pointer to itself')
  assert.equal(outcome(asked(0xc0, 14, 0xc0, 12)), 'malformed', 'pointers to each other')
  assert.equal(outcome(asked(3, 97, 46, 98, 0)), 'malformed', 'a dot inside a label')
  assert.equal(outcome(asked(0x80, 97, 0)), 'malformed', 'a label of an unknown kind')
  assert.equal(outcome(asked(...Array.from({ length: 5 }, () => [60, ...Array<number>(60).fill(97)]).flat(), 0)), 'malformed', 'more than 255 bytes')
  const wrongAddress = encode({ type: 'response', answers: [{ name: 'a.test', type: 'NULL', data: Buffer.alloc(3) }] })
  wrongAddress.writeUInt16BE(1, wrongAddress.length - 3 - 10)
  assert.equal(outcome(wrongAddress), 'malformed', 'an address of three bytes')
})

test('whatever is done to a message, it is read or refused with one typed error, and signatures never hold for it', () => {
  const update = encodeUpdate(1, { zone: 'example.test', changes: [{ kind: 'add', name: 'a.example.test', type: 'TXT', ttl: 60, value: 'x' }] })
  const originals = [sample(), signMessage(sample(), key, { now }).message, signMessage(update, key, { now }).message]
  const mutation = fc.record({ at: fc.nat(600), value: fc.integer({ min: 0, max: 255 }), kind: fc.constantFrom('set', 'cut', 'insert') })
  fc.assert(fc.property(fc.constantFrom(...originals.keys()), fc.array(mutation, { minLength: 1, maxLength: 6 }), (which, mutations) => {
    const original = originals[which] ?? Buffer.alloc(0)
    let bytes = Buffer.from(original)
    for (const { at, value, kind } of mutations) {
      const place = at % (bytes.length + 1)
      if (kind === 'set' && place < bytes.length) bytes[place] = value
      else if (kind === 'cut') bytes = Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + 1 + (value % 8))])
      else bytes = Buffer.concat([bytes.subarray(0, place), Buffer.from([value]), bytes.subarray(place)])
    }
    if (outcome(bytes) === 'malformed' || bytes.equals(original)) return
    const verified = holds(bytes)
    // Letter case of the key's and algorithm's name, and the id on the wire, are not signed (RFC 8945, 4.3).
    const unsigned = new Set([0, 1])
    const isSame = bytes.length === original.length && bytes.every((byte, index) => byte === original[index] || unsigned.has(index) || (byte ^ (original[index] ?? 0)) === 0x20)
    assert.ok(!verified || isSame, 'a changed message still counts as signed')
  }), { numRuns: 3000 })
  fc.assert(fc.property(fc.uint8Array({ maxLength: 700 }), (bytes) => { outcome(Buffer.from(bytes)) }), { numRuns: 3000 })
})

test('a signature holds for the key, the time and the request that it was made for', () => {
  const request = signMessage(sample(), key, { now })
  const verdict = (message: Buffer, options: Partial<Parameters<typeof verifyMessage>[2]> = {}, other = key) => { const { verified, problem } = verifyMessage(message, other, { now, ...options }); return verified ? 'holds' : problem }
  assert.equal(verdict(request.message), 'holds')
  assert.equal(verdict(request.message, { now: new Date(now.getTime() + 299_000) }), 'holds')
  assert.match(verdict(request.message, { now: new Date(now.getTime() + 302_000) }) ?? '', /302 s before or after/)
  assert.match(verdict(request.message, { now: new Date(now.getTime() - 400_000) }) ?? '', /400 s/)
  assert.match(verdict(request.message, {}, { ...key, secret: Buffer.alloc(32, 2) }) ?? '', /is wrong/)
  assert.match(verdict(request.message, {}, { ...key, name: 'other' }) ?? '', /another key \(some.key, hmac-sha256\)/)
  assert.match(verdict(request.message, {}, { ...key, algorithm: 'hmac-sha1' }) ?? '', /another key/)
  assert.equal(verdict(sample()), 'it is not signed')
  const answer = signMessage(sample(), key, { now, requestMac: request.mac })
  assert.equal(verdict(answer.message, { requestMac: request.mac }), 'holds')
  assert.match(verdict(answer.message, { requestMac: Buffer.alloc(32) }) ?? '', /is wrong/, 'it answers another request')
  assert.match(verdict(answer.message) ?? '', /is wrong/)
  const twice = signMessage(request.message, key, { now }).message
  assert.throws(() => verifyMessage(twice, key, { now }), { code: 'DNS_LOOKUP_FAILED' })
})

test('keys that can not be used are refused with the reason', () => {
  assert.throws(() => tsigKey('k', 'hmac-md5', 'AAAA'), { code: 'INPUT_INVALID', message: /hmac-md5/ })
  assert.throws(() => tsigKey('k', 'hmac-sha256', 'not base64!'), { code: 'INPUT_INVALID', message: /not base64/ })
  assert.throws(() => tsigKey('k k', 'hmac-sha256', 'AAAA'), { code: 'INPUT_INVALID' })
})
