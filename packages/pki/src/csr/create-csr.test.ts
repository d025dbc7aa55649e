import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError, type ErrorCode } from '@certloop/contract'
import { generateKey } from '../key/key.ts'
import { openssl } from '../openssl-testing.ts'
import { createCsr, type CsrContent } from './create-csr.ts'
import { readCsr } from './csr.ts'

const privateKeyPem = await generateKey('ed25519')
const read = async (content: CsrContent) => readCsr(await createCsr({ privateKeyPem, ...content }))

test('a request asks for nothing that was not said', async () => {
  const facts = await read({ commonName: 'x' })
  assert.deepEqual([facts.alternativeNames, facts.keyUsage, facts.extendedKeyUsage, facts.mustStaple, facts.basicConstraints, facts.subjectKeyId], [[], null, null, false, null, null])
  assert.deepEqual([facts.challengePassword, facts.otherAttributes, facts.otherExtensions], [{ present: false, value: null }, [], []])
  assert.match(openssl(['asn1parse'], facts.pem), /l= +0 cons: cont \[ 0 \]/, 'no attribute')
})

test('the common name goes into the subject unless it is there', async () => {
  const o = { type: 'O', value: 'Ex' }
  assert.equal((await read({ subject: [o], commonName: 'x' })).subject, 'CN=x,O=Ex')
  assert.equal((await read({ subject: [{ type: 'commonName', value: 'x' }, o], commonName: 'x' })).subject, 'O=Ex,CN=x')
  assert.equal((await read({ subject: [o], commonName: null })).subject, 'O=Ex')
  await assert.rejects(read({ subject: [{ type: 'CN', value: 'y' }], commonName: 'x' }), { code: 'NAME_INVALID' })
})

test('names are normalised, each once, host names before the others', async () => {
  const facts = await read({ names: ['WWW.example.com'], alternativeNames: [{ type: 'email', value: 'a@EXAMPLE.com' }, { type: 'dns', value: 'www.example.com' }] })
  assert.deepEqual(facts.alternativeNames, [{ type: 'dns', value: 'www.example.com' }, { type: 'email', value: 'a@example.com' }])
})

test('the alternative names are critical when the subject is empty, and only then', async () => {
  const critical = async (content: CsrContent) => /Subject Alternative Name: critical/.test(openssl(['req', '-noout', '-text'], await createCsr({ privateKeyPem, ...content })))
  assert.equal(await critical({ names: ['a.example'] }), true)
  assert.equal(await critical({ names: ['a.example'], subject: [] }), true)
  assert.equal(await critical({ names: ['a.example'], commonName: 'a.example' }), false)
  assert.equal(await critical({ names: ['a.example'], subject: [{ type: 'O', value: 'x' }] }), false)
})

test('a challenge password is text of the plainest type', async () => {
  for (const [password, type] of [['Secret 1', 'PRINTABLESTRING'], ['geheim_ß', 'UTF8STRING']] as const) {
    const pem = await createCsr({ privateKeyPem, commonName: 'x', challengePassword: password })
    assert.deepEqual(readCsr(pem).challengePassword, { present: true, value: password })
    assert.match(openssl(['asn1parse'], pem), new RegExp(`challengePassword\\n.*\\n.*${type}`))
  }
})

test('a CA wish may be without limit', async () => {
  assert.deepEqual((await read({ commonName: 'x', certificateAuthority: { pathLength: null } })).basicConstraints, { critical: true, isCa: true, pathLength: null })
  assert.deepEqual((await read({ commonName: 'x', certificateAuthority: { pathLength: 0 } })).basicConstraints, { critical: true, isCa: true, pathLength: 0 })
})

test('more names than could be read again are refused', async () => {
  const many = (length: number) => Array.from({ length }, (_, i) => `host${i}.example`)
  assert.equal((await read({ names: many(5_000) })).names.length, 5_000)
  for (const length of [5_001, 200_000]) {
    await assert.rejects(createCsr({ privateKeyPem, names: many(length) }), { code: 'TOO_MANY_NAMES' })
    await assert.rejects(createCsr({ privateKeyPem, names: many(5_000).map((name) => `${'abcdefghi.'.repeat(10)}${name}`) }), { code: 'INPUT_INVALID' })
    await assert.rejects(createCsr({ privateKeyPem, alternativeNames: many(length).map((value) => ({ type: 'dns', value })) }), { code: 'TOO_MANY_NAMES' })
  }
})

const refused: [what: string, content: CsrContent, code: ErrorCode, field: RegExp][] = [
  ['a bad attribute', { subject: [{ type: 'C', value: 'x' }] }, 'NAME_INVALID', /^subject\[0\]: C has to be/],
  ['a bad host name', { names: ['a b'] }, 'NAME_INVALID', /^names\[0\]: /],
  ['a bad e-mail address', { alternativeNames: [{ type: 'email', value: 'x' }] }, 'NAME_INVALID', /^alternativeNames\[0\]: "x" is not an e-mail address/],
  ['a negative path length', { certificateAuthority: { pathLength: -1 } }, 'INPUT_INVALID', /^pathLength: /],
  ['half a path length', { certificateAuthority: { pathLength: 0.5 } }, 'INPUT_INVALID', /^pathLength: /],
  ['an unknown purpose', { extendedKeyUsage: ['serverAuth', 'serverauth'] }, 'INPUT_INVALID', /^extendedKeyUsage\[1\]: /],
  ['an unknown usage', { keyUsage: ['x' as 'cRLSign'] }, 'INPUT_INVALID', /^keyUsage\[0\]: /],
  ['an empty password', { challengePassword: '' }, 'INPUT_INVALID', /^challengePassword: /],
  ['a long password', { challengePassword: 'x'.repeat(256) }, 'INPUT_INVALID', /^challengePassword: /],
  ['a password with a line end', { challengePassword: 'a\nb' }, 'INPUT_INVALID', /^challengePassword: /],
]
for (const [what, content, code, field] of refused) {
  test(`${what} is refused`, async () => {
    await assert.rejects(createCsr({ privateKeyPem, ...content }), (error) => {
      assert.ok(error instanceof CertloopError && error.code === code, String(error))
      assert.match((error.facts['fields'] as string[])[0] ?? '', field)
      return true
    })
  })
}
