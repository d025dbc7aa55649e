import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { createSecureContext, createServer } from 'node:tls'
import { acmeIdentifier, basicConstraints, buildCertificate, generateKey, keySigner, nameOfCommonName, readPrivateKey, spkiOfKey, subjectAltName, toPem } from '@certloop/pki'
import { wallClock } from '@certloop/test-kit'

/** A TLS server that proves one name or address (RFC 8737, RFC 8738). */
export async function alpnServer(t: Pick<TestContext, 'after'>, listen: { host?: string; port?: number } = {}): Promise<{ port: number; prove(name: string, digest: string): Promise<void>; asked: string[] }> {
  let shown: { key: string; cert: string } | undefined
  const asked: string[] = []
  const server = createServer({
    ALPNProtocols: ['acme-tls/1'],
    SNICallback: (name, done) => {
      asked.push(name)
      done(null, createSecureContext(shown ?? {}))
    },
  }, (socket) => { socket.end() })
  server.on('tlsClientError', (_error, socket) => { socket.destroy() })
  server.listen(listen.port ?? 0, listen.host ?? '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.close() })
  return {
    asked, port: (server.address() as AddressInfo).port,
    async prove(name, digest) {
      const key = await generateKey('ec-256')
      const [privateKey, own, now] = [readPrivateKey(key), nameOfCommonName('validation'), wallClock().getTime()]
      const der = await buildCertificate({
        serialNumber: '01', issuer: own, subject: own, spki: spkiOfKey(privateKey), notBefore: new Date(now - 3_600_000), notAfter: new Date(now + 3_600_000),
        extensions: [basicConstraints(false), subjectAltName([name], false), acmeIdentifier(Buffer.from(digest, 'hex'))],
      }, keySigner(privateKey))
      shown = { key, cert: toPem('CERTIFICATE', der) }
    },
  }
}
