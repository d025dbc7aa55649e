import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DerCursor, DerError, readChildren, readElement, readIntegerHex, readOid, readTime, serialHex } from './der-reader.ts'
import { element, integer, namedBits, objectIdentifier, octetString, sequence, setOf, smallInteger, time } from './der-writer.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

test('integers are positive and as short as possible', () => {
  const cases: [string, string][] = [['', '020100'], ['00', '020100'], ['7f', '02017f'], ['80', '02020080'], ['000080', '02020080'], ['00ff01', '020300ff01']]
  for (const [magnitude, der] of cases) assert.equal(hex(integer(Buffer.from(magnitude, 'hex'))), der)
})

test('named bits leave out trailing zeros (X.690, 11.2.2)', () => {
  assert.equal(hex(namedBits([0])), '03020780')
  assert.equal(hex(namedBits([0, 2])), '030205a0')
  assert.equal(hex(namedBits([5, 6])), '03020106')
  assert.equal(hex(namedBits([8])), '0303070080')
  assert.equal(hex(namedBits([])), '030100')
})

test('lengths are written in the fewest bytes and read back', () => {
  for (const [size, header] of [[0, '0400'], [127, '047f'], [128, '048180'], [255, '0481ff'], [256, '04820100'], [65535, '0482ffff'], [65536, '0483010000'], [16777216, '048401000000']] as const) {
    const der = octetString(Buffer.alloc(size))
    assert.equal(hex(der.subarray(0, der.length - size)), header)
    assert.equal(readElement(der).content.length, size)
  }
})

test('the members of a set are sorted', () => {
  assert.equal(hex(setOf(smallInteger(3), smallInteger(1), octetString(Buffer.of(9)))), '3109020101020103040109')
})

test('property: object identifiers and times are read as they were written', () => {
  const identifier = fc.tuple(fc.constantFrom(0, 1, 2), fc.nat(39), fc.array(fc.nat(2 ** 31 - 1), { maxLength: 8 })).map(([first, second, rest]) => [first, second, ...rest].join('.'))
  fc.assert(fc.property(identifier, (dotted) => { assert.equal(readOid(readElement(objectIdentifier(dotted))), dotted) }))
  fc.assert(fc.property(fc.date({ min: new Date('1950-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }), (date) => {
    assert.equal(readTime(readElement(time(date))).getTime(), Math.floor(date.getTime() / 1000) * 1000)
  }))
  assert.equal(hex(objectIdentifier('2.5.29.17')), '0603551d11')
  assert.equal(time(new Date('2049-12-31T23:59:59Z'))[0], 0x17)
  assert.equal(time(new Date('2050-01-01T00:00:00Z'))[0], 0x18)
})

test('property: serial numbers are read as they were written', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), (bytes) => { assert.equal(readIntegerHex(readElement(integer(bytes))), serialHex(bytes)) }))
})

test('property: bytes of any kind are read within bounds or refused with DerError', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    try {
      const found = readElement(Buffer.from(bytes))
      assert.ok(found.raw.length <= bytes.length)
      readChildren(found)
      readTime(found)
    } catch (error) {
      assert.ok(error instanceof DerError, String(error))
    }
  }), { numRuns: 5000 })
})

test('what runs over its end, has no length or is not in its place is refused', () => {
  for (const bad of ['', '30', '3001', '3081', '308201', '30800000', '3085010000000001', '1f01', '30030201']) assert.throws(() => readElement(Buffer.from(bad, 'hex')), DerError, bad)
  assert.throws(() => readChildren(readElement(Buffer.from('30030202ff', 'hex'))), DerError)
  const cursor = new DerCursor(readElement(sequence(smallInteger(1))))
  assert.throws(() => cursor.take(0x30), DerError)
  assert.equal(cursor.takeIf(0x30), undefined)
  assert.equal(cursor.take(0x02).content[0], 1)
  assert.throws(() => cursor.take(), DerError)
  assert.throws(() => readChildren(readElement(element(0x30, Buffer.alloc(2 * 20_001)))), /too many/)
})
