import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test, type TestContext } from 'node:test'
import { readCertificate } from '@certloop/pki'
import type { ProofWay, WantedProof } from '@certloop/plugin-kit'
import { leftOut, startCaddyAcme, startChallengeServer } from '@certloop/test-kit'
import { drive, testCall, testConnector, testRequest } from './acme-testing.ts'
import { alpnServer } from './tls-alpn-testing.ts'

const skip = leftOut('caddy')
/** Caddy looks at port 80 and 443: on loopback addresses of our own nobody else has them. */
const unlessRoot = skip || (process.getuid?.() === 0 ? false : 'ports below 1024 need root')
const ownAddress = () => `127.${[1, 2, 3].map(() => 1 + Math.floor(Math.random() * 250)).join('.')}`

async function httpServer(t: TestContext, host: string): Promise<(path: string, content: string) => void> {
  const shown = new Map<string, string>()
  const server = createServer((request, response) => response.end(shown.get(request.url ?? '') ?? '')).listen(80, host)
  await once(server, 'listening')
  t.after(() => { server.closeAllConnections(); server.close() })
  return (path, content) => { shown.set(path, content) }
}

test('offers what Caddy offers, and finds an order again in its list', { skip }, async (t) => {
  const caddy = await startCaddyAcme(t)
  const { connector } = testConnector({ directoryUrl: caddy.directoryUrl, trustPem: caddy.trustPem })
  const [request, call] = [await testRequest(['shop.example.com', '*.example.com']), testCall()]
  const progress = await connector.submit(request, call)
  assert.ok(progress.state === 'proving')
  assert.deepEqual(new Set(progress.proofs.map(({ name, wildcard, ways }) => `${name} ${wildcard} ${ways.map(({ kind }) => kind).toSorted().join()}`)), new Set(['example.com true dns', 'shop.example.com false dns,http,tls-alpn']))
  const found = testCall()
  await connector.find?.(request, found)
  assert.deepEqual(found.handle ?? call.handle, call.handle)
  assert.deepEqual(await connector.templates?.(), [])
  const said: string[] = []
  await connector.test({
    async step(title, work, seen) {
      const result = await work()
      said.push(`${title}: ${seen(result)}`)
      return result
    },
  })
  assert.equal(said.length, 4)
})

test('issues from Caddy for addresses, proven by HTTP and by TLS-ALPN, and revokes', { skip: unlessRoot, timeout: 120_000 }, async (t) => {
  const caddy = await startCaddyAcme(t)
  const [address, challenges] = [ownAddress(), await startChallengeServer(t, { http: false, tlsAlpn: false })]
  const [show, alpn] = [await httpServer(t, address), await alpnServer(t, { host: address, port: 443 })]
  const { connector } = testConnector({ directoryUrl: caddy.directoryUrl, trustPem: caddy.trustPem })
  const place = async ({ name }: WantedProof, way: ProofWay) => {
    if (way.kind === 'http') show(way.path, way.content)
    if (way.kind === 'tls-alpn') await alpn.prove(name, way.digest)
  }
  for (const kind of ['http', 'tls-alpn'] as const) {
    const { chainPem } = await drive(connector, await testRequest([address]), challenges, { kind: () => kind, place })
    assert.deepEqual(readCertificate(chainPem[0] ?? '').names, [address])
    assert.equal(chainPem.length, 2)
    const { fingerprint, serialNumber } = readCertificate(chainPem[0] ?? '')
    await connector.revoke?.({ certificatePem: chainPem[0] ?? '', fingerprint, serialNumber, reference: null }, 'keyCompromise')
  }
})
