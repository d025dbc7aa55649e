import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generateKey } from '../key/key.ts'
import { compareCsr, type WantedCsr } from './compare-csr.ts'
import { createCsr, type CsrContent } from './create-csr.ts'
import { readCsr } from './csr.ts'

const privateKeyPem = await generateKey('ec-256')
const csr = async (content: CsrContent) => readCsr(await createCsr({ privateKeyPem, ...content }))
const whole: CsrContent & WantedCsr = {
  subject: [{ type: 'C', value: 'DE' }, { type: 'O', value: 'Ex' }, { type: 'OU', value: 'a' }], commonName: 'a.example', names: ['a.example', '192.0.2.1'], alternativeNames: [{ type: 'email', value: 'a@b.example' }],
  keyUsage: ['digitalSignature'], extendedKeyUsage: ['serverAuth', '1.2.3'], mustStaple: true, certificateAuthority: { pathLength: 1 },
}

test('a request that is what was asked has no differences, whatever the order and spelling of names', async () => {
  const facts = await csr(whole)
  assert.deepEqual(compareCsr(facts, { ...whole, keyAlgorithm: 'ec-256', spkiDigest: facts.spkiDigest }), [])
  assert.deepEqual(compareCsr(facts, { names: ['192.0.2.1', 'A.example', 'a.example'], alternativeNames: [{ type: 'email', value: 'a@B.example' }], extendedKeyUsage: ['1.2.3', 'serverAuth'] }), [])
  assert.deepEqual(compareCsr(facts, {}), [])
})

const cases: [what: string, content: CsrContent, wanted: WantedCsr, found: string[]][] = [
  ['a name too many', { names: ['a.example', 'b.example'] }, { names: ['a.example'] }, ['names too-many: The DNS name "b.example" is in the request, but was not wanted.']],
  ['a name missing', { names: ['a.example'] }, { names: ['a.example', '192.0.2.1'] }, ['names missing: The IP address "192.0.2.1" is missing from the request.']],
  ['a name of a kind nobody thought of', { names: ['a.example'], alternativeNames: [{ type: 'upn', value: 'root@corp' }] }, { names: ['a.example'] }, ['names too-many: The user principal name "root@corp" is in the request, but was not wanted.']],
  ['the same text of another kind', { names: ['b.example'], alternativeNames: [{ type: 'upn', value: 'a@b.example' }] }, { names: ['b.example'], alternativeNames: [{ type: 'email', value: 'a@b.example' }] }, ['names too-many: The user principal name "a@b.example" is in the request, but was not wanted.', 'names missing: The e-mail address "a@b.example" is missing from the request.']],
  ['a wildcard for a host', { names: ['*.b.example'] }, { names: ['a.b.example'] }, ['names too-many: The DNS name "*.b.example" is in the request, but was not wanted.', 'names missing: The DNS name "a.b.example" is missing from the request.']],
  ['no names wanted', { names: ['a.example'] }, { names: [] }, ['names too-many: The DNS name "a.example" is in the request, but was not wanted.']],
  ['another common name', { commonName: 'b' }, { commonName: 'a' }, ['commonName different: The common name is "b"; wanted was "a".']],
  ['a common name in other letters', { commonName: 'A' }, { commonName: 'a' }, ['commonName different: The common name is "A"; wanted was "a".']],
  ['a common name that was not wanted', { commonName: 'b' }, { commonName: null }, ['commonName too-many: The common name is "b"; wanted was none.']],
  ['no common name', { names: ['a.example'] }, { commonName: 'a' }, ['commonName missing: The common name is none; wanted was "a".']],
  ['other attributes', { subject: [{ type: 'O', value: 'Evil' }, { type: 'CN', value: 'a' }] }, { subject: [{ type: 'O', value: 'Good' }], commonName: 'a' }, ['subject too-many: The subject has "O=Evil", which was not wanted.', 'subject missing: The subject lacks "O=Good".']],
  ['an attribute once too often', { subject: [{ type: 'OU', value: 'a' }, { type: 'OU', value: 'a' }] }, { subject: [{ type: 'OU', value: 'a' }] }, ['subject too-many: The subject has "OU=a", which was not wanted.']],
  ['attributes in another order', { subject: [{ type: 'O', value: 'a' }, { type: 'OU', value: 'b' }] }, { subject: [{ type: 'OU', value: 'b' }, { type: 'O', value: 'a' }] }, ['subject different: The subject has its attributes in another order: "OU=b,O=a"; wanted was "O=a,OU=b".']],
  ['another kind of key', {}, { keyAlgorithm: 'rsa-2048' }, ['keyAlgorithm different: The key is of the kind ec-256; wanted was rsa-2048.']],
  ['usages', { keyUsage: ['digitalSignature', 'keyCertSign'] }, { keyUsage: ['digitalSignature', 'keyEncipherment'] }, ['keyUsage too-many: The request asks for the key usage keyCertSign, which was not wanted.', 'keyUsage missing: The request does not ask for the key usage keyEncipherment.']],
  ['purposes', { extendedKeyUsage: ['codeSigning'] }, { extendedKeyUsage: [] }, ['extendedKeyUsage too-many: The request asks for the extended key usage codeSigning, which was not wanted.']],
  ['silence on usages', {}, { extendedKeyUsage: ['serverAuth'] }, ['extendedKeyUsage missing: The request does not ask for the extended key usage serverAuth.']],
  ['must-staple not wanted', { mustStaple: true }, { mustStaple: false }, ['mustStaple too-many: The request asks for must-staple, which was not wanted.']],
  ['must-staple missing', {}, { mustStaple: true }, ['mustStaple missing: The request does not ask for must-staple.']],
  ['a CA that was not wanted', { certificateAuthority: { pathLength: null } }, { certificateAuthority: null }, ['basicConstraints too-many: The request asks for the certificate of a certificate authority, which was not wanted.']],
  ['a CA missing', {}, { certificateAuthority: { pathLength: 0 } }, ['basicConstraints missing: The request does not ask for the certificate of a certificate authority.']],
  ['a longer path', { certificateAuthority: { pathLength: null } }, { certificateAuthority: { pathLength: 0 } }, ['basicConstraints different: The path length is not limited; wanted was 0.']],
]
for (const [what, content, wanted, found] of cases) {
  test(`difference: ${what}`, async () => {
    assert.deepEqual(compareCsr(await csr(content), wanted).map(({ field, kind, message }) => `${field} ${kind}: ${message}`), found)
  })
}

test('another key of the same kind is found by its digest', async () => {
  const facts = await csr({})
  assert.deepEqual(compareCsr(facts, { spkiDigest: '00' }).map(({ field, kind }) => [field, kind]), [['publicKey', 'different']])
})

test('a wanted subject that is not valid is said to be', async () => {
  const facts = await csr({})
  assert.throws(() => compareCsr(facts, { subject: [{ type: 'C', value: 'x' }] }), { code: 'NAME_INVALID' })
})
