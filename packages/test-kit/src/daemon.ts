import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { eventually } from './wait.ts'

/** A temporary folder for a server that leaves the foreground: after the test the server is stopped first, then the folder goes. */
export async function tempFolderFor(t: Pick<TestContext, 'after'>, name: string, stop: () => Promise<unknown>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `certloop-${name}-`))
  t.after(async () => {
    await stop()
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  })
  return folder
}

/** Also when the process that has to collect it did not do so yet. */
export async function hasEnded(pid: number): Promise<boolean> {
  // "pid (name) state …"; names may hold anything.
  const state = (await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')).replace(/^.*\) /s, '')[0]
  return state === undefined || state === 'Z' || state === 'X'
}

/** Resolves to true once something takes a connection there; rejects when nothing does. */
export function connectOnce(port: number, host = '127.0.0.1'): Promise<true> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    socket.once('connect', () => { socket.destroy(); resolve(true) }).once('error', reject)
  })
}

/** The process that a pid file names, once it is written. A file that was only just made is empty, and as a number that is 0: our own process group, test runner and all. */
export function pidOnceWritten(file: string): Promise<number> {
  return eventually(async () => {
    const pid = Number.parseInt(await readFile(file, 'utf8'), 10)
    return pid > 1 && pid
  }, { what: `a pid in ${file}` })
}

/** Ends one process by its own pid and waits until it has gone. It takes its children with it. */
export async function stopByPid(pid: number, name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (!(pid > 1)) throw new Error(`${pid} is not the pid of ${name}`)
  try {
    process.kill(pid, signal)
  } catch {
    return // it has ended already
  }
  await eventually(() => hasEnded(pid), { what: `the end of ${name}` })
}
