import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explicit, element, objectIdentifier, octetString, sequence } from '../der/der-writer.ts'
import { toPem } from '../pem.ts'
import { readCertificate, readCertificates, readCertificatesFrom } from './certificate.ts'
import { certificateFindings } from './certificate-findings.ts'
import { goodExtensions, nameOf, oddCertificate, rawExtension, rsaSpki, utf8 } from './certificate-testing.ts'

/** Reads it or refuses it as it should, within a second; generous, since quadratic work on a megabyte takes minutes. */
function readsSoon(input: Buffer | string, expected: 'read' | 'refused'): void {
  const begin = performance.now()
  if (expected === 'refused') assert.throws(() => readCertificate(input), { code: 'CERTIFICATE_INVALID' })
  else certificateFindings(readCertificate(input), new Date('2026-04-02T00:00:00Z'))
  assert.ok(performance.now() - begin < 3_000, `it took ${performance.now() - begin} ms`)
}

const manyOf = (count: number, member: (i: number) => Buffer): Buffer => sequence(Buffer.concat(Array.from({ length: count }, (_, i) => member(i))))

/** Sequences in one another, six bytes each. */
function nested(bytes: number): Buffer {
  const out = Buffer.alloc(bytes)
  let at = bytes
  for (let size = 0; at >= 5; size = bytes - at) {
    at -= 5
    out.writeUInt32BE(size, at + 1)
    out.writeUInt16BE(0x3084, at - 1 < 0 ? 0 : at - 1)
    if (at - 1 < 0) break
    at -= 1
  }
  return out.subarray(at)
}

test('nesting without end is refused or passed over, whatever its size', () => {
  const ten = nested(10_000_000)
  assert.equal(ten[0], 0x30)
  assert.equal(ten.readUInt32BE(2), ten.length - 6)
  readsSoon(ten, 'refused')
  readsSoon(toPem('CERTIFICATE', ten), 'refused')
  const some = nested(900_000)
  readsSoon(some, 'refused')
  readsSoon(oddCertificate({ extensions: [...goodExtensions(), rawExtension('2.5.29.17', some)] }), 'read')
  readsSoon(oddCertificate({ extensions: [...goodExtensions(), rawExtension('2.5.29.32', some)] }), 'read')
  readsSoon(oddCertificate({ issuer: some }), 'refused')
  readsSoon(oddCertificate({ extensions: [sequence(some)] }), 'refused')
})

test('more than a megabyte is refused', () => {
  readsSoon(oddCertificate({ after: Buffer.alloc(1_000_000) }), 'refused')
  readsSoon(`${toPem('CERTIFICATE', oddCertificate())}${' '.repeat(20_000_000)}`, 'refused')
})

test('members beyond number are refused or passed over', () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => rawExtension(`1.2.3.${i}`, Buffer.of(5, 0)))
  readsSoon(oddCertificate({ extensions: many(20_000) }), 'refused')
  readsSoon(oddCertificate({ extensions: many(1_000) }), 'read')
  const names = (count: number) => rawExtension('2.5.29.17', manyOf(count, (i) => element(0x82, Buffer.from(`a${i.toString(36)}`))))
  const damaged = readCertificate(oddCertificate({ extensions: [names(100_000)] }))
  assert.deepEqual([damaged.names, damaged.oddities.map(({ code }) => code)], [[], ['extension-damaged']])
  readsSoon(oddCertificate({ extensions: [names(100_000)] }), 'read')
  readsSoon(oddCertificate({ extensions: [names(20_000)] }), 'read')
  const foreign = rawExtension('2.5.29.17', manyOf(15_000, (i) => element(0x82, Buffer.from(`xn--zzzz${i}.xn--9ca.example`))))
  readsSoon(oddCertificate({ extensions: [foreign] }), 'read')
  const attributes = manyOf(20_000, () => element(0x31, sequence(objectIdentifier('2.5.4.3'), utf8('a'))))
  readsSoon(oddCertificate({ issuer: attributes, subject: attributes }), 'read')
})

