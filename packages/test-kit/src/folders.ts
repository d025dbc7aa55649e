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
