import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { fuzzParser } from '../fuzz-testing.ts'
import { berToDer } from './ber.ts'
import { DerError } from './der-reader.ts'

const bytes = (hex: string): Buffer => Buffer.from(hex.replace(/[\s|]/g, ''), 'hex')
const der = (hex: string): string => berToDer(bytes(hex), 1_000_000).toString('hex')
const same = (ber: string, expected: string): void => assert.equal(der(ber), bytes(expected).toString('hex'))

test('what is definite stays as it is, byte for byte and without a copy', () => {
  const plain = bytes('30 0a | 02 01 01 | 04 81 02 aa bb | 05 00 | ffff')
  assert.equal(berToDer(plain, 100).toString('hex'), plain.subarray(0, 12).toString('hex'))
  assert.equal(berToDer(plain, 100).buffer, plain.buffer)
  same('04 00', '04 00')
  same('30 00', '30 00')
})

test('indefinite lengths become definite, and the elements around them get new lengths', () => {
  same('30 80 02 01 01 00 00', '30 03 02 01 01')
  same('30 80 00 00', '30 00')
  same('30 09 02 01 01 30 80 05 00 00 00', '30 07 02 01 01 30 02 05 00')
  same('30 0f | 30 03 020107 | 30 04 a0 80 0000 | 30 02 0500', '30 0d | 30 03 020107 | 30 02 a0 00 | 30 02 0500')
  same('30 80 30 80 30 80 05 00 0000 0000 0000', '30 06 30 04 30 02 05 00')
  same(`30 80 04 8180 ${'ab'.repeat(128)} 0000`, `30 8183 04 8180 ${'ab'.repeat(128)}`)
})

test('strings in segments become one, also nested ones, empty ones and bit strings', () => {
  same('24 80 04 02 aabb 04 01 cc 00 00', '04 03 aabbcc')
  same('24 07 04 02 aabb 04 01 cc', '04 03 aabbcc')
  same('24 80 00 00', '04 00')
  same('24 80 24 80 04 01 aa 24 03 04 01 bb 0000 04 01 cc 0000', '04 03 aabbcc')
  same('2c 80 0c 01 41 0c 01 42 0000', '0c 02 4142')
  same('23 80 03 02 00 aa 03 02 04 b0 0000', '03 03 04 aab0')
  same('30 80 a0 80 24 80 04 01 aa 0000 0000 0000', '30 05 a0 03 04 01 aa')
  // [0] IMPLICIT OCTET STRING in segments can't be told from [0] EXPLICIT: its reader puts them together.
  same('a0 80 04 01 aa 04 01 bb 0000', 'a0 06 04 01 aa 04 01 bb')
})

test('an element that nothing has to be done to is kept as it is beside one that changes', () => {
  same('30 80 | 30 8103 020101 | 31 8200 02 0500 | 0000', '30 0c | 30 8103 020101 | 31 8200 02 0500')
})

test('damaged input is refused', () => {
  for (const [hex, problem] of [
    ['', 'ends too early'], ['30', 'ends too early'], ['30 80', 'ends too early'], ['30 80 02 01 01', 'ends too early'], ['30 80 02 01 01 00', 'ends too early'],
    ['30 05 02 01 01', 'ends too early'], ['30 03 02 05 01', 'ends too early'], ['04 80 aa 00 00', 'a length'], ['3f 80 01 00 00', 'a tag'],
    ['30 85 0000000001 00', 'a length'], ['24 80 02 01 01 0000', 'another type'], ['24 80 30 80 0000 0000', 'another type'], ['23 80 03 00 0000', 'damaged segment'], ['23 80 03 02 04 a0 03 02 00 a0 0000', 'damaged segment'],
  ] as const) assert.throws(() => berToDer(bytes(hex), 1_000), (error) => error instanceof DerError && error.message.includes(problem), hex)
})

test('length, depth and number of parts are bounded, and time is linear', () => {
  const limited = (input: Buffer, allowed: number): void => assert.throws(() => berToDer(input, 20_000_000), { code: 'LIMIT_EXCEEDED', facts: { allowed } })
  assert.throws(() => berToDer(Buffer.alloc(11), 10), { code: 'LIMIT_EXCEEDED', facts: { given: 11, allowed: 10 } })
  limited(Buffer.alloc(10_000_000, bytes('30 80')), 200)
  limited(Buffer.concat([bytes('30 80'), Buffer.alloc(10_000_000, bytes('30 80 00 00')), bytes('00 00')]), 500_000)
  const begin = performance.now()
  const many = Buffer.concat([bytes('24 80'), Buffer.alloc(4_000 * 5_000, Buffer.concat([bytes('04 82 0f9c'), Buffer.alloc(3_996, 7)])), bytes('00 00')])
  assert.equal(berToDer(many, 21_000_000).length, 5_000 * 3_996 + 6)
  const small = Buffer.concat([bytes('30 80'), Buffer.alloc(19_000_000, bytes('05 00')), bytes('00 00')])
  assert.equal(berToDer(small, 20_000_000).length, 19_000_006)
  assert.ok(performance.now() - begin < 20_000)
})

test('noise and mutated BER', { timeout: 60_000 }, async () => {
  const corpus = [
    bytes('30 80 | 06 09 2a864886f70d010701 | a0 80 | 24 80 | 04 03 616263 | 04 03 646566 | 0000 | 0000 | 0000'),
    bytes('23 80 03 02 00 aa 23 80 03 02 04 b0 0000 0000'), bytes('30 0f | 30 03 020107 | 30 04 a0 80 0000 | 30 02 0500'),
  ]
  await fuzzParser({
    corpus, codes: ['KEYSTORE_INVALID', 'LIMIT_EXCEEDED'], parse: (input) => {
      try {
        const once = berToDer(input, 10_000)
        assert.ok(once.equals(berToDer(once, 10_000)), 'the second time changes nothing')
      } catch (error) {
        throw error instanceof DerError ? new CertloopError('KEYSTORE_INVALID', error.message) : error
      }
    },
  })
})
