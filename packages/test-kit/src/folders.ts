import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** A new empty folder below the system's temporary folder (mode 0700), removed with all in it after the test. */
export async function tempFolder(t: Pick<TestContext, 'after'>, name = 'test'): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `certloop-${name}-`))
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }))
  return folder
}

/** The same in a place that nobody but root can write to on any level, and that does not outlive the machine. Needs root. */
export async function rootFolder(t: Pick<TestContext, 'after'>, name = 'test'): Promise<string> {
  const folder = await mkdtemp(`/run/certloop-${name}-`)
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}
