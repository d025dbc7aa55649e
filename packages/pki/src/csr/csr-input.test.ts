import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { leftOut } from '@certloop/test-kit'
import { element, objectIdentifier, sequence, smallInteger } from '../der/der-writer.ts'
import { fuzzParser } from '../fuzz-testing.ts'
import { generateKey } from '../key/key.ts'
import { generalNames } from '../name/general-names.ts'
import { temporaryFolder } from '../openssl-testing.ts'
import { toPem } from '../pem.ts'
import { createCsr } from './create-csr.ts'
import { readCsr } from './csr.ts'
import { attribute, certtoolRequest, certutilRequest, keytoolRequest, microsoftRequest, opensslRequest, signedRequest, wish } from './csr-testing.ts'
import { inspectCsr } from './inspect-csr.ts'

const privateKeyPem = await generateKey('ec-256')
const pem = await createCsr({ privateKeyPem, commonName: 'www.example.com', names: ['www.example.com'] })
const der = Buffer.from(readCsr(pem).der)
const base64 = der.toString('base64')
const newLabel = pem.replaceAll('CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST')

const forms: [what: string, input: string | Uint8Array][] = [
  ['DER', der], ['DER in a larger buffer', Buffer.concat([Buffer.of(1, 2), der, Buffer.of(3)]).subarray(2, der.length + 2)], ['PEM', pem], ['PEM as bytes', Buffer.from(pem)], ['the label NEW CERTIFICATE REQUEST', newLabel],
  ['Windows line ends', pem.replaceAll('\n', '\r\n')], ['line ends of old Macs', pem.replaceAll('\n', '\r')], ['a byte order mark', `\ufeff${pem}`], ['a byte order mark in bytes', Buffer.from(`\ufeff${pem}`)], ['UTF-16 of PowerShell', Buffer.from(`\ufeff${pem}`, 'utf16le')], ['UTF-16 big-endian', Buffer.from(`\ufeff${pem}`, 'utf16le').swap16()],
  ['text around', `Certificate Request:\n    Data:\n${pem}\nbye\n`], ['indentation', pem.replace(/^/gm, '    ')], ['all in one line', pem.replaceAll('\n', ' ')], ['no last line end', pem.trimEnd()],
  ['base64 without PEM lines', base64], ['base64 in lines', pem.replace(/-----.*-----\n/g, '')], ['base64 with spaces around', `\n  ${base64}  \n`], ['base64 of URLs, as in ACME', der.toString('base64url')], ['base64 as bytes', Buffer.from(base64)],
  ['a certificate beside', toPem('CERTIFICATE', Buffer.from('3000', 'hex')) + pem],
]
for (const [what, input] of forms) test(`a request is read from ${what}`, () => { assert.deepEqual(readCsr(input), readCsr(pem)) })

const refused: [what: string, input: string | Uint8Array, message: RegExp][] = [
  ['nothing', '', /neither/], ['no bytes', new Uint8Array(0), /neither/], ['words', 'hello', /neither/], ['other base64', Buffer.from('hello, world, this is text').toString('base64'), /neither/], ['two requests', pem + pem, /2 requests/],
  ['a certificate', toPem('CERTIFICATE', Buffer.from('3000', 'hex')), /block "CERTIFICATE", but none/], ['a private key', privateKeyPem, /block "PRIVATE KEY", but none/], ['PEM without end', pem.replace(/-----END.*/, ''), /no end/], ['cut DER', der.subarray(0, -1), /too early/], ['more after the end', Buffer.concat([der, Buffer.of(0)]), /after its end/],
  ['cut base64', base64.slice(0, 100), /too early/], ['10 MB of text', 'M'.repeat(10_000_000), /longer than 200000/], ['10 MB of bytes', Buffer.alloc(10_000_000, 0x30), /longer than|tag/], ['10 MB that say so', Buffer.concat([Buffer.from('3084009896fa', 'hex'), Buffer.alloc(10_000_122)]), /longer than 140000/],
]
for (const [what, input, message] of refused) {
  test(`${what} is refused`, () => {
    for (const read of [readCsr, inspectCsr]) assert.throws(() => read(input), { code: 'CSR_INVALID', message })
  })
}

const san = wish('2.5.29.17', generalNames(['a.example']))
const other = wish('2.5.29.17', generalNames(['b.example']))
const asked = (...extensions: Uint8Array[]) => attribute('1.2.840.113549.1.9.14', sequence(...extensions))
const ambiguous: [what: string, attributes: Uint8Array[], code: string][] = [
  ['alternative names twice', [asked(san, other)], 'extension-twice'], ['an unknown extension twice', [asked(wish('1.2.3', Buffer.of(5, 0)), wish('1.2.3', Buffer.of(5, 0)))], 'extension-twice'],
  ['the extension request twice', [asked(san), asked(other)], 'attribute-twice'], ['the extension request with two values', [attribute('1.2.840.113549.1.9.14', sequence(san), sequence(other))], 'attribute-twice'],
  ['names asked for in both ways', [asked(san), attribute('1.3.6.1.4.1.311.2.1.14', sequence(other))], 'extension-twice'], ['an unknown attribute twice', [attribute('1.2.3', Buffer.of(5, 0)), attribute('1.2.3', Buffer.of(5, 0))], 'attribute-twice'],
  ['damaged alternative names', [asked(wish('2.5.29.17', Buffer.from('0500', 'hex')))], 'extension-damaged'], ['alternative names with a tail', [asked(wish('2.5.29.17', Buffer.concat([generalNames(['a.example']), Buffer.of(5, 0)])))], 'extension-damaged'],
  ['a damaged key usage', [asked(wish('2.5.29.15', Buffer.from('0101ff', 'hex')))], 'extension-damaged'], ['an empty extension', [asked(wish('2.5.29.37', Buffer.alloc(0)))], 'extension-damaged'],
]
for (const [what, attributes, code] of ambiguous) {
  test(`${what}: well signed, but refused, and shown as a finding`, async () => {
    const csr = await signedRequest(privateKeyPem, attributes)
    assert.throws(() => readCsr(csr), { code: 'CSR_INVALID' })
    assert.deepEqual(inspectCsr(csr).findings.filter(({ severity }) => severity === 'error').map((finding) => finding.code), [code])
  })
}

