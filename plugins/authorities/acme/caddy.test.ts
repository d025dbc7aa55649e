import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leftOut, startCaddyAcme } from '@certloop/test-kit'
import { testCall, testConnector, testRequest } from './acme-testing.ts'

const skip = leftOut('caddy')

test('offers every way that Caddy has', { skip }, async (t) => {
  const caddy = await startCaddyAcme(t)
  const { connector } = testConnector({ directoryUrl: caddy.directoryUrl, trustPem: caddy.trustPem })
  const progress = await connector.submit(await testRequest(['shop.localhost']), testCall()).catch((e) => { console.log(caddy.output()); throw e })
  console.log(JSON.stringify(progress, null, 1))
  assert.equal(progress.state, 'proving')
})
