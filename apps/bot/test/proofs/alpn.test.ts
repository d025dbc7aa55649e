import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { eventually, freePort, leftOut, runProcess } from '@certloop/test-kit'
import { readCertificate } from '@certloop/pki'
import { serverNameFor } from '../../src/proofs/alpn-certificate.ts'
import type { Asked } from '../../src/proofs/proof-list.ts'
import type { Job } from './proofs-process.ts'
import { digestOf, scene } from './proofs-kit.ts'

const portOf = ({ proof }: Asked) => proof.kind === 'tls-alpn' ? Number(proof.listenOn.split(':').at(-1)) : assert.fail('not TLS')
const withOpenssl = { skip: leftOut('openssl') }

/** What a validation does: a handshake, and a look at the certificate. */
function shake(port: number, servername: string | undefined, protocols: string[] | undefined = ['acme-tls/1']): Promise<{ certificate: X509Certificate | undefined; protocol: string | false | null }> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...(servername === undefined ? {} : { servername }), ...(protocols ? { ALPNProtocols: protocols } : {}) })
    socket.once('secureConnect', () => resolve({ certificate: socket.getPeerX509Certificate(), protocol: socket.alpnProtocol }))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed without a handshake')))
  })
}
const namesShown = async (port: number, servername: string) => (await shake(port, servername)).certificate?.subjectAltName

/** The extension as the RFC has it: critical, holding the digest in an OCTET STRING. */
const acmeExtension = (digest: string) => Buffer.from(`303106082b0601050507011f0101ff04220420${digest}`, 'hex')

async function opensslClient(t: TestContext, port: number, ...words: string[]) {
  return runProcess(t, ['openssl', 's_client', '-connect', `127.0.0.1:${port}`, '-showcerts', ...words])
}

test('OpenSSL sees the certificate of RFC 8737, and is let go', withOpenssl, async (t) => {
  const { start, alpn } = await scene(t)
  const asked = await alpn()
  assert.match((await (await start()).place(asked)).where, /^127\.0\.0\.1:\d+ for www\.example\.com$/)
  for (const version of ['-tls1_2', '-tls1_3']) {
    const { stdout } = await opensslClient(t, portOf(asked), '-servername', 'www.example.com', '-alpn', 'acme-tls/1', version)
    assert.match(stdout, /ALPN protocol: acme-tls\/1/)
    const pem = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/.exec(stdout)?.[0] ?? ''
    const facts = readCertificate(pem)
    const certificate = new X509Certificate(pem)
    assert.equal(certificate.subjectAltName, 'DNS:www.example.com')
    assert.ok(certificate.verify(certificate.publicKey), 'signed by itself')
    assert.equal(facts.issuer, facts.subject)
    assert.ok(certificate.raw.includes(acmeExtension(digestOf('www.example.com'))), 'acmeIdentifier, critical')
  }
  const refused = await opensslClient(t, portOf(asked), '-servername', 'www.example.com', '-alpn', 'h2')
  assert.match(refused.stderr, /no application protocol/i)
})

test('several names share a port; each gets its own, and the port is free after the last', async (t) => {
  const { start, alpn } = await scene(t)
  const proofs = await start()
  const listenOn = `127.0.0.1:${await freePort()}`
  const [one, two, address] = [await alpn('one.example.com', listenOn), await alpn('two.example.com', listenOn), await alpn('192.0.2.7', listenOn)]
  for (const asked of [one, two, address, one]) await proofs.place(asked)
  const port = portOf(one)
  assert.equal(await namesShown(port, 'ONE.example.com'), 'DNS:one.example.com')
  assert.equal(await namesShown(port, 'two.example.com'), 'DNS:two.example.com')
  assert.equal(await namesShown(port, '7.2.0.192.in-addr.arpa'), 'IP Address:192.0.2.7')
  for (const name of ['three.example.com', undefined]) await assert.rejects(shake(port, name))
  await proofs.remove(one)
  await assert.rejects(shake(port, 'one.example.com'))
  assert.equal(await namesShown(port, 'two.example.com'), 'DNS:two.example.com')
  for (const asked of [two, address, address]) assert.deepEqual(await proofs.remove(asked), { removed: true, left: null })
  await assert.rejects(shake(port, 'two.example.com'), { code: 'ECONNREFUSED' })
})

test('two validations of one name: the last is answered, then the first again', async (t) => {
  const { start, alpn } = await scene(t)
  const proofs = await start()
  const first = await alpn()
  const second = await alpn('www.example.com', first.proof.kind === 'tls-alpn' ? first.proof.listenOn : '')
  if (second.proof.kind === 'tls-alpn') second.proof.digest = digestOf('another')
  await proofs.place(first)
  await proofs.place(second)
  const shows = async (text: string) => (await shake(portOf(first), 'www.example.com')).certificate?.raw.includes(acmeExtension(digestOf(text)))
  assert.deepEqual([await shows('another'), await shows('www.example.com')], [true, false])
  await proofs.remove(second)
  assert.deepEqual([await shows('another'), await shows('www.example.com')], [false, true])
})

