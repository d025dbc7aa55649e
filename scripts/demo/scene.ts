import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProcess } from '../../packages/test-kit/src/index.ts'

/** The demo's temporary folder and everything it started. */
export interface Scene {
  readonly folder: string
  /** Called at the end, in the order given; the folder goes last. At once when the end has come already. */
  after(work: () => unknown): void
  /** Stops and removes everything; again: waits for the first call. */
  close(): Promise<void>
}

export async function openScene(): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'certloop-demo-'))
  const works: (() => unknown)[] = []
  let closing: Promise<void> | undefined
  const removeFolder = () => rm(folder, { recursive: true, force: true, maxRetries: 5 })
  const closeAll = async () => {
    // Those that join in the meantime are done too.
    for (let work = works.shift(); work; work = works.shift()) await work()
    await removeFolder()
  }
  return {
    folder,
    after(work) { works.push(work) },
    close: () => closing ??= closeAll(),
  }
}

const graceMs = 15_000

/** Asks a child to stop and gives it time; what then still runs is killed by whoever started it. */
export async function stopPolitely(child: TestProcess): Promise<void> {
  if (child.child.exitCode !== null || child.child.signalCode !== null) return
  child.kill('SIGTERM')
  let timer: NodeJS.Timeout | undefined
  await Promise.race([child.ended, new Promise((resolve) => { timer = setTimeout(resolve, graceMs) })])
  clearTimeout(timer)
}
