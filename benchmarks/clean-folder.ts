import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cleanup } from './loop.ts'

/** Runs work in a folder of its own, with everything stopped and removed afterwards, also at a signal. @throws Error when it takes longer than it may */
export async function inCleanFolder<R>(work: (cleanup: Cleanup, folder: string) => Promise<R>, mostMs?: number): Promise<R> {
  const works: (() => unknown)[] = []
  const cleanUp = async () => {
    for (let one = works.shift(); one; one = works.shift()) await one()
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const stop = () => { void cleanUp().finally(() => process.exit(1)) }
  for (const signal of signals) process.on(signal, stop)
  // After that, and in one go with it: no signal finds a folder that nobody removes.
  const folder = mkdtempSync(join(tmpdir(), 'certloop-bench-'))
  let timer: NodeJS.Timeout | undefined
  const tooLong = new Promise<never>((_, reject) => {
    if (mostMs !== undefined) timer = setTimeout(() => reject(new Error(`it did not end within ${mostMs / 1000} s`)), mostMs)
  })
  try {
    return await Promise.race([work({ after: (one) => { works.push(one) } }, folder), tooLong])
  } finally {
    clearTimeout(timer)
    await cleanUp()
    for (const signal of signals) process.off(signal, stop)
  }
}
