import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

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
