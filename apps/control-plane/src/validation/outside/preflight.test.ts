import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { OutsideLook } from '@certloop/contract'
import { freePort, leftOut, startBind, type RunningBind } from '@certloop/test-kit'
import type { Preflight } from '../validation-deps.ts'
import { verdicts, viewOf, webServer, webServers, words } from './outside-testing.ts'

const bind = { skip: leftOut('named') }
const caa = { identities: ['ca.test'], accountUri: 'https://ca.test/acct/1' }
const asked = (other: Partial<Preflight>): Preflight => ({ name: 'www.example.test', type: 'dns', wildcard: false, method: 'http', caa, httpPort: 80, tlsPort: 443, ...other })
const zone = (t: TestContext, records: string, others: Parameters<typeof startBind>[1]['zones'] = []): Promise<RunningBind> => startBind(t, { zones: [{ name: 'example.test', records }, ...others] })
const inTheWay = ({ findings }: OutsideLook) => findings.flatMap(({ ok, error }) => (ok ? [] : [error?.code ?? 'none']))
const doubts = ({ findings }: OutsideLook) => findings.flatMap(({ ok, error }) => (ok && error ? [error.code] : []))

test('nothing is in the way of a domain that is well set up', bind, async (t) => {
  const dns = await zone(t, 'www IN A 127.0.0.1\n@ IN CAA 0 issue "ca.test"\n_acme-challenge.www IN CNAME challenge.other.test.', [{ name: 'other.test', records: 'x IN TXT "x"' }])
  const { port } = await webServer(t, (_, response) => { response.writeHead(404, { server: 'here/1' }).end() })
  const view = viewOf([dns])
  const http = await view.preflight(asked({ httpPort: port }))
  assert.deepEqual([http.visible, inTheWay(http), verdicts(http)[`port ${port} at 127.0.0.1`], verdicts(http)['ns1.example.test']], [true, [], [true, null], [true, null]], words(http))
  assert.match(words(http), /answers 404 Not Found \(here\/1\)[^]*CAA of example.test says issue "ca.test", which lets this authority issue[^]*over UDP and TCP, serial number 1/)
  const record = await view.preflight(asked({ method: 'dns', wildcard: true }))
  assert.deepEqual([record.visible, doubts(record)], [true, []], words(record))
  assert.match(words(record), /_acme-challenge.www.example.test → challenge.other.test/)
  const persist = await view.preflight(asked({ method: 'dns-persist' }))
  assert.match(words(persist), /CNAME of _validation-persist.www.example.test: There is none/)
  assert.deepEqual((await view.preflight(asked({ method: 'none' }))).findings, [])
})

test('CAA that forbids is in the way; what depends on what is not known is a doubt', bind, async (t) => {
  const dns = await zone(t, 'other IN CAA 0 issue "other.test"\nwild IN CAA 0 issue "ca.test"\nwild IN CAA 0 issuewild ";"\nmethod IN CAA 0 issue "ca.test; validationmethods=http-01"\naccount IN CAA 0 issue "ca.test; accounturi=https://ca.test/acct/1"\nfree IN TXT "x"')
  const view = viewOf([dns])
  const look = (name: string, other: Partial<Preflight> = {}) => view.preflight(asked({ method: 'dns', name: `${name}.example.test`, ...other }))
  assert.deepEqual(inTheWay(await look('other')), ['CAA_FORBIDS'])
  assert.deepEqual(inTheWay(await look('other', { caa: null })), [], 'an authority that does not look')
  assert.deepEqual([inTheWay(await look('wild')), inTheWay(await look('wild', { wildcard: true }))], [[], ['CAA_FORBIDS']])
  assert.deepEqual(inTheWay(await look('method')), ['CAA_FORBIDS'])
  const unknown = await look('account', { caa: { ...caa, accountUri: null } })
  assert.deepEqual([unknown.visible, doubts(unknown)], [true, ['CAA_FORBIDS']])
  assert.deepEqual([(await look('account')).visible, (await look('free')).visible], [true, true])
})

test('names, addresses and ports that are not there are in the way of a look over HTTP', bind, async (t) => {
  const dns = await zone(t, 'www IN A 127.0.0.1\nwww IN AAAA ::1\ntext IN TXT "x"')
  const view = viewOf([dns])
  const [port, closed] = [(await webServer(t, (_, response) => { response.end() })).port, await freePort()]
  const half = await view.preflight(asked({ httpPort: port }))
  assert.deepEqual([half.visible, verdicts(half)[`port ${port} at ::1`]], [true, [true, 'WEB_PORT_CLOSED']], 'one address that answers is enough so far')
  assert.deepEqual(inTheWay(await view.preflight(asked({ httpPort: closed }))), ['WEB_PORT_CLOSED', 'WEB_PORT_CLOSED'])
  assert.deepEqual(inTheWay(await view.preflight(asked({ method: 'tls-alpn', tlsPort: closed }))), [], 'what answers may come later')
  assert.deepEqual(inTheWay(await view.preflight(asked({ name: 'text.example.test' }))), ['DNS_NAME_UNKNOWN'])
  assert.deepEqual(inTheWay(await view.preflight(asked({ name: 'nothing.example.test' }))), ['DNS_NAME_UNKNOWN'])
  assert.deepEqual(inTheWay(await view.preflight(asked({ name: 'text.example.test', method: 'dns' }))), [], 'a record needs no address')
  const address = await view.preflight(asked({ name: '127.0.0.1', type: 'ip', httpPort: port }))
  assert.deepEqual([address.visible, address.findings.length], [true, 2])
})

