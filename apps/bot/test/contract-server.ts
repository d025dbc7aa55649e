import { randomBytes } from 'node:crypto'
import { createPublicKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import {
  botPaths, botTaskKinds, CertloopError, checkShape, encodeJoinToken, HelloRequest, JoinRequest, LeaseRequest, newId, problemOf,
  ProgressRequest, readSignature, ResultRequest, sha256Hex, toCertloopError, verifySignature,
  type BotId, type BotTask, type BotTaskKind, type ErrorCode, type TaskId,
} from '@certloop/contract'

/** What the server does to one request instead of answering it as it should. */
export type Mischief =
  /** The connection ends before the request is looked at. */
  | 'cut-before'
  /** The request is carried out, its answer never arrives. */
  | 'cut-after'
  | { status: number; headers?: Record<string, string>; body?: string }

export interface ServerOptions {
  /** PEM; without it the server speaks plain HTTP. */
  tls?: { cert: string; key: string }
  /** What it shows as its anchor; default its own certificate, or a text that is none. */
  anchorPem?: string
  /** Name in the address; default 127.0.0.1. */
  hostName?: string
  /** The server's clock; default the real one. */
  now?: () => Date
  leaseMs?: number
}

interface Held { task: BotTask; bootId: string | null; leaseUntil: number; done: boolean }
interface Seen { method: string; path: string; body: string }

/** A control plane's bot interface in little, checked by the contract: joining, signatures, leases with fences, results. */
export async function startContractServer(t: Pick<TestContext, 'after'>, options: ServerOptions = {}) {
  const { tls, now = () => new Date(), leaseMs = 60_000, hostName = '127.0.0.1' } = options
  const seen: Seen[] = []
  const tasks: Held[] = []
  const results = new Map<TaskId, ResultRequest['result']>()
  const progress: { taskId: TaskId; request: ProgressRequest }[] = []
  const tokens = new Map<string, string>()
  const bots = new Map<BotId, string>()
  const nonces = new Set<string>()
  const waiting = new Set<() => void>()
  const state = { mischief: (_path: string, _count: number): Mischief | undefined => undefined, refuse: undefined as ErrorCode | undefined, hellos: [] as HelloRequest[], problems: [] as string[] }
  const fail = (code: ErrorCode, message = 'From the test server.') => { throw new CertloopError(code, message) }

  const join = (body: unknown) => {
    const request = checkShape(JoinRequest, body, { what: 'join' })
    const secret = tokens.get(request.tokenId)
    if (secret === undefined || secret !== request.secret) fail(secret === 'used' ? 'JOIN_TOKEN_USED' : 'JOIN_TOKEN_UNKNOWN')
    tokens.set(request.tokenId, 'used')
    const botId = newId('bot')
    bots.set(botId, request.publicKeyPem)
    return { botId, name: request.name, purpose: 'both', identityPem: tls?.cert ?? 'identity' }
  }

  const authenticate = (path: string, body: string, headers: IncomingMessage['headers']) => {
    const claimed = readSignature(headers)
    if (state.refuse) fail(state.refuse)
    const key = bots.get(claimed.botId)
    if (!key) return fail('BOT_UNKNOWN')
    verifySignature({ method: 'POST', path, body }, claimed, createPublicKey(key), now())
    if (nonces.has(claimed.nonce)) fail('BOT_SIGNATURE_INVALID', 'The nonce was used before.')
    nonces.add(claimed.nonce)
  }

  const hello = (body: unknown) => {
    const request = checkShape(HelloRequest, body, { what: 'hello' })
    state.hellos.push(request)
    for (const held of tasks) if (held.bootId !== request.bootId) held.bootId = null
    return { now: now().toISOString(), name: 'test', addedByNewerVersion: true }
  }

  const due = () => tasks.filter((held) => !held.done && (held.bootId === null || held.leaseUntil < Date.now()))
  async function lease(body: unknown, request: IncomingMessage) {
    const { bootId, max, waitSeconds } = checkShape(LeaseRequest, body, { what: 'lease' })
    if (due().length === 0) await bell(waitSeconds * 1000, request)
    if (request.destroyed && !request.complete) return { tasks: [] }
    return {
      tasks: due().slice(0, max).map((held) => {
        held.task.fence += 1
        held.bootId = bootId
        held.leaseUntil = Date.now() + leaseMs
        held.task.leaseUntil = new Date(now().getTime() + leaseMs).toISOString()
        return { ...held.task }
      }),
    }
  }
  const bell = (ms: number, request: IncomingMessage) => new Promise<void>((resolve) => {
    const wake = () => { clearTimeout(timer); waiting.delete(wake); resolve() }
    const timer = setTimeout(wake, ms)
    waiting.add(wake)
    request.socket.once('close', wake)
  })
  const ring = () => { for (const wake of [...waiting]) wake() }

  const heldBy = (id: string, fence: number): Held => {
    const held = tasks.find((candidate) => candidate.task.id === id)
    if (!held || held.task.fence !== fence || held.bootId === null || held.leaseUntil < Date.now()) throw new CertloopError('LEASE_LOST', 'Not yours.')
    return held
  }
  const renew = (id: TaskId, body: unknown) => {
    const request = checkShape(ProgressRequest, body, { what: 'progress' })
    const held = heldBy(id, request.fence)
    progress.push({ taskId: id, request })
    held.leaseUntil = Date.now() + leaseMs
    return { leaseUntil: new Date(now().getTime() + leaseMs).toISOString() }
  }
  const finish = (id: TaskId, body: unknown) => {
    const { fence, result } = checkShape(ResultRequest, body, { what: 'result' })
    if (results.has(id) && tasks.some((h) => h.task.id === id && h.task.fence === fence)) return undefined
    const held = heldBy(id, fence)
    if (result.ok && held.task.kind in botTaskKinds) checkShape(botTaskKinds[held.task.kind].result, result.data, { what: `result of ${held.task.kind}` })
    held.done = true
    results.set(id, result)
    return undefined
  }

  async function route(path: string, text: string, request: IncomingMessage): Promise<unknown> {
    if (path === botPaths.trustAnchor) return { certificatePem: options.anchorPem ?? tls?.cert ?? 'none' }
    const body: unknown = JSON.parse(text)
    if (path === botPaths.join) return join(body)
    authenticate(path, text, request.headers)
    if (path === botPaths.hello) return hello(body)
    if (path === botPaths.lease) return lease(body, request)
    const [, id = '', what = ''] = /^\/bot\/v1\/tasks\/([^/]+)\/(progress|result)$/.exec(path) ?? []
    return what === 'progress' ? renew(id as TaskId, body) : what === 'result' ? finish(id as TaskId, body) : fail('NOT_FOUND')
  }

  async function handle(request: IncomingMessage, response: ServerResponse) {
    const { method = '', url: path = '' } = request
    let body = ''
    for await (const part of request.setEncoding('utf8')) body += part as string
    seen.push({ method, path, body })
    const mischief = state.mischief(path, seen.filter((s) => s.path === path).length)
    response.setHeader('date', now().toUTCString())
    if (mischief === 'cut-before') return void request.socket.destroy()
    if (typeof mischief === 'object') return void response.writeHead(mischief.status, mischief.headers).end(mischief.body)
    const answer = await route(path, body, request).then((value) => ({ status: value === undefined ? 204 : 200, value }), (thrown: unknown) => {
      const problem = problemOf(toCertloopError(thrown))
      state.problems.push(`${path}: ${problem.code}: ${problem.detail}`)
      return { status: problem.status, value: problem as unknown }
    })
    if (mischief === 'cut-after') return void request.socket.destroy()
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.value === undefined ? undefined : JSON.stringify(answer.value))
  }

  let server = http.createServer()
  const listen = async (port: number) => {
    const listener = (request: IncomingMessage, response: ServerResponse) => void handle(request, response).catch((error: unknown) => { state.problems.push(String(error)); response.destroy() })
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
    ring()
    await closed
  }
  const port = await listen(0)
  t.after(stop)

  const anchor = options.anchorPem ?? tls?.cert
  const pin = anchor === undefined ? '' : sha256Hex(new X509Certificate(anchor).publicKey.export({ type: 'spki', format: 'der' }))
  const url = `${tls ? 'https' : 'http'}://${hostName}:${port}`
  return {
    url, port, pin, seen, results, progress, state, tasks, bots, ring,
    paths: () => seen.map((s) => `${s.method} ${s.path}`),
    /** A token for this server; `change` makes it a wrong one. */
    token(change: { url?: string; pin?: string; secret?: string } = {}) {
      const id = newId('jtk')
      const secret = randomBytes(24).toString('base64url')
      tokens.set(id, secret)
      return encodeJoinToken({ url, pin, id, secret, ...change })
    },
    give(kind: BotTaskKind | string, payload: unknown): TaskId {
      const id = newId('tsk')
      tasks.push({ task: { id, kind: kind as BotTaskKind, fence: 0, leaseUntil: '', deadline: new Date(now().getTime() + 3_600_000).toISOString(), payload }, bootId: null, leaseUntil: 0, done: false })
      ring()
      return id
    },
    stop,
    start: () => listen(port),
  }
}
export type ContractServer = Awaited<ReturnType<typeof startContractServer>>
