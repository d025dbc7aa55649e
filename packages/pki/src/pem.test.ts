import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import fc from 'fast-check'
import { pemBlocks, splitPem, toPem } from './pem.ts'

const block = fc.record({ label: fc.constantFrom('CERTIFICATE', 'PRIVATE KEY', 'EC PRIVATE KEY', 'X509 CRL'), der: fc.uint8Array({ minLength: 1, maxLength: 300 }) })
const between = fc.array(fc.constantFrom('', 'subject=CN = a', '# a comment', '  ', 'Bag Attributes', '----- no mark'), { maxLength: 3 }).map((lines) => lines.map((line) => `${line}\n`).join(''))

test('property: what was joined is split again, whatever stands between and however lines end', () => {
  fc.assert(fc.property(fc.array(fc.tuple(between, block)), fc.boolean(), (parts, windows) => {
    const text = parts.map(([before, { label, der }]) => before + toPem(label, der)).join('')
    const found = splitPem(windows ? text.replaceAll('\n', '\r\n') : text)
    assert.deepEqual(found.map(({ label, der, pem }) => [label, der.toString('hex'), pem]), parts.map(([, { label, der }]) => [label, Buffer.from(der).toString('hex'), toPem(label, der)]))
  }))
})

test('property: any text is split or refused with PEM_INVALID', () => {
  const pieces = fc.array(fc.constantFrom('-----BEGIN CERTIFICATE-----', '-----END CERTIFICATE-----', '-----BEGIN X-----', '-----END X-----', 'MIIB', '====', '-----', '\n', '\r\n', ' ', 'é', 'Proc-Type: 4,ENCRYPTED'))
  fc.assert(fc.property(fc.oneof(pieces.map((list) => list.join('')), pieces.map((list) => list.join('\n')), fc.string()), (text) => {
    try {
      for (const { der } of splitPem(text)) assert.ok(der.length > 0)
    } catch (error) {
      assert.ok(error instanceof CertloopError && error.code === 'PEM_INVALID', String(error))
    }
  }), { numRuns: 2000 })
})

test('indented blocks and old header lines are read', () => {
  const text = '  -----BEGIN RSA PRIVATE KEY-----\n  Proc-Type: 4,ENCRYPTED\n\n  AAEC\n  AwQF\n  -----END RSA PRIVATE KEY-----'
  assert.deepEqual(splitPem(text).map(({ label, der }) => [label, [...der]]), [['RSA PRIVATE KEY', [0, 1, 2, 3, 4, 5]]])
})

test('a block without end, a wrong end and broken base64 are refused', () => {
  for (const text of ['-----BEGIN A-----\nAAAA\n', '-----BEGIN A-----\nAAAA\n-----END B-----\n', '-----BEGIN A-----\nAA!A\n-----END A-----\n', '-----BEGIN A-----\n-----END A-----\n', '-----BEGIN A-----\nAAAA\n-----BEGIN A-----\nAAAA\n-----END A-----\n']) {
    assert.throws(() => splitPem(text), { code: 'PEM_INVALID' }, text)
  }
  assert.throws(() => splitPem('x'.repeat(20_000_001)), { code: 'PEM_INVALID' })
})

test('a long text without line ends takes no long time', () => {
  const started = performance.now()
  splitPem(`-----BEGIN ${'A'.repeat(5_000_000)}`)
  assert.throws(() => splitPem(`-----BEGIN A-----\n${'A '.repeat(4_000_000)}`), { code: 'PEM_INVALID' })
  assert.ok(performance.now() - started < 10_000)
})

test('limits can be set', () => {
  const text = toPem('CERTIFICATE', Buffer.of(1)).repeat(3)
  assert.equal(splitPem(text, { maxBlocks: 3, maxLength: text.length }).length, 3)
  assert.throws(() => splitPem(text, { maxBlocks: 2 }), { code: 'PEM_INVALID', message: /more than 2 blocks/ })
  assert.throws(() => splitPem(text, { maxLength: text.length - 1 }), { code: 'PEM_INVALID', message: /longer than/ })
  assert.equal(splitPem(toPem('A', Buffer.of(1)).repeat(20_000), { maxBlocks: 20_000 }).length, 20_000)
})

test('blocks are found with their lines, also after damaged ones', () => {
  const good = toPem('CERTIFICATE', Buffer.from('good'))
  const text = `words -----BEGIN NO-----\n${good}\r\n  -----BEGIN A-----  \r\n!!\n-----END A-----\n-----BEGIN B-----\nAAAA\n${good}-----BEGIN lower-----\n${good.trimEnd()}`
  const found = [...pemBlocks(text)].map(({ label, line, decode }) => {
    try {
      return [label, line, decode().toString()]
    } catch (error) {
      return [label, line, error instanceof CertloopError ? error.message : error]
    }
  })
  assert.deepEqual(found, [
    ['CERTIFICATE', 2, 'good'], ['A', 6, 'The block "A" that begins in line 6 is not base64.'], ['B', 9, 'The block "B" that begins in line 9 has no end.'],
    ['CERTIFICATE', 11, 'good'], ['CERTIFICATE', 15, 'good'],
  ])
})

test('hostile texts are looked through in time that grows with their length only', () => {
  const million = 1_000_000
  const texts = [
    '-----BEGIN A-----\n'.repeat(million / 5), '-----BEGIN '.repeat(million), `${' '.repeat(million)}-----BEGIN A-----\n`.repeat(15), '-----'.repeat(million), `-----BEGIN A-----\n${'\n'.repeat(10 * million)}`,
    `-----BEGIN A-----\n${'A:\n'.repeat(million)}-----END A-----\n`, `-----BEGIN A-----\n${'-----END B-----\n'.repeat(million)}`, '-----BEGIN A-----\n-----END A-----'.repeat(million / 5), `${'\n'.repeat(million * 15)}-----BEGIN A-----\n`,
    `-----BEGIN A-----\n${`${'A'.repeat(1000)}${' '.repeat(1000)}`.repeat(5000)}!\n-----END A-----\n`,
  ]
  for (const text of texts) {
    const begin = performance.now()
    let count = 0
    for (const { decode } of pemBlocks(text)) {
      count++
      assert.throws(decode, { code: 'PEM_INVALID' })
      if (count === 1000) break
    }
    assert.ok(performance.now() - begin < 5_000, `${text.slice(0, 40)}: ${performance.now() - begin} ms`)
  }
})
