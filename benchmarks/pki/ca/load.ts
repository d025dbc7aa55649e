// Load from outside: wrk where it is installed, else a client of our own. Run as a program, this file is that client.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import tls from 'node:tls'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findTool } from '@certloop/test-kit'
import { quantile } from '../../statistics.ts'

const run = promisify(execFile)

export interface Load {
  port: number
  secure?: boolean
  /** Whole HTTP/1.1 requests as they go onto the wire; sent in turn on connections that stay open. */
  requests: readonly Buffer[]
  connections: number
  seconds: number
  /** Between an answer and the next request of a connection; default none. */
  pauseMs?: number
}
/** Times in ms. failed: answers with another status than 200. */
export interface LoadResult { answers: number; failed: number; seconds: number; p99: number; longest: number }

/** The first core: what is measured has the last one. */
const onOtherCore = (argv: readonly string[]): [string, string[]] => (findTool('taskset') ? ['taskset', ['-c', '0', ...argv]] : [argv[0] ?? '', argv.slice(1)])

const luaText = (bytes: Buffer): string => `"${Array.from(bytes, (byte) => `\\${String(byte).padStart(3, '0')}`).join('')}"`
const luaScript = (requests: readonly Buffer[]): string => `
local all = { ${requests.map(luaText).join(',\n')} }
local at = 0
request = function() at = at % #all + 1; return all[at] end
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format('\\n{"answers":%d,"failed":%d,"seconds":%f,"p99":%f,"longest":%f}\\n', summary.requests,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout, summary.duration / 1e6, latency:percentile(99) / 1e3, latency.max / 1e3))
end
`

/** Which client makes the load. */
export const loadTool = (): string => (findTool('wrk') ? 'wrk' : 'our own client, since wrk is not installed (Debian package wrk)')

async function withWrk(wrk: string, folder: string, load: Load): Promise<string> {
  const script = join(folder, 'load.lua')
  await writeFile(script, luaScript(load.requests))
  const { port, secure, connections, seconds } = load
  const { stdout } = await run(...onOtherCore([wrk, '-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, `${secure ? 'https' : 'http'}://127.0.0.1:${port}/`]))
  return stdout.trim().split('\n').at(-1) ?? ''
}

async function withOwn(folder: string, load: Load): Promise<string> {
  const path = join(folder, 'load.json')
  await writeFile(path, JSON.stringify({ ...load, requests: load.requests.map((request) => request.toString('base64')) }))
  return (await run(...onOtherCore([process.execPath, fileURLToPath(import.meta.url), path]))).stdout
}

/** Sends requests from another process and core for the time given. @throws Error when an answer has another status than 200 */
export async function putLoad(load: Load): Promise<LoadResult> {
  const folder = await mkdtemp(join(tmpdir(), 'certloop-load-'))
  try {
    const wrk = load.pauseMs === undefined ? findTool('wrk') : undefined // wrk always sends as fast as it can
    const result = JSON.parse(await (wrk ? withWrk(wrk, folder, load) : withOwn(folder, load))) as LoadResult
    if (result.failed > 0) throw new Error(`${result.failed} of ${result.answers} requests failed`)
    return result
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Length of the first answer in these bytes, and its status; undefined while its head is not there. */
function firstAnswer(bytes: Buffer): { end: number; status: number } | undefined {
  const head = bytes.indexOf('\r\n\r\n')
  if (head < 0) return undefined
  const length = /\r\ncontent-length: (\d+)/i.exec(bytes.toString('latin1', 0, head))?.[1]
  return { end: head + 4 + Number(length ?? 0), status: Number(bytes.toString('latin1', 9, 12)) }
}

/** One request after the other on one connection. */
async function converse(socket: net.Socket, next: () => Buffer | undefined, told: (ms: number, status: number) => void, pauseMs: number): Promise<void> {
  const parts = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  for (let request = next(); request; request = next()) {
    const begin = performance.now()
    socket.write(request)
    let bytes: Buffer = Buffer.alloc(0)
    let answer: ReturnType<typeof firstAnswer>
    while (!answer || bytes.length < answer.end) {
      const part = await parts.next()
      if (part.done) throw new Error('the connection was closed')
      bytes = bytes.length === 0 ? part.value : Buffer.concat([bytes, part.value])
      answer ??= firstAnswer(bytes)
    }
    told(performance.now() - begin, answer.status)
    if (pauseMs > 0) await pause(pauseMs)
  }
  socket.destroy()
}

async function client(path: string): Promise<void> {
  const load = JSON.parse(await readFile(path, 'utf8')) as Omit<Load, 'requests'> & { requests: string[] }
  const requests = load.requests.map((request) => Buffer.from(request, 'base64'))
  const times: number[] = []
  let failed = 0
  let at = 0
  const begin = performance.now()
  const next = () => (performance.now() - begin < load.seconds * 1000 ? requests[at++ % requests.length] : undefined)
  const told = (ms: number, status: number) => { times.push(ms); if (status !== 200) failed++ }
  await Promise.all(Array.from({ length: load.connections }, async () => {
    const to = { port: load.port, host: '127.0.0.1' }
    const socket = load.secure ? tls.connect({ ...to, rejectUnauthorized: false }) : net.connect(to)
    await converse(socket.setNoDelay(true), next, told, load.pauseMs ?? 0)
  }))
  const result: LoadResult = { answers: times.length, failed, seconds: (performance.now() - begin) / 1000, p99: quantile(times, 0.99), longest: Math.max(...times) }
  process.stdout.write(JSON.stringify(result))
}

if (import.meta.main) await client(process.argv[2] ?? '')
