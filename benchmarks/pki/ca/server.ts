// A process of its own: the built-in CA with what it publishes, or bare servers beside it. Does what its parent asks.
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import type { IssuedCertificateId, IssuerId } from '@certloop/contract'
import { createPublicHttp } from '../../../apps/control-plane/src/local-ca/public-http.ts'
import { listen, type TlsIdentity } from '../../../apps/control-plane/src/listener/index.ts'
import { emptyApp } from '../../../apps/control-plane/src/listener/listener-testing.ts'
import { now, openCa, type CaPlace } from './open-ca.ts'
import { watch, type Taken } from './watch.ts'

/** Ports: the handler behind a bare http server; the real listener, which takes http and https; bare servers that answer from memory. */
export interface Ports { handler: number; listener: number; bare: number; bareSecure: number }
export interface ServerOptions extends CaPlace { identity?: TlsIdentity; /** Bytes of what the bare servers answer. */ bareBytes?: number }

/** Times in ms. commits: what writing one row durably took at the same time, so that disk and load of the machine can be told from ours. */
export interface Revoked { revocations: number[]; commits: number[] }

export interface Tasks {
  watch: (turns: boolean) => Promise<void>
  taken: () => Promise<Taken>
  publish: (issuerId: IssuerId) => Promise<void>
  /** One after the other, with a bare commit to a file of its own after each. */
  revoke: (ids: IssuedCertificateId[], pauseMs: number) => Promise<Revoked>
  /** Signs as often as asked, with P-256. */
  sign: (times: number) => Promise<void>
}
export interface Asked { id: number; task: keyof Tasks; args: unknown[] }
export interface Told { id: number; value?: unknown; error?: string; ports?: Ports }

async function open(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** What the HTTP stack alone gives: takes the request to its end and answers from memory, with the headers that ours has at the least. */
function bareAnswer(bytes: number): http.RequestListener {
  const body = createHash('shake256', { outputLength: Math.max(1, bytes) }).update('body').digest()
  return (request, response) => {
    request.on('data', () => {})
    request.once('end', () => {
      response.writeHead(200, { 'content-type': 'application/ocsp-response', 'content-length': body.length, 'cache-control': 'no-store' })
      response.end(body)
    })
  }
}

/** One row into an SQLite file of its own, on the disk when it returns. */
function bareCommits(folder: string): () => void {
  const database = new DatabaseSync(join(folder, 'bare.sqlite'))
  for (const statement of ['PRAGMA journal_mode = WAL', 'PRAGMA synchronous = FULL', 'CREATE TABLE IF NOT EXISTS bare (text TEXT)']) database.exec(statement)
  const insert = database.prepare('INSERT INTO bare VALUES (?)')
  return () => { insert.run('A'.repeat(1000)) }
}

async function serve({ identity, bareBytes = 0, ...place }: ServerOptions): Promise<{ ports: Ports; tasks: Tasks }> {
  const { database, ca } = await openCa(place)
  const handler = createPublicHttp({ database, ocsp: ca.ocsp, now, log: (_message, error) => { throw error } })
  const app = await emptyApp()
  const tlsIdentity = async () => identity ?? { keyPem: '', certPem: '' }
  const ports = {
    handler: await open(http.createServer((request, response) => { if (!handler(request, response)) response.writeHead(404).end() })),
    listener: identity ? (await listen({ app, host: '127.0.0.1', port: 0, tlsIdentity, publicHandler: handler })).port : 0,
    bare: await open(http.createServer(bareAnswer(bareBytes))),
    bareSecure: identity ? await open(https.createServer({ key: identity.keyPem, cert: identity.certPem, minVersion: 'TLSv1.2' }, bareAnswer(bareBytes))) : 0,
  }
  let end: (() => Taken) | undefined
  const bareCommit = bareCommits(place.folder)
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const toSign = Buffer.alloc(250, 1)
  const tasks: Tasks = {
    watch: async (turns) => { end = watch(turns) },
    taken: async () => {
      if (!end) throw new Error('nothing is watched')
      return end()
    },
    publish: async (issuerId) => { await ca.crls.publish(issuerId) },
    async revoke(ids, pauseMs) {
      const revoked: Revoked = { revocations: [], commits: [] }
      const timed = async (times: number[], work: () => unknown) => {
        const begin = performance.now()
        await work()
        times.push(performance.now() - begin)
      }
      for (const id of ids) {
        await timed(revoked.revocations, () => ca.revocation.revoke(id, { reason: 'superseded' }))
        await timed(revoked.commits, () => bareCommit())
        await pause(pauseMs)
      }
      return revoked
    },
    sign: async (times) => { for (let i = 0; i < times; i++) sign('sha256', toSign, privateKey) },
  }
  return { ports, tasks }
}

async function main(): Promise<void> {
  const { ports, tasks } = await serve(JSON.parse(process.argv[2] ?? '{}') as ServerOptions)
  const tell = (told: Told) => { process.send?.(told) }
  process.on('message', ({ id, task, args }: Asked) => {
    void (tasks[task] as (...values: unknown[]) => Promise<unknown>)(...args).then((value) => { tell({ id, value }) }, (error: unknown) => { tell({ id, error: error instanceof Error ? error.stack ?? error.message : String(error) }) })
  })
  process.once('disconnect', () => process.exit(0))
  tell({ id: 0, ports })
}

if (import.meta.main) await main()
