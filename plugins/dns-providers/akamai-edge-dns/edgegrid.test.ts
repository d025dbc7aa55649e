import assert from 'node:assert/strict'
import { test } from 'node:test'
import { edgeGridHeader } from './edgegrid.ts'

// Requests and signatures of the test data that Akamai publishes with its client for Node.js.
const credentials = { clientToken: 'akab-client-token-xxx-xxxxxxxxxxxxxxxx', accessToken: 'akab-access-token-xxx-xxxxxxxxxxxxxxxx', clientSecret: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=' }
const once = { now: new Date('2014-03-21T19:34:21Z'), nonce: 'nonce-xx-xxxx-xxxx-xxxx-xxxxxxxxxxxx' }
const base = 'https://akaa-baseurl-xxxxxxxxxxx-xxxxxxxxxxxxx.luna.akamaiapis.net'
const signatureOf = (method: string, target: string, body?: string) => /signature=(.+)$/.exec(edgeGridHeader({ method, url: base + target, ...(body === undefined ? {} : { body }) }, credentials, once))?.[1]

test('signatures are those of the published test data', () => {
  assert.equal(signatureOf('GET', '/'), 'tL+y4hxyHxgWVD30X3pWnGKHcPzmrIF+LThiAOhMxYU=')
  assert.equal(signatureOf('GET', '/testapi/v1/t1?p1=1&p2=2'), 'hKDH1UlnQySSHjvIcZpDMbQHihTQ0XyVAKZaApabdeA=')
  assert.equal(signatureOf('POST', '/testapi/v1/t3', 'datadatadatadatadatadatadatadata'), 'hXm4iCxtpN22m4cbZb4lVLW5rhX8Ca82vCFqXzSTPe4=')
})

test('the body of a PUT is not signed', () => {
  assert.equal(signatureOf('PUT', '/testapi/v1/t3', 'one'), signatureOf('PUT', '/testapi/v1/t3', 'other'))
})