test('long texts, numbers and identifiers take no long time', () => {
  const half = 450_000
  readsSoon(oddCertificate({ subject: nameOf(utf8('"\\,'.repeat(half / 3))) }), 'read')
  readsSoon(oddCertificate({ subject: nameOf(utf8(' '.repeat(half))) }), 'read')
  readsSoon(oddCertificate({ subject: nameOf(element(0x1e, Buffer.alloc(half, 0x41))) }), 'refused')
  readsSoon(oddCertificate({ serial: element(2, Buffer.alloc(half, 0x7f)) }), 'read')
  readsSoon(oddCertificate({ serial: element(2, Buffer.alloc(half, 0xfe)) }), 'refused')
  readsSoon(oddCertificate({ spki: rsaSpki(half * 8) }), 'read')
  readsSoon(oddCertificate({ spki: rsaSpki(2048, Buffer.alloc(half, 0x7f)) }), 'read')
  readsSoon(oddCertificate({ notBefore: element(0x18, Buffer.from(`20200101000000.${'1'.repeat(half)}Z`)) }), 'refused')
  const longOid = element(0x06, Buffer.concat([Buffer.alloc(half, 0xff), Buffer.of(1)]))
  readsSoon(oddCertificate({ innerAlgorithm: sequence(longOid) }), 'refused')
  const arcs = Array.from({ length: 10_000 }, (_, i) => element(0x06, Buffer.concat([Buffer.from([0x2a, 0x81 + (i % 100), 0x80 + (i >> 7)]), Buffer.alloc(60, 0xff), Buffer.of(1)])))
  readsSoon(oddCertificate({ extensions: [rawExtension('2.5.29.37', sequence(...arcs))] }), 'read')
  readsSoon(oddCertificate({ extensions: [rawExtension('2.5.29.17', sequence(element(0x82, Buffer.from('a.'.repeat(half / 2)))))] }), 'read')
  readsSoon(oddCertificate({ extensions: [rawExtension('2.5.29.17', sequence(element(0x82, Buffer.from('*'.repeat(half)))))] }), 'read')
  readsSoon(oddCertificate({ extensions: [rawExtension('1.3.6.1.4.1.11129.2.4.2', octetString(Buffer.alloc(60_000)))] }), 'read')
})

test('an indefinite length is refused with a word that says so', () => {
  const ber = Buffer.concat([Buffer.of(0x30, 0x80), oddCertificate().subarray(4), Buffer.of(0, 0)])
  assert.throws(() => readCertificate(ber), { code: 'CERTIFICATE_INVALID', message: /indefinite length, which is BER/ })
})

test('a version that is no small number is refused', () => {
  for (const version of [explicit(0, element(2, Buffer.alloc(9, 1))), explicit(0, octetString(Buffer.of(2))), explicit(0)]) readsSoon(oddCertificate({ version }), 'refused')
})

test('fifty thousand certificates of a text are read one by one, in time that grows with their number only', { timeout: 120_000 }, () => {
  const pem = toPem('CERTIFICATE', oddCertificate())
  const damaged = toPem('CERTIFICATE', Buffer.from('3003020100', 'hex'))
  const text = `${pem.repeat(20_000)}words\n${damaged}${toPem('PRIVATE KEY', Buffer.of(1))}-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n${pem.repeat(29_998)}`
  const lines = pem.split('\n').length - 1
  const begin = performance.now()
  let good = 0
  const bad: [number, number, string][] = []
  for (const { number, line, certificate, error } of readCertificatesFrom(text)) {
    if (certificate) good++
    else bad.push([number, line, error.code])
  }
  assert.equal(good, 49_998)
  const firstBad = lines * 20_000 + 2
  assert.deepEqual(bad, [[20_001, firstBad, 'CERTIFICATE_INVALID'], [20_002, firstBad + 3 + 3, 'CERTIFICATE_INVALID']])
  assert.ok(performance.now() - begin < 60_000)
})

test('only one certificate of a long text is held at a time', { timeout: 120_000 }, () => {
  const text = toPem('CERTIFICATE', oddCertificate()).repeat(20_000)
  let most = 0
  const begin = process.memoryUsage().heapUsed
  for (const { number } of readCertificatesFrom(text)) if (number % 500 === 0) most = Math.max(most, process.memoryUsage().heapUsed - begin)
  assert.ok(most < 150_000_000, `${most} bytes`) // all of them together would be above 200 MB
})

test('limits of a long text are kept', () => {
  const pem = toPem('CERTIFICATE', oddCertificate())
  assert.throws(() => [...readCertificatesFrom(pem.repeat(3), { maxCertificates: 2 })], { code: 'LIMIT_EXCEEDED' })
  assert.equal([...readCertificatesFrom(pem.repeat(3), { maxCertificates: 3 })].length, 3)
  assert.throws(() => [...readCertificatesFrom(pem, { maxLength: 100 })], { code: 'LIMIT_EXCEEDED' })
  assert.deepEqual([...readCertificatesFrom('words')], [])
  const openEnd = [...readCertificatesFrom(`${pem}-----BEGIN CERTIFICATE-----\nMIIB\n${pem}-----BEGIN CERTIFICATE-----\nMIIB`)]
  assert.deepEqual(openEnd.map(({ number, certificate, error }) => [number, certificate?.commonName ?? error?.code]), [[1, 'www.example.com'], [2, 'CERTIFICATE_INVALID'], [3, 'www.example.com'], [4, 'CERTIFICATE_INVALID']])
})

test('what openssl adds to a trusted certificate is no part of it', () => {
  const der = oddCertificate({ after: sequence(sequence(objectIdentifier('1.3.6.1.5.5.7.3.1'))) })
  for (const facts of [readCertificate(toPem('TRUSTED CERTIFICATE', der)), ...readCertificates(toPem('TRUSTED CERTIFICATE', der))]) assert.deepEqual(facts.oddities, [])
  assert.equal(readCertificate(toPem('CERTIFICATE', der)).oddities[0]?.code, 'trailing-bytes')
})
