import { createPublicKey, randomBytes, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import {
  botPaths, botTaskKinds, CertloopError, checkShape, encodeJoinToken, HelloRequest, JoinRequest, LeaseRequest, newId, problemOf,
  ProgressRequest, readSignature, ResultRequest, sha256Hex, toCertloopError, verifySignature, type BotId, type ErrorCode, type TaskId,
} from '@certloop/contract'
import { createBell } from '../src/work/bell.ts'
import { createTaskBoard } from './task-board.ts'

/** What the server does to one request instead of answering it as it should. */
export type Mischief =
  /** The connection ends before the request is looked at. */
  | 'cut-before'
  /** The request is carried out, its answer never arrives. */
  | 'cut-after'
  /** The request is read and never answered. */
  | 'hang'
  | { status: number; headers?: Record<string, string>; body?: string }

export interface ServerOptions {
  now: () => Date
  /** PEM; without it the server speaks plain HTTP. */
  tls?: { cert: string; key: string }
  /** What it shows as its anchor; default its own certificate, or a text that is none. */
  anchorPem?: string
  /** Name in the address; default 127.0.0.1. */
  hostName?: string
  leaseMs?: number
  purpose?: 'discovery' | 'provisioning' | 'both'
}

interface Seen { method: string; path: string; body: string }
type Reply = (body: unknown, request: IncomingMessage, response: ServerResponse) => unknown

/** Who may call: join tokens, keys of bots, nonces. */
function createGate({ now, tls, purpose = 'both' }: ServerOptions) {
  const tokens = new Map<string, string>()
  const bots = new Map<BotId, string>()
  const nonces = new Set<string>()
  return {
    refuse: undefined as ErrorCode | undefined,
    newToken() {
      const [id, secret] = [newId('jtk', new Date()), randomBytes(24).toString('base64url')]
      tokens.set(id, secret)
      return { id, secret }
    },
    join(body: unknown) {
      const request = checkShape(JoinRequest, body, { what: 'join' })
      const secret = tokens.get(request.tokenId)
      if (secret !== request.secret) throw new CertloopError(secret === 'used' ? 'JOIN_TOKEN_USED' : 'JOIN_TOKEN_UNKNOWN', 'No.')
      tokens.set(request.tokenId, 'used')
      const botId = newId('bot', new Date())
      bots.set(botId, request.publicKeyPem)
      return { botId, name: request.name, purpose, identityPem: tls?.cert ?? 'identity' }
    },
    check(path: string, body: string, headers: IncomingMessage['headers']) {
      const claimed = readSignature(headers)
      const key = bots.get(claimed.botId)
      if (this.refuse || !key) throw new CertloopError(this.refuse ?? 'BOT_UNKNOWN', 'No.')
      verifySignature({ method: 'POST', path, body }, claimed, createPublicKey(key), now())
      if (nonces.has(claimed.nonce)) throw new CertloopError('BOT_SIGNATURE_INVALID', 'The nonce was used before.')
      nonces.add(claimed.nonce)
    },
  }
}

/** HTTP or HTTPS on a free port of loopback, that can be stopped and started again on it. */
async function listenLocally(t: Pick<TestContext, 'after'>, tls: ServerOptions['tls'], listener: (request: IncomingMessage, response: ServerResponse) => void) {
  let server = http.createServer()
  const listen = async (port: number) => {
    server = tls ? https.createServer(tls, listener) : http.createServer(listener)
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const stop = async () => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  const port = await listen(0)
  t.after(stop)
  return { port, stop, start: () => listen(port) }
}

/** A control plane's bot interface in little, checked by the contract: joining, signatures, leases with fences, results. */
export async function startContractServer(t: Pick<TestContext, 'after'>, options: ServerOptions) {
  const { tls, now, leaseMs = 60_000, hostName = '127.0.0.1' } = options
  const gate = createGate(options)
  const board = createTaskBoard({ now, leaseMs })
  const bell = createBell()
  const seen: Seen[] = []
  const hellos: HelloRequest[] = []
  const problems: string[] = []
  const state = { mischief: (_path: string, _count: number): Mischief | undefined => undefined }

  const replies: Record<string, Reply> = {
    [botPaths.hello](body) {
      const request = checkShape(HelloRequest, body, { what: 'hello' })
      hellos.push(request)
      board.giveBack(request.bootId)
      return { now: now().toISOString(), name: 'test', addedByNewerVersion: true }
    },
    async [botPaths.lease](body, _request, response) {
      const { bootId, max, waitSeconds } = checkShape(LeaseRequest, body, { what: 'lease' })
      const gone = new AbortController()
      response.once('close', () => gone.abort())
      if (board.due().length === 0) await bell.wait(waitSeconds * 1000, gone.signal)
      return { tasks: gone.signal.aborted ? [] : board.lease(bootId, max) }
    },
    progress: (body, { url = '' }) => board.renew(taskOf(url), checkShape(ProgressRequest, body, { what: 'progress' })),
    result: (body, { url = '' }) => board.finish(taskOf(url), checkShape(ResultRequest, body, { what: 'result' }), (kind, data) => {
      checkShape(botTaskKinds[kind].result, data, { what: `result of ${kind}` })
    }),
  }

  async function answer(path: string, body: string, request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    if (path === botPaths.trustAnchor) return { certificatePem: options.anchorPem ?? tls?.cert ?? 'none' }
    if (path === botPaths.join) return gate.join(JSON.parse(body))
    gate.check(path, body, request.headers)
    const reply = replies[path] ?? replies[path.split('/').at(-1) ?? '']
    if (!reply) throw new CertloopError('NOT_FOUND', path)
    return reply(JSON.parse(body), request, response)
  }

  async function handle(request: IncomingMessage, response: ServerResponse) {
    const { method = '', url: path = '' } = request
    let body = ''
    for await (const part of request.setEncoding('utf8')) body += part as string
    seen.push({ method, path, body })
    const mischief = state.mischief(path, seen.filter((s) => s.path === path).length)
    response.setHeader('date', now().toUTCString())
    if (mischief === 'cut-before') return void request.socket.destroy()
    if (mischief === 'hang') return undefined
    if (typeof mischief === 'object') return void response.writeHead(mischief.status, mischief.headers).end(mischief.body)
    const { status, value } = await answer(path, body, request, response).then((given) => ({ status: given === undefined ? 204 : 200, value: given }), (thrown: unknown) => {
      const problem = problemOf(toCertloopError(thrown))
      problems.push(`${path}: ${problem.code}: ${problem.detail}`)
      return { status: problem.status, value: problem }
    })
    if (mischief === 'cut-after') return void request.socket.destroy()
    response.writeHead(status, { 'content-type': 'application/json' }).end(value === undefined ? undefined : JSON.stringify(value))
  }

  const { port, start, stop } = await listenLocally(t, tls, (request, response) => void handle(request, response).catch((error: unknown) => {
    if (!request.destroyed) problems.push(String(error))
    response.destroy()
  }))
  const anchor = options.anchorPem ?? tls?.cert
  const pin = anchor === undefined ? '' : sha256Hex(new X509Certificate(anchor).publicKey.export({ type: 'spki', format: 'der' }))
  const url = `${tls ? 'https' : 'http'}://${hostName}:${port}`
  return {
    url, port, pin, seen, hellos, problems, state, gate, board, start, stop,
    paths: () => seen.map((s) => `${s.method} ${s.path}`),
    /** A token for this server; `change` makes it a wrong one. */
    token: (change: { url?: string; pin?: string; secret?: string } = {}) => encodeJoinToken({ url, pin, ...gate.newToken(), ...change }),
    give(kind: string, payload: unknown): TaskId {
      const id = board.add(kind, payload)
      bell.ring()
      return id
    },
    /** Wakes long polls, for instance after takeAway. */
    ring: () => bell.ring(),
  }
}
const taskOf = (path: string) => path.split('/').at(-2) as TaskId
export type ContractServer = Awaited<ReturnType<typeof startContractServer>>
