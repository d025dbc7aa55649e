import { tempFolder } from '@certloop/test-kit'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** For `skip`: mounting needs root on Linux. In CI a test that can't mount fails rather than passes unseen. */
export const cannotMount: string | false = process.platform === 'linux' && (process.getuid?.() === 0 || process.env['CI']) ? false : 'mounting needs root on Linux'

const run = (program: string, ...args: string[]) => execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })

/** A file system in memory of so many KiB, gone after the test. */
export async function smallDisk(t: TestContext, kib: number): Promise<string> {
  const mounted: string[] = []
  // First in line, before the folder itself is removed. Lazily: something may still have a file open there.
  t.after(() => { for (const folder of mounted) run('umount', '-l', folder) })
  const folder = await tempFolder(t, 'disk')
  run('mount', '-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', folder)
  mounted.push(folder)
  return folder
}

export const makeReadOnly = (folder: string): void => { run('mount', '-o', 'remount,ro', folder) }
export const makeWritable = (folder: string): void => { run('mount', '-o', 'remount,rw', folder) }

/** Takes all space that is left, in one hidden file. */
export function fillDisk(folder: string): void {
  for (const size of [65_536, 4096, 512, 1]) {
    try {
      for (;;) writeFileSync(join(folder, 'filler'), Buffer.alloc(size), { flag: 'a' })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }
}
