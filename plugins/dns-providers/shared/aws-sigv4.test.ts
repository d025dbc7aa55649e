import assert from 'node:assert/strict'
import { test } from 'node:test'
import { awsHeaders, awsQuery } from './aws-sigv4.ts'

// Requests and signatures of the test suite that AWS published for Signature Version 4.
const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const scope = { credentials, region: 'us-east-1', service: 'service', now: new Date('2015-08-30T12:36:00Z') }
const signatureOf = (method: string, target: string, headers: Record<string, string> = {}) =>
  /Signature=(\w+)$/.exec(awsHeaders({ method, url: `https://example.amazonaws.com${target}`, headers }, scope)['authorization'] ?? '')?.[1]

test('signatures are those of the published suite', () => {
  assert.equal(signatureOf('GET', '/'), '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31')
  assert.equal(signatureOf('POST', '/'), '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b')
  assert.equal(signatureOf('GET', '/?Param2=value2&Param1=value1'), 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500')
})

test('a query has no plus for a blank, and a temporary token is signed too', () => {
  assert.equal(awsQuery({ name: "a b*'", type: 'TXT' }), 'name=a%20b%2A%27&type=TXT')
  const headers = awsHeaders({ method: 'GET', url: 'https://example.amazonaws.com/' }, { ...scope, credentials: { ...credentials, sessionToken: 'of-the-session' } })
  assert.equal(headers['x-amz-security-token'], 'of-the-session')
  assert.match(headers['authorization'] ?? '', /SignedHeaders=host;x-amz-date;x-amz-security-token,/)
})
