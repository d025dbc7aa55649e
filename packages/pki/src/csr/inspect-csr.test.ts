import assert from 'node:assert/strict'
import { test } from 'node:test'
import { element, explicit, sequence, setOf, objectIdentifier } from '../der/der-writer.ts'
import { generateKey } from '../key/key.ts'
import { openssl, temporaryFolder } from '../openssl-testing.ts'
import { generalNames } from '../name/general-names.ts'
import { createCsr } from './create-csr.ts'
import { readCsr } from './csr.ts'
import { attribute, signedRequest, wish } from './csr-testing.ts'
import { inspectCsr } from './inspect-csr.ts'

const privateKeyPem = await generateKey('ec-256')
const codes = (input: string | Uint8Array) => inspectCsr(input).findings.map(({ code, severity }) => `${severity} ${code}`)

test('a good request has no findings and the facts of readCsr', async () => {
  const pem = await createCsr({ privateKeyPem, subject: [{ type: 'O', value: 'x' }], commonName: 'a.example', names: ['a.example', 'b.example'], alternativeNames: [{ type: 'email', value: 'a@b.example' }] })
  assert.deepEqual(inspectCsr(pem), { facts: readCsr(pem), findings: [] })
})

test('a wrong signature is a finding, and all else is still shown', async () => {
  const pem = await createCsr({ privateKeyPem, commonName: 'a.example', names: ['a.example'] })
  const der = Buffer.from(readCsr(pem).der)
  der[der.indexOf('a.example') + 8] = 0x66
  assert.throws(() => readCsr(der), { code: 'CSR_INVALID', message: /signature/ })
  const { facts, findings } = inspectCsr(der)
  assert.deepEqual(findings.map(({ code, severity }) => `${severity} ${code}`), ['error signature-wrong', 'warning common-name-not-among-names'])
  assert.deepEqual([facts.names, facts.keyAlgorithm], [['a.example'], 'ec-256'])
})

test('weak keys and digests, and those that nobody knows', { timeout: 60_000 }, (t) => {
  const folder = temporaryFolder(t)
  const made = (...args: string[]) => openssl(['req', '-new', '-nodes', '-keyout', `${folder}/k`, '-subj', '/CN=a.example', '-addext', 'subjectAltName=DNS:a.example', ...args])
  assert.deepEqual(codes(made('-newkey', 'rsa:1024')), ['error key-weak'])
  assert.deepEqual(codes(made('-newkey', 'rsa:2048', '-sha1')), ['warning signature-weak'])
  assert.deepEqual(codes(made('-newkey', 'rsa:1024', '-md5')), ['error signature-weak', 'error key-weak'])
  assert.throws(() => readCsr(made('-newkey', 'rsa:2048', '-md5')), { code: 'CSR_INVALID', message: /md5WithRSAEncryption.*forge/ })
  assert.deepEqual(codes(made('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp224r1')), ['error key-weak'])
  assert.deepEqual(codes(made('-newkey', 'ed448')), ['warning key-unsupported'])
  openssl(['dsaparam', '-out', `${folder}/dsa`, '1024'])
  const dsa = made('-newkey', `dsa:${folder}/dsa`)
  assert.deepEqual(codes(dsa), ['error signature-unsupported', 'error key-weak'])
  assert.throws(() => readCsr(dsa), { code: 'CSR_INVALID', message: /\(dsa\).*not known here/ })
})

test('another version and a second set of attributes are errors, and refused', async () => {
  const names = (name: string) => attribute('1.2.840.113549.1.9.14', sequence(wish('2.5.29.17', generalNames([{ type: 'dns', value: name }]))))
  for (const [odd, message] of [[{ version: 1 }, /its version/], [{ after: [explicit(0, names('other.example'))] }, /more follows its attributes/]] as const) {
    const der = await signedRequest(privateKeyPem, [names('a.example')], sequence(), odd)
    assert.deepEqual(codes(der), ['error outline-unusual'])
    assert.throws(() => readCsr(der), { code: 'CSR_INVALID', message })
  }
})

test('names and subjects that are not valid', async () => {
  const names = generalNames([{ type: 'dns', value: 'a_b.example' }, { type: 'email', value: 'nobody' }, { type: 'dns', value: 'good.example' }])
  const country = sequence(setOf(sequence(objectIdentifier('2.5.4.6'), element(0x13, Buffer.from('Germany')))))
  const { findings } = inspectCsr(await signedRequest(privateKeyPem, [attribute('1.2.840.113549.1.9.14', sequence(wish('2.5.29.17', names)))], country))
  assert.deepEqual(findings, [
    { code: 'name-invalid', severity: 'error', message: 'The name "a_b.example" contains an underscore.' },
    { code: 'name-invalid', severity: 'error', message: 'The name "nobody" is not an e-mail address such as name@example.com.' },
    { code: 'subject-invalid', severity: 'warning', message: 'The subject is not valid: subject[0]: C has to be a country code of two letters, such as DE.' },
  ])
})

test('other things a person should know', async () => {
  assert.deepEqual(codes(await createCsr({ privateKeyPem, commonName: 'a.example' })), ['warning names-missing'])
  assert.deepEqual(codes(await createCsr({ privateKeyPem, names: ['a.example'], certificateAuthority: { pathLength: 0 }, challengePassword: 'x' })), ['warning ca-requested', 'notice challenge-password'])
  assert.deepEqual(codes(privateKeyPem + await createCsr({ privateKeyPem, names: ['a.example'] })), ['warning private-key-included'])
})

test('many problems of one kind are summed up', async () => {
  const names = generalNames(Array.from({ length: 500 }, (_, i) => ({ type: 'dns' as const, value: `a_${i}.example` })))
  const { findings } = inspectCsr(await signedRequest(privateKeyPem, [attribute('1.2.840.113549.1.9.14', sequence(wish('2.5.29.17', names)))]))
  assert.equal(findings.length, 21)
  assert.match(findings.at(-1)?.message ?? '', /480 more/)
})
