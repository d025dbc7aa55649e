import { fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Cleanup } from '../index.ts'
import type { Asked, Ports, ServerOptions, Tasks, Told } from './server.ts'

/** A server process: its ports, and what it can be asked to do. */
export interface CaServer extends Tasks { ports: Ports; stop(): Promise<void> }

/** A folder that is gone afterwards. */
export async function caFolder(cleanup: Cleanup): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'certloop-bench-ca-'))
  cleanup(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

/** Starts the CA in a process of its own, on the core that this one is on. */
export async function startCaServer(cleanup: Cleanup, options: ServerOptions): Promise<CaServer> {
  const child = fork(fileURLToPath(new URL('./server.ts', import.meta.url)), [JSON.stringify(options)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => { said = (said + text).slice(-4000) })
  const exit = new Promise<void>((resolve) => { child.once('close', () => resolve()) })
  const stop = async () => { child.kill('SIGKILL'); await exit }
  cleanup(stop)
  const waiting = new Map<number, { done: (value: unknown) => void; fail: (error: Error) => void }>()
  let ready: (ports: Ports) => void = () => {}
  let broken: (error: Error) => void = () => {}
  const started = new Promise<Ports>((resolve, reject) => { ready = resolve; broken = reject })
  child.on('message', ({ id, value, error, ports }: Told) => {
    if (ports) ready(ports)
    if (error === undefined) waiting.get(id)?.done(value)
    else waiting.get(id)?.fail(new Error(error))
    waiting.delete(id)
  })
  void exit.then(() => {
    const error = new Error(`the CA's process ended: ${said}`)
    broken(error)
    for (const { fail } of waiting.values()) fail(error)
  })
  let count = 0
  const ask = (task: keyof Tasks) => (...args: unknown[]) => new Promise<never>((done, fail) => {
    waiting.set(++count, { done: done as (value: unknown) => void, fail })
    child.send({ id: count, task, args } satisfies Asked)
  })
  return { ports: await started, stop, watch: ask('watch'), taken: ask('taken'), publish: ask('publish'), revoke: ask('revoke'), sign: ask('sign') }
}