test('redirects that authorities do not follow are in the way, and addresses that answer differently are told of', bind, async (t) => {
  const dns = await zone(t, 'www IN A 127.0.0.1\nwww IN AAAA ::1')
  const view = viewOf([dns])
  const named = (server: string): RequestListener => (_, response) => { response.writeHead(404, { server }).end() }
  const [one, other] = [named('one'), named('other')]
  const alike = await view.preflight(asked({ httpPort: await webServers(t, { '127.0.0.1': one, '::1': one }) }))
  assert.ok(!doubts(alike).includes('WEB_ADDRESSES_DIFFER'))
  const different = await view.preflight(asked({ httpPort: await webServers(t, { '127.0.0.1': one, '::1': other }) }))
  assert.deepEqual([different.visible, doubts(different).includes('WEB_ADDRESSES_DIFFER')], [true, true])
  const { port } = await webServer(t, (_, response) => { response.writeHead(302, { location: 'https://www.example.test:8443/' }).end() })
  assert.ok(inTheWay(await view.preflight(asked({ httpPort: port }))).includes('WEB_REDIRECT_WRONG'))
})

test('faults of delegation and of DNS servers are told; only what is sure to fail is in the way', bind, async (t) => {
  const stale = await startBind(t, { address: '127.0.0.2', zones: [{ name: 'example.test', file: '$TTL 60\n@ SOA ns1 hostmaster 7 3600 600 86400 1\n@ NS ns1\n@ NS ns2\nns1 A 127.0.0.1\nns2 A 127.0.0.2\n' }] })
  const dns = await zone(t, '@ IN NS ns2\nns2 IN A 127.0.0.2\n@ IN NS ns3\nns3 IN A 127.0.0.9\n_acme-challenge.www IN CNAME _acme-challenge.loop\n_acme-challenge.loop IN CNAME _acme-challenge.www', [{ name: 'broken.test', file: '' }, { name: 'com', records: 'other IN TXT "x"' }])
  const view = viewOf([dns, stale])
  const look = await view.preflight(asked({ method: 'dns' }))
  assert.deepEqual(inTheWay(look), ['DNS_DELEGATION_BROKEN'])
  assert.deepEqual([verdicts(look)['ns3.example.test'], verdicts(look)['DNS servers of example.test']], [[true, 'DNS_LOOKUP_FAILED'], [true, 'DNS_SERVERS_DIFFER']], words(look))
  assert.deepEqual([...new Set(inTheWay(await viewOf([dns]).preflight(asked({ method: 'dns', name: 'www.broken.test' }))))], ['DNS_LOOKUP_FAILED'])
  assert.deepEqual(inTheWay(await viewOf([dns]).preflight(asked({ method: 'dns', name: 'www.example.com' }))), ['DNS_NAME_UNKNOWN'])
  const nobody = await viewOf([{ address: '127.0.0.1', port: await freePort() }]).preflight(asked({ method: 'dns' }))
  assert.deepEqual([nobody.visible, [...new Set(doubts(nobody))]], [true, ['DNS_LOOKUP_FAILED']], 'that no DNS server can be asked from here says nothing of the domain')
})

test('a server that answers over UDP alone is told of', bind, async (t) => {
  const dns = await zone(t, 'www IN A 192.0.2.1')
  const look = await viewOf([await udpOnly(t, dns)]).preflight(asked({ method: 'dns' }))
  assert.match(words(look), /\(TCP\)/)
  assert.ok(doubts(look).includes('DNS_LOOKUP_FAILED'))
})

/** Hands questions on over UDP; over TCP it hangs up. */
async function udpOnly(t: TestContext, to: { address: string; port: number }): Promise<{ address: string; port: number }> {
  const tcp = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await once(tcp, 'listening')
  const { port } = tcp.address() as AddressInfo
  const socket = createSocket('udp4')
  socket.on('message', (message, from) => {
    const asking = createSocket('udp4')
    asking.on('message', (answer) => { socket.send(answer, from.port, from.address); asking.close() })
    asking.send(message, to.port, to.address)
  })
  socket.bind(port, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => { socket.close(); tcp.close() })
  return { address: '127.0.0.1', port }
}
