import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import Fastify, { type FastifyInstance } from 'fastify'
import type { TlsIdentity } from './listener.ts'

const run = promisify(execFile)

/** A key and self-signed certificate, made by OpenSSL. */
export async function makeIdentity(t: TestContext, name: string): Promise<TlsIdentity> {
  const folder = await mkdtemp(path.join(tmpdir(), 'certloop-tls-'))
  t.after(() => rm(folder, { recursive: true }))
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')]
  await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'])
  return { keyPem: await readFile(key, 'utf8'), certPem: await readFile(cert, 'utf8') }
}

/** Knows no route. */
export async function emptyApp(): Promise<FastifyInstance> {
  const app = Fastify()
  await app.ready()
  return app
}
