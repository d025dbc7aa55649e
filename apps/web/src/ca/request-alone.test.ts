import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestAlone } from './request-alone.ts'

const block = (label: string, body = 'QUJD') => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`

test('a private key beside a request never leaves the browser', () => {
  const request = block('CERTIFICATE REQUEST')
  assert.equal(requestAlone(request), request)
  for (const label of ['PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY', 'ENCRYPTED PRIVATE KEY']) {
    assert.equal(requestAlone(block(label) + request), request)
    assert.equal(requestAlone(request + block(label)), request)
    assert.equal(requestAlone(`-----BEGIN ${label}-----\nhalf pasted`), '')
  }
})
