import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import fc from 'fast-check'
import { checkGeneralNames } from './check-general-names.ts'
import { directoryName, generalNames, type GeneralName } from './general-names.ts'
import { nameForms } from './names.ts'

const good: [given: GeneralName, normal: string][] = [
  [{ type: 'dns', value: 'WWW.Bücher.example' }, 'www.xn--bcher-kva.example'], [{ type: 'dns', value: '*.example.com' }, '*.example.com'], [{ type: 'ip', value: '2001:DB8:0::1' }, '2001:db8::1'],
  [{ type: 'email', value: 'First.Last+tag@Bücher.Example' }, 'First.Last+tag@xn--bcher-kva.example'], [{ type: 'email', value: `${'a'.repeat(64)}@localhost` }, `${'a'.repeat(64)}@localhost`],
  [{ type: 'uri', value: 'HTTPS://Bücher.Example:8443/Weg/ü?q=ß#é' }, 'https://xn--bcher-kva.example:8443/Weg/%C3%BC?q=%C3%9F#%C3%A9'], [{ type: 'uri', value: 'spiffe://Trust.example/ns/web' }, 'spiffe://trust.example/ns/web'],
  [{ type: 'uri', value: 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6' }, 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6'], [{ type: 'uri', value: 'ldap://[2001:DB8::1]/c=GB?a' }, 'ldap://[2001:db8::1]/c=GB?a'],
  [{ type: 'uri', value: 'sip:alice@example.com' }, 'sip:alice@example.com'], [{ type: 'uri', value: 'https://user@example.com' }, 'https://user@example.com'], [{ type: 'uri', value: 'http://192.0.2.1/x' }, 'http://192.0.2.1/x'],
  [{ type: 'upn', value: 'Jürgen@CORP' }, 'Jürgen@CORP'], [{ type: 'registered-id', value: '1.2.3' }, '1.2.3'], [{ type: 'other', oid: '1.2.3', value: '0C0141' }, '0c0141'],
]
for (const [given, normal] of good) {
  test(`${given.type} ${given.value} becomes ${normal}`, () => {
    const [name] = checkGeneralNames([given])
    assert.deepEqual([name?.type, name?.value], [given.type, normal])
    assert.deepEqual(checkGeneralNames([name ?? given]), [name], 'passes unchanged')
  })
}

const bad: [name: GeneralName, problem: RegExp][] = [
  [{ type: 'dns', value: 'a b' }, /space/], [{ type: 'dns', value: '192.0.2.1' }, /is an IP address, not/], [{ type: 'ip', value: 'example.com' }, /not an IP address/], [{ type: 'ip', value: 'fe80::1%1' }, /zone/],
  [{ type: 'email', value: 'example.com' }, /not an e-mail address/], [{ type: 'email', value: '@example.com' }, /not an e-mail address/], [{ type: 'email', value: 'a@' }, /not an e-mail address/], [{ type: 'email', value: 'ü@example.com' }, /only ASCII/],
  [{ type: 'email', value: 'a b@example.com' }, /part before the @/], [{ type: 'email', value: 'a..b@example.com' }, /part before the @/], [{ type: 'email', value: '.a@example.com' }, /part before the @/], [{ type: 'email', value: '"a b"@example.com' }, /part before the @/], [{ type: 'email', value: 'Ada <ada@example.com>' }, /part before the @/],
  [{ type: 'email', value: `${'a'.repeat(65)}@example.com` }, /64/], [{ type: 'email', value: 'a@192.0.2.1' }, /IP address/], [{ type: 'email', value: 'a@[192.0.2.1]' }, /character/], [{ type: 'email', value: 'a@*.example.com' }, /wildcard/], [{ type: 'email', value: 'a@b_c.example' }, /underscore/], [{ type: 'email', value: `a@${'b.'.repeat(2000)}c` }, /too long/], [{ type: 'email', value: `${'a'.repeat(64)}@${'abcdefghi.'.repeat(19)}c` }, /254/],
  [{ type: 'uri', value: 'www.example.com/a' }, /scheme/], [{ type: 'uri', value: '/a' }, /scheme/], [{ type: 'uri', value: 'https:' }, /scheme/], [{ type: 'uri', value: '1a:b' }, /scheme/], [{ type: 'uri', value: 'https://' }, /no host/], [{ type: 'uri', value: 'https:///a' }, /no host/],
  [{ type: 'uri', value: 'https://a b/' }, /space/], [{ type: 'uri', value: 'https://a.example/a b' }, /space/], [{ type: 'uri', value: 'https://a.example/%4' }, /hex digits/], [{ type: 'uri', value: 'https://a.example/<x>' }, /escaped/], [{ type: 'uri', value: 'https://u:p@a.example/' }, /password/],
  [{ type: 'uri', value: 'https://*.example.com/' }, /wildcard/], [{ type: 'uri', value: 'https://[1.2.3.4]/' }, /IPv6/], [{ type: 'uri', value: 'https://a_b.example/' }, /underscore/], [{ type: 'uri', value: 'https://a.example:x/' }, /readable host/], [{ type: 'uri', value: `urn:${'x'.repeat(2050)}` }, /2048/], [{ type: 'uri', value: `urn:${'ü'.repeat(1000)}` }, /2048/], [{ type: 'uri', value: 'urn:\ud800' }, /half/],
  [{ type: 'upn', value: 'jürgen' }, /user principal/], [{ type: 'upn', value: 'a@b@c' }, /user principal/], [{ type: 'upn', value: 'a b@c' }, /space/], [{ type: 'upn', value: 'a\u0000@c' }, /control/], [{ type: 'upn', value: '\ud800@c' }, /half/], [{ type: 'upn', value: `${'a'.repeat(1024)}@c` }, /1024/],
  [{ type: 'registered-id', value: '1' }, /dotted/], [{ type: 'directory', value: '', der: '3000' }, /empty/], [{ type: 'directory', value: 'x', der: '05' }, /not the DER/], [{ type: 'other', oid: null, value: '8300' }, /can not be asked/], [{ type: 'other', oid: 'x', value: '0500' }, /dotted/], [{ type: 'other', oid: '1.2.3', value: '05' }, /one DER element/],
]
for (const [name, problem] of bad) {
  test(`${name.type} ${JSON.stringify(name.value.slice(0, 40))} is refused: ${problem.source}`, () => {
    assert.throws(() => checkGeneralNames([{ type: 'dns', value: 'good.example' }, name], 250, 'alternativeNames'), (error) => {
      assert.ok(error instanceof CertloopError && error.code === 'NAME_INVALID', String(error))
      const [line = '', ...more] = error.facts['fields'] as string[]
      assert.deepEqual(more, [])
      assert.match(line, /^alternativeNames\[1\]: /)
      assert.match(line, problem)
      assert.match(error.message, problem)
      return true
    })
  })
}

test('the same name twice stays once, other kinds of the same text stay', () => {
  const directory = directoryName([{ type: 'CN', value: 'x' }])
  assert.deepEqual(checkGeneralNames([{ type: 'email', value: 'a@B.example' }, { type: 'email', value: 'a@b.example' }, { type: 'upn', value: 'a@b.example' }, directory, directory]), [{ type: 'email', value: 'a@b.example' }, { type: 'upn', value: 'a@b.example' }, directory])
  assert.throws(() => checkGeneralNames([]), { code: 'NAME_INVALID' })
  assert.throws(() => checkGeneralNames([{ type: 'dns', value: 'a.example' }, { type: 'dns', value: 'b.example' }], 1), { code: 'TOO_MANY_NAMES' })
})

test('property: any text of any kind is refused with NAME_INVALID or passes unchanged a second time and can be written', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.emailAddress(), fc.webUrl(), fc.string({ unit: fc.constantFrom('a', 'B', '@', '.', ':', '/', '%', '4', 'ü', '[', ']', '*', '-', ' '), maxLength: 25 }).map((rest) => `x:${rest}`))
  const name = fc.record({ type: fc.constantFrom('dns' as const, 'ip' as const, 'email' as const, 'uri' as const, 'upn' as const, 'registered-id' as const), value: text })
  fc.assert(fc.property(name, (given) => {
    let names: GeneralName[]
    try {
      names = checkGeneralNames([given])
    } catch (error) {
      assert.ok(error instanceof CertloopError && error.code === 'NAME_INVALID', String(error))
      return
    }
    assert.deepEqual(checkGeneralNames(names), names)
    generalNames(names)
  }), { numRuns: 5000 })
})

