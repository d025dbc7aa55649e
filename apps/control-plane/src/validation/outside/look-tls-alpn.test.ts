import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createServer, type TlsOptions } from 'node:tls'
import { acmeIdentifier, basicConstraints, buildCertificate, generateKey, keySigner, nameOfCommonName, readPrivateKey, spkiOfKey, subjectAltName, toPem } from '@certloop/pki'
import { freePort, leftOut, startBind, startChallengeServer } from '@certloop/test-kit'
import { verdicts, viewOf, words } from './outside-testing.ts'

const digest = createHash('sha256').update('token.thumbprint').digest('hex')

interface Odd { names?: string[]; digest?: string; critical?: boolean; signedByOther?: boolean; without?: boolean }
async function alpnPair({ names = ['www.example.test'], digest: shown = digest, critical = true, signedByOther = false, without = false }: Odd): Promise<{ key: string; cert: string }> {
  const [key, other] = [await generateKey('ec-256'), await generateKey('ec-256')]
  const own = nameOfCommonName('test')
  const identifier = acmeIdentifier(Buffer.from(shown, 'hex'))
  // A critical extension has its flag, 01 01 ff, behind the identifier.
  const flag = identifier.indexOf(Buffer.from('0101ff', 'hex'))
  const uncritical = Buffer.concat([Buffer.from([0x30, identifier.length - 5]), identifier.subarray(2, flag), identifier.subarray(flag + 3)])
  const extensions = [basicConstraints(false), subjectAltName(names, false), ...(without ? [] : [critical ? identifier : uncritical])]
  const now = Date.now()
  const der = await buildCertificate({ serialNumber: '01', issuer: own, subject: own, spki: spkiOfKey(readPrivateKey(key)), notBefore: new Date(now - 3_600_000), notAfter: new Date(now + 3_600_000), extensions }, keySigner(readPrivateKey(signedByOther ? other : key)))
  return { key, cert: toPem('CERTIFICATE', der) }
}

async function tlsServer(t: TestContext, options: TlsOptions): Promise<number> {
  const server = createServer(options, (socket) => { socket.on('error', () => {}) }).on('tlsClientError', () => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.close() })
  return (server.address() as AddressInfo).port
}

test('the certificate of the validation counts, for names and addresses, and no other', { skip: leftOut('named') }, async (t) => {
  const dns = await startBind(t, { zones: [{ name: 'example.test', records: 'www IN A 127.0.0.1\nWWW2 IN A 127.0.0.1' }] })
  const view = viewOf([dns])
  const look = async (odd: Odd, name = 'www.example.test', protocols = ['acme-tls/1']) => {
    const port = await tlsServer(t, { ...(await alpnPair(odd)), ALPNProtocols: protocols })
    const seen = await view.look({ kind: 'tls-alpn', name, port, digest })
    return [seen.visible, seen.findings.at(-1)?.error?.code ?? null, seen.findings.at(-1)?.seen ?? ''] as const
  }
  assert.deepEqual((await look({})).slice(0, 2), [true, null])
  assert.deepEqual((await look({ names: ['127.0.0.1'] }, '127.0.0.1')).slice(0, 2), [true, null])
  const wrong = async (odd: Odd, pattern: RegExp) => { const [visible, code, seen] = await look(odd); assert.deepEqual([visible, code], [false, 'WEB_ANSWER_WRONG'], seen); assert.match(seen, pattern) }
  await wrong({ digest: 'ab'.repeat(32) }, /digest is not the expected/)
  await wrong({ names: ['other.example.test'] }, /for other.example.test, not for www.example.test alone/)
  await wrong({ names: ['www.example.test', 'other.example.test'] }, /not for www.example.test alone/)
  await wrong({ critical: false }, /not critical/)
  await wrong({ without: true }, /no acmeIdentifier/)
  await wrong({ signedByOther: true }, /not signed by itself/)
  const [, code, seen] = await look({}, 'www.example.test', ['http/1.1'])
  assert.deepEqual([code, /handshake for "acme-tls\/1" fails|does not speak/.test(seen)], ['WEB_ANSWER_WRONG', true], seen)
  const ignoring = await tlsServer(t, await alpnPair({}))
  assert.match(words(await view.look({ kind: 'tls-alpn', name: 'www.example.test', port: ignoring, digest })), /does not speak "acme-tls\/1"/)
  const closed = await freePort()
  assert.deepEqual(verdicts(await view.look({ kind: 'tls-alpn', name: 'www.example.test', port: closed, digest }))[`port ${closed} at 127.0.0.1`], [false, 'WEB_PORT_CLOSED'])
})

test('what the server of a test directory shows counts', { skip: leftOut('pebble-challtestsrv') }, async (t) => {
  const server = await startChallengeServer(t, { http: false })
  const view = viewOf([{ address: '127.0.0.1', port: server.dnsPort }])
  const look = () => view.look({ kind: 'tls-alpn', name: 'www.example.test', port: server.tlsPort, digest })
  assert.equal((await look()).visible, false)
  await server.addTlsAlpn('www.example.test', 'token.thumbprint')
  const seen = await look()
  assert.equal(seen.visible, true, words(seen))
})