test('the first of two wishes is shown', async () => {
  assert.deepEqual(inspectCsr(await signedRequest(privateKeyPem, [asked(san, other)])).facts.names, ['a.example'])
})

test('odd but unambiguous requests are read: no value, a password that is no text, no attributes at all', async () => {
  const facts = readCsr(await signedRequest(privateKeyPem, [attribute('1.2.840.113549.1.9.14'), attribute('1.2.840.113549.1.9.7', Buffer.of(2, 1, 7)), attribute('1.2.3')]))
  assert.deepEqual([facts.names, facts.challengePassword, facts.otherAttributes], [[], { present: true, value: null }, ['1.2.3']])
})

test('limits: many attributes, many names, deep nesting, long numbers; each refused or read in no time', async () => {
  const many = await signedRequest(privateKeyPem, Array.from({ length: 100_000 }, () => attribute('1.2.3')))
  const several = await signedRequest(privateKeyPem, Array.from({ length: 12_000 }, () => attribute('1.2.3')))
  const names = await signedRequest(privateKeyPem, [asked(wish('2.5.29.17', sequence(...Array.from({ length: 18_000 }, (_, i) => element(0x82, Buffer.from(i.toString(36)))))))])
  const damaged = await signedRequest(privateKeyPem, [asked(wish('2.5.29.17', sequence(...Array.from({ length: 19_000 }, () => element(0xa0)))))])
  let nested: Buffer = Buffer.of(5, 0)
  for (let depth = 0; depth < 20_000 && nested.length < 130_000; depth++) nested = sequence(nested)
  const deep = await signedRequest(privateKeyPem, [asked(wish('2.5.29.17', sequence(element(0xa4, nested))), wish('2.5.29.15', nested))])
  const subject = await signedRequest(privateKeyPem, [], sequence(...Array.from({ length: 10_000 }, () => Buffer.from('310a300806035504030c0141', 'hex'))))
  const integer = await signedRequest(privateKeyPem, [asked(wish('2.5.29.19', sequence(element(0x01, Buffer.of(0xff)), element(0x02, Buffer.alloc(100_000, 0x7f)))))])
  const hugeKey = sequence(sequence(smallInteger(0), sequence(), sequence(sequence(objectIdentifier('1.2.840.113549.1.1.1'), Buffer.of(5, 0)), element(0x03, Buffer.of(0), sequence(element(0x02, Buffer.alloc(120_000, 0x7f)), smallInteger(3)))), Buffer.of(0xa0, 0)), sequence(objectIdentifier('1.2.840.113549.1.1.11'), Buffer.of(5, 0)), element(0x03, Buffer.alloc(120)))
  for (const [what, input] of Object.entries({ many, several, names, damaged, deep, subject, integer, hugeKey })) {
    const begin = performance.now()
    for (const read of [readCsr, inspectCsr]) {
      try {
        read(input)
      } catch (error) {
        assert.ok(error instanceof CertloopError && error.code === 'CSR_INVALID', `${what}: ${String(error)}`)
      }
    }
    assert.ok(performance.now() - begin < 2_000, `${what} took ${performance.now() - begin} ms`)
  }
  assert.equal(readCsr(names).names.length, 18_000)
  assert.ok(inspectCsr(damaged).findings.length < 50, 'findings are bounded')
  assert.throws(() => readCsr(many), { code: 'CSR_INVALID', message: /longer than/ })
})

test('fuzz: mutated requests of several tools', { timeout: 120_000, skip: leftOut('certtool') || leftOut('keytool') || leftOut('certutil') }, async (t) => {
  const folder = temporaryFolder(t)
  const texts = [opensslRequest(folder), certtoolRequest(folder), keytoolRequest(folder), certutilRequest(folder)]
  const corpus = [...texts.map((text) => Buffer.from(text)), ...texts.map((text) => Buffer.from(readCsr(text).der)), await microsoftRequest(privateKeyPem), der, Buffer.from(base64)]
  await fuzzParser({ corpus, parse: readCsr, codes: ['CSR_INVALID'] })
  await fuzzParser({ corpus, parse: inspectCsr, codes: ['CSR_INVALID'] })
  await fuzzParser({ corpus: texts.map((text) => Buffer.from(text)), parse: (input) => readCsr(input.toString('latin1')), codes: ['CSR_INVALID'] })
})