test('a name has an ASCII and a Unicode form', () => {
  assert.deepEqual(nameForms('*.xn--bcher-kva.example'), { ascii: '*.xn--bcher-kva.example', unicode: '*.bücher.example' })
  assert.deepEqual(nameForms('www.Bücher.example'), { ascii: 'www.xn--bcher-kva.example', unicode: 'www.bücher.example' })
  assert.deepEqual(nameForms('𝐀.１.１２'), { ascii: 'a.１.１２', unicode: 'a.１.１２' })
  assert.deepEqual(nameForms('192.0.2.1'), { ascii: '192.0.2.1', unicode: '192.0.2.1' })
  assert.deepEqual(nameForms('2001:db8::1'), { ascii: '2001:db8::1', unicode: '2001:db8::1' })
  for (const garbage of ['', '.', 'xn--', 'xn--a', 'xn--zzzzzzzzz.example', 'a b', '%%', 'x'.repeat(100_000), '\u0000', 'xn--\ud800', '-.-', 'a..b']) {
    assert.deepEqual(nameForms(garbage), { ascii: garbage, unicode: garbage })
  }
})

test('property: name forms never throw, and the ASCII form of the Unicode form is the ASCII form', () => {
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('xn--', 'a', 'ü', 'ß', '.', '-', '書', '\u200d', 'kva'), maxLength: 12 })), (text) => {
    const forms = nameForms(text)
    assert.equal(nameForms(forms.ascii).unicode, forms.unicode)
    assert.equal(nameForms(forms.unicode).ascii.toLowerCase(), forms.ascii.toLowerCase())
  }), { numRuns: 5000 })
})
