import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { contentHex, DerCursor, DerError, isSameElement, latin1Text, readChildren, readElement, readIntegerHex, readOid, readText, readTime, serialHex, type DerElement } from './der-reader.ts'
import { element, integer, namedBits, objectIdentifier, octetString, sequence, setOf, smallInteger, time, utf8String } from './der-writer.ts'

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

type Tree = { tag: number; content: Buffer } | { tag: number; members: Tree[] }
const plain = { noNullPrototype: true }
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.record({ tag: fc.constantFrom(0x01, 0x02, 0x04, 0x06, 0x0c, 0x17, 0x80, 0x9e), content: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) }, plain),
    fc.record({ tag: fc.constantFrom(0x30, 0x31, 0xa0, 0xbe), members: fc.array(tie('tree'), { maxLength: 6 }) }, plain),
  ),
}))
const written = (node: Tree): Buffer => ('content' in node ? element(node.tag, node.content) : element(node.tag, ...node.members.map(written)))
const read = (found: DerElement): Tree => ((found.tag & 0x20) === 0 ? { tag: found.tag, content: Buffer.from(found.content) } : { tag: found.tag, members: readChildren(found).map(read) })

test('property: trees of elements are read as they were written, by bytes and by places', () => {
  fc.assert(fc.property(tree, fc.nat(20), (node, before) => {
    const der = written(node)
    const whole = readElement(Buffer.concat([Buffer.alloc(before, 0xff), der, Buffer.of(0xff)]), before)
    assert.deepEqual(read(whole), node)
    assert.ok(whole.raw.equals(der))
    const { tag, content, raw } = whole
    assert.deepEqual(read({ tag, content, raw }), node)
    assert.ok(isSameElement(whole, readElement(der)) && isSameElement(readElement(der), { tag, content, raw }))
    assert.ok(!isSameElement(whole, readElement(element(tag ^ 0x40, content))) && !isSameElement(whole, readElement(element(tag, content, Buffer.of(0)))))
    assert.equal(contentHex(whole), content.toString('hex'))
  }))
})

test('property: texts are read as they were written', () => {
  const wideOf = (text: string, width: 2 | 4) => Buffer.concat([...text].map((one) => { const out = Buffer.alloc(width); out.writeUIntBE(one.codePointAt(0) ?? 0, 0, width); return out }))
  fc.assert(fc.property(fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()), (text) => {
    assert.equal(readText(readElement(utf8String(text))), text)
    assert.equal(readText(readElement(element(0x1c, wideOf(text, 4)))), text)
    const narrow = [...text].filter((one) => one.length === 1).join('')
    assert.equal(readText(readElement(element(0x1e, wideOf(narrow, 2)))), narrow)
    const latin = [...text].filter((one) => one <= '\u00ff').join('')
    for (const tag of [0x12, 0x13, 0x14, 0x16, 0x1a]) assert.equal(readText(readElement(element(tag, Buffer.from(latin, 'latin1')))), latin)
    assert.equal(latin1Text(readElement(element(0x86, Buffer.from(latin, 'latin1')))), latin)
  }))
  assert.equal(readText(readElement(element(0x04, Buffer.from('a')))), undefined)
})

const dates: Record<string, [tag: number, text: string, iso: string | null]> = {
  'without seconds': [0x17, '2602030405Z', '2026-02-03T04:05:00.000Z'], 'ahead of UTC': [0x17, '260203040506+0130', '2026-02-03T02:35:06.000Z'], 'behind UTC': [0x17, '260203040506-0130', '2026-02-03T05:35:06.000Z'],
  'without zone': [0x17, '260203040506', '2026-02-03T04:05:06.000Z'], 'of 1950': [0x17, '500101000000Z', '1950-01-01T00:00:00.000Z'], 'of 2049': [0x17, '491231235959Z', '2049-12-31T23:59:59.000Z'],
  'hours only': [0x18, '2026020304Z', '2026-02-03T04:00:00.000Z'], 'minutes': [0x18, '202602030405Z', '2026-02-03T04:05:00.000Z'], 'with a fraction': [0x18, '20260203040506.789Z', '2026-02-03T04:05:06.000Z'],
  'of the year 33': [0x18, '00330403150000Z', '0033-04-03T15:00:00.000Z'], 'on a leap day': [0x17, '240229000000Z', '2024-02-29T00:00:00.000Z'],
  'on a day that is none': [0x17, '260229000000Z', null], 'in month 13': [0x17, '261301000000Z', null], 'in month 0': [0x17, '260001000000Z', null], 'at 24 hours': [0x17, '260101240000Z', null],
  'at 60 minutes': [0x17, '260101006000Z', null], 'with a letter': [0x17, '26010100O000Z', null], 'with words after it': [0x17, '260101000000Zx', null], 'with half a second': [0x17, '2601010000001Z', null],
  'cut off': [0x17, '26010100', null], 'empty': [0x17, '', null], 'with a bad zone': [0x17, '260101000000+2460', null], 'of another type': [0x16, '260101000000Z', null], 'with a long fraction': [0x18, `20260101000000.${'1'.repeat(50)}Z`, null],
}
for (const [title, [tag, text, iso]] of Object.entries(dates)) {
  test(`a date ${title} is ${iso === null ? 'refused' : 'read'}`, () => {
    const time = readElement(element(tag, Buffer.from(text)))
    if (iso === null) assert.throws(() => readTime(time), DerError)
    else assert.equal(readTime(time).toISOString(), iso)
  })
}

test('identifiers with arcs of any size are read, cut off and long ones refused', () => {
  const oidOf = (hexBytes: string) => readOid(readElement(element(0x06, Buffer.from(hexBytes, 'hex'))))
  assert.equal(oidOf('8837'), '2.999')
  for (let again = 0; again < 2; again++) assert.equal(oidOf(`2a${'ff'.repeat(62)}7f`), `1.2.${(1n << 441n) - 1n}`)
  for (const bad of ['', '2a80', '2aff', `2a${'ff'.repeat(63)}7f`]) assert.throws(() => oidOf(bad), DerError, bad)
  // two that the table of known ones keeps under the same sum: 31 * a + b
  const [one, other] = ['2a0141', '2a0060']
  assert.notEqual(oidOf(one), oidOf(other))
  assert.deepEqual([oidOf(one), oidOf(other)], ['1.2.1.65', '1.2.0.96'])
  // more than the table keeps
  for (let i = 0; i < 3_000; i++) assert.equal(readOid(readElement(objectIdentifier(`1.2.77.${i}.${i * 7}`))), `1.2.77.${i}.${i * 7}`)
})
