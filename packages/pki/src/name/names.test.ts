import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import fc from 'fast-check'
import { checkNames } from './names.ts'

test('names come back in one normal form, without duplicates, in order', () => {
  assert.deepEqual(checkNames(['WWW.Example.COM', 'www.example.com', '*.example.com', 'localhost']), ['www.example.com', '*.example.com', 'localhost'])
  assert.deepEqual(checkNames(['bücher.example', '*.例え.jp', 'XN--BCHER-KVA.example']), ['xn--bcher-kva.example', '*.xn--r8jz45g.jp'])
  assert.deepEqual(checkNames(['192.0.2.1', '2001:DB8:0:0:0:0:0:1', '2001:db8::1', '::ffff:192.0.2.1']), ['192.0.2.1', '2001:db8::1', '::ffff:c000:201'])
  assert.deepEqual(checkNames([`${'a'.repeat(63)}.example`, '1.example', 'a-b.c0']), [`${'a'.repeat(63)}.example`, '1.example', 'a-b.c0'])
})

const refused: [name: string, problem: RegExp][] = [
  ['', /is empty/], ['www example.com', /space/], [' www.example.com', /space/], ['www.example.com\n', /space/], ['a\u0000.example', /control/],
  ['https://example.com', /scheme/], ['example.com/path', /scheme/], ['example.com:443', /port/], ['[2001:db8::1]', /IPv6|character/], ['user@example.com', /character/],
  ['example.com.', /ends with a dot/], ['example。', /ends with a dot/], ['.example.com', /empty label/], ['a..example', /empty label/],
  ['*', /wildcard/], ['*.com', /fewer than two labels/], ['a.*.example.com', /wildcard/], ['*a.example.com', /wildcard/], ['a*.example.com', /wildcard/], ['*.*.example.com', /wildcard/],
  ['a_b.example', /underscore/], ['_acme-challenge.example.com', /underscore/], ['-a.example', /hyphen/], ['a-.example', /hyphen/],
  [`${'a'.repeat(64)}.example`, /63/], [`${'abcdefghi.'.repeat(26)}example`, /253/], ['x'.repeat(5000), /too long/],
  ['1.2.3', /not a valid IP/], ['1.2.3.256', /not a valid IP/], ['example.0x1', /not a valid IP/], ['１.２.３', /IP address/], ['fe80::1%eth0', /zone/], ['1:2:3', /port/],
  ['xn--invalid-.example', /international|hyphen/], ['xn--.example', /international|hyphen/], ['xn--abc-d.xn--zzzzzzzzz', /international/], ['xn--a.example', /international/], ['ex%61mple.com', /character/], ['bü%41.example', /character/], ['exa$mple.com', /character/],
]
for (const [name, problem] of refused) {
  test(`the name ${JSON.stringify(name.slice(0, 40))} is refused`, () => {
    assert.throws(() => checkNames(['good.example', name]), (error) => {
      assert.ok(error instanceof CertloopError)
      assert.equal(error.code, 'NAME_INVALID')
      const lines = error.facts['fields'] as string[]
      assert.equal(lines.length, 1)
      assert.match(lines[0] ?? '', /^names\[1\]: /)
      assert.match(lines[0] ?? '', problem)
      assert.match(error.message, problem)
      return true
    })
  })
}

test('a name has 253 characters at most, its wildcard counted', () => {
  const longest = `${'abcdefghi.'.repeat(25)}abc`
  assert.equal(longest.length, 253)
  assert.deepEqual(checkNames([longest]), [longest])
  assert.throws(() => checkNames([`${longest}d`]), { code: 'NAME_INVALID' })
  assert.deepEqual(checkNames([`*.${longest.slice(2)}`]), [`*.${longest.slice(2)}`])
  assert.throws(() => checkNames([`*.${longest}`]), { code: 'NAME_INVALID' })
})

test('every bad name is named', () => {
  assert.throws(() => checkNames(['a b', 'good.example', 'c d']), (error: CertloopError) => {
    assert.deepEqual((error.facts['fields'] as string[]).map((line) => line.split(':')[0]), ['names[0]', 'names[2]'])
    return true
  })
})

test('no name at all and too many names are refused', () => {
  const many = Array.from({ length: 251 }, (_, i) => `host${i}.example`)
  assert.throws(() => checkNames([]), { code: 'NAME_INVALID' })
  assert.throws(() => checkNames(many), { code: 'TOO_MANY_NAMES' })
  assert.equal(checkNames(many.slice(1)).length, 250)
  assert.throws(() => checkNames(['a.example', 'b.example'], 1), { code: 'TOO_MANY_NAMES' })
})

const label = fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,20}[a-zA-Z0-9])?$/).filter((text) => !/^..--/.test(text))
const hostName = fc.array(label, { minLength: 2, maxLength: 5 }).filter((labels) => /[a-z]/i.test(labels.at(-1)?.replace(/^0x[0-9a-f]*$/i, '') ?? '')).map((labels) => labels.join('.'))

test('property: well-formed names are kept, lower-cased', () => {
  fc.assert(fc.property(hostName, fc.boolean(), (name, wildcard) => {
    const given = wildcard ? `*.${name}` : name
    assert.deepEqual(checkNames([given]), [given.toLowerCase()])
  }))
})

test('property: any text is either refused with NAME_INVALID or gives names that pass unchanged', () => {
  const nearly = fc.string({ unit: fc.constantFrom('a', 'B', '0', '-', '.', '*', '_', ' ', ':', '/', '%', 'ü', '。', '１', '\u00ad', '\u200d', 'x', 'n'), maxLength: 30 })
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), nearly, fc.ipV6(), fc.domain()), (text) => {
    let names: string[]
    try {
      names = checkNames([text])
    } catch (error) {
      assert.ok(error instanceof CertloopError && error.code === 'NAME_INVALID', String(error))
      return
    }
    assert.equal(names.length, 1)
    assert.match(names[0] ?? '', /^(?:\*\.)?[a-z0-9.:-]{1,253}$/)
    assert.deepEqual(checkNames(names), names)
  }), { numRuns: 3000 })
})