test('who asks for no protocol, or for nothing at all, is let go; and nobody can hold the port', { timeout: 30_000 }, async (t) => {
  const { start, alpn } = await scene(t)
  const [asked, proofs] = [await alpn(), await start()]
  await proofs.place(asked)
  const port = portOf(asked)
  const plain = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, servername: 'www.example.com' }).on('error', () => undefined)
  plain.write('GET / HTTP/1.1\r\n\r\n')
  let heard = ''
  plain.setEncoding('utf8').on('data', (text: string) => { heard += text })
  await once(plain, 'close')
  assert.equal(heard, '')

  const silent: Socket[] = []
  let ended = 0
  t.after(() => { for (const socket of silent) socket.destroy() })
  for (let i = 0; i < 130; i++) silent.push(connect(port, '127.0.0.1').on('error', () => undefined).on('close', () => { ended++ }).resume())
  await eventually(() => ended >= 30, { what: 'the end of connections beyond the limit' })
  await eventually(() => ended === 130, { timeoutMs: 15_000, what: 'the end of those that say nothing' })
  assert.equal(await namesShown(port, 'www.example.com'), 'DNS:www.example.com')
  const last = connect(port, '127.0.0.1').on('error', () => undefined)
  await once(last, 'connect')
  const begun = performance.now()
  await proofs.remove(asked)
  assert.ok(performance.now() - begun < 3_000, 'nobody holds up the removal')
  await assert.rejects(shake(port, 'www.example.com'), { code: 'ECONNREFUSED' })
  last.destroy()
})

test('a port that is taken is told with what holds it; an address of another host as well; nothing is left noted', async (t) => {
  const { start, alpn, clock, logger } = await scene(t)
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.after(() => other.close())
  const { port } = other.address() as { port: number }
  const proofs = await start({ holderOf: async () => 'nginx (process 812)' })
  const asked = await alpn('www.example.com', `127.0.0.1:${port}`)
  await assert.rejects(proofs.place(asked), { code: 'TOKEN_PORT_TAKEN', message: /nginx \(process 812\) listens there already/ })
  await assert.rejects(proofs.place(await alpn('www.example.com', '192.0.2.1:44300')), { code: 'TOKEN_PORT_TAKEN', message: /does not have the address/ })
  for (const listenOn of ['443', '0.0.0.0:65536', 'localhost:443']) await assert.rejects(proofs.place(await alpn('www.example.com', listenOn)), { code: 'INPUT_INVALID' }, listenOn)
  await assert.rejects(proofs.place(await alpn('fe80::1%eth0')), { code: 'INPUT_INVALID' })
  other.close()
  await once(other, 'close')
  await proofs.place(asked)
  assert.equal(await namesShown(port, 'www.example.com'), 'DNS:www.example.com')
  clock.at += 2 * 3_600_000
  await proofs.resume()
  await assert.rejects(shake(port, 'www.example.com'), { code: 'ECONNREFUSED' })
  assert.match(logger.lines.at(-1)?.message ?? '', /its time is over/)
})

const unprivileged = process.getuid?.() !== 0 || process.platform !== 'linux' ? 'needs root on Linux, to give a right away' : leftOut('setpriv')
test('without the right to listen below 1024 it says which right is missing', { skip: unprivileged }, async (t) => {
  if (Number(await readFile('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8')) <= 443) return t.skip('everybody may listen there on this machine')
  const { alpn, listPath, later } = await scene(t)
  const job: Job = { listPath, now: later(0), asked: await alpn('www.example.com', '127.0.0.1:443'), remove: false, killAt: null }
  const { code, stderr } = await runProcess(t, ['setpriv', '--bounding-set=-net_bind_service', process.execPath, join(import.meta.dirname, 'proofs-process.ts'), JSON.stringify(job)])
  assert.notEqual(code, 0)
  assert.match(stderr, /may not listen on 127\.0\.0\.1:443: .*CAP_NET_BIND_SERVICE[^]*PRIVILEGE_REFUSED/)
  assert.deepEqual(JSON.parse(await readFile(listPath, 'utf8')), { proofs: [], folders: [] })
})

test('started again, the bot answers what has not expired, and a port that is taken by then is tried again', async (t) => {
  const { start, alpn, logger } = await scene(t)
  const asked = await alpn()
  const first = await start()
  await first.place(asked)
  await first.close()
  await assert.rejects(shake(portOf(asked), 'www.example.com'), { code: 'ECONNREFUSED' })
  const other = createServer().listen(portOf(asked), '127.0.0.1')
  await once(other, 'listening')
  const second = await start()
  assert.match(String(logger.lines.at(-1)?.facts['code']), /TOKEN_PORT_TAKEN/)
  other.close()
  await once(other, 'close')
  await second.resume()
  assert.equal(await namesShown(portOf(asked), 'www.example.com'), 'DNS:www.example.com')
})

test('addresses are asked for by their reverse name', () => {
  const ip = (name: string) => serverNameFor({ type: 'ip', name })
  assert.equal(ip('192.0.2.1'), '1.2.0.192.in-addr.arpa')
  assert.equal(ip('2001:db8::1'), '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa')
  assert.equal(ip('::ffff:192.0.2.1'), '1.0.2.0.0.0.0.c.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa')
})
