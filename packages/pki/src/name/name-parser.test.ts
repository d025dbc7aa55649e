import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import fc from 'fast-check'
import { parseName } from './name-parser.ts'
import type { SubjectPart } from './subject.ts'

const cn = (value: string): SubjectPart => ({ type: 'CN', value })
const o = (value: string): SubjectPart => ({ type: 'O', value })

const read: [text: string, parts: SubjectPart[]][] = [
  ['', []], ['  ', []], ['CN=x', [cn('x')]], ['CN=www,O=Ex\\, ample', [o('Ex, ample'), cn('www')]], ['CN = www , O = Ex ample ', [o('Ex ample'), cn('www')]],
  ['CN="Ex, ample+1",O=x', [o('x'), cn('Ex, ample+1')]], ['CN="a \\" b" , O=x', [o('x'), cn('a " b')]], ['CN=\\ a\\ ,O=\\#b', [o('#b'), cn(' a ')]], ['CN=\\C3\\BC\\2C', [cn('ü,')]],
  ['CN=x+UID=y,O=z', [o('z'), [cn('x') as { type: string; value: string }, { type: 'UID', value: 'y' }]]],
  ['CN=#0c0178,O=y', [o('y'), cn('x')]], ['1.2.3.4=#13024142', [{ type: '1.2.3.4', value: 'AB' }]], ['OID.2.5.4.3=x', [{ type: '2.5.4.3', value: 'x' }]], ['CN=a=b', [cn('a=b')]], ['CN=a/b', [cn('a/b')]],
  ['/C=DE/CN=x', [{ type: 'C', value: 'DE' }, cn('x')]], ['/CN=a, b', [cn('a, b')]], ['/CN=a\\/b\\+c', [cn('a/b+c')]], ['/CN=x+UID=y', [[{ type: 'CN', value: 'x' }, { type: 'UID', value: 'y' }]]], ['/CN=\\xC3\\xBC', [cn('ü')]], ['/CN="a"', [cn('"a"')]],
]
for (const [text, parts] of read) {
  test(`the name ${JSON.stringify(text)} is read`, () => { assert.deepEqual(parseName(text), parts) })
}

const refused: [text: string, problem: RegExp][] = [
  ['x', /without "="/], ['CN', /without "="/], ['CN=x,', /without "="/], ['CN=x,,O=y', /where an attribute/], ['CN=a,b', /without "="/], ['CN=a+b', /without "="/], ['=x', /where an attribute/], ['XX=x', /where an attribute/],
  ['CN=', /CN is empty/], ['CN="a', /closing quote/], ['CN="a"b', /after the closing quote/], ['CN=a\\', /backslash/], ['CN=#0', /not hex/], ['CN=#zz', /not hex/], ['CN=#0c05', /not the DER/], ['CN=#020101', /not the DER/], ['CN=\\C3', /UTF-8/], ['CN=\\00', /control/],
  ['/CN=a/b', /without "="/], ['/', /without "="/], ['/CN=x/', /without "="/], ['C=DEU', /two letters/], [`CN=${'x'.repeat(65)}`, /64/], ['x'.repeat(100_001), /100000/],
]
for (const [text, problem] of refused) {
  test(`the name ${JSON.stringify(text.slice(0, 30))} is refused`, () => {
    assert.throws(() => parseName(text), (error) => {
      assert.ok(error instanceof CertloopError && error.code === 'NAME_INVALID', String(error))
      assert.match((error.facts['fields'] as string[]).join('\n'), /^subject/)
      assert.match((error.facts['fields'] as string[]).join('\n'), problem)
      return true
    })
  })
}

test('property: any text is read or refused with NAME_INVALID', () => {
  const nearly = fc.string({ unit: fc.constantFrom('CN=', 'O=', '1.2.3=', '/', ',', '+', '"', '\\', '#', '0c', '01', ' ', 'a', 'ü', '\ud800'), maxLength: 30 })
  fc.assert(fc.property(fc.oneof(nearly, fc.string({ unit: 'binary' })), (text) => {
    try {
      parseName(text)
    } catch (error) {
      assert.ok(error instanceof CertloopError && error.code === 'NAME_INVALID', String(error))
    }
  }), { numRuns: 5000 })
})

test('long texts are read in linear time', () => {
  const begin = performance.now()
  for (const text of ['CN=a,'.repeat(19_000), 'CN=a+'.repeat(19_000), `CN=${'\\C3\\BC'.repeat(16_000)}`, `CN=${' '.repeat(99_000)}`, `CN=#${'0c'.repeat(49_000)}`, 'CN=#0c0161,'.repeat(9_000), `/${'CN=a/'.repeat(19_000)}`]) {
    assert.throws(() => parseName(text), { code: 'NAME_INVALID' })
  }
  assert.ok(performance.now() - begin < 2_000)
})
