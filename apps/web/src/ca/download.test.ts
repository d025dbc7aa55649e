import assert from 'node:assert/strict'
import { test } from 'node:test'
import { base64Of, derOf, fileName, pemOf } from './download.ts'

const der = Uint8Array.from({ length: 20_000 }, (_, i) => (i === 0 ? 0x30 : i === 1 ? 0x82 : i % 251))

test('DER becomes PEM of lines of 64, and the same DER again', () => {
  const pem = pemOf(der, 'CERTIFICATE REQUEST')
  const lines = pem.trimEnd().split('\n')
  assert.equal(lines[0], '-----BEGIN CERTIFICATE REQUEST-----')
  assert.ok(lines.slice(1, -2).every((line) => line.length === 64))
  assert.deepEqual(derOf(pem), der)
  assert.equal(base64Of(der), Buffer.from(der).toString('base64'))
})

test('PEM stays as it is, also behind other text and with Windows line ends', () => {
  const pem = 'some words\r\n-----BEGIN CERTIFICATE-----\r\nMAA=\r\n-----END CERTIFICATE-----\r\n'
  assert.equal(pemOf(new TextEncoder().encode(pem), 'X'), pem)
  assert.deepEqual([...derOf(pem)], [0x30, 0])
})

test('names of files are plain', () => {
  assert.deepEqual(['*.Example.com', 'Certloop Root CA 1f', '../../etc', '::1', '…'].map(fileName), ['star.example.com', 'certloop-root-ca-1f', 'etc', '1', 'certificate'])
})
