// Placed proofs in a process of its own, which kills itself at one crash point. Argument: a job as JSON. The points passed
// go to standard output, a line each.
import { writeSync } from 'node:fs'
import type { Asked } from '../../src/proofs/proof-list.ts'
import { createProofs } from '../../src/proofs/proofs.ts'
import { anything } from './proofs-kit.ts'

export interface Job {
  listPath: string
  now: string
  asked: Asked
  /** Removed again after it was placed. */
  remove: boolean
  /** Which point to die at, from 0; null: none. */
  killAt: number | null
}

const { listPath, now, asked, remove, killAt } = JSON.parse(process.argv[2] ?? '') as Job
let passed = 0
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
const proofs = createProofs({
  listPath, limits: anything, holderOf: () => Promise.resolve(undefined), now: () => new Date(now), logger: silent,
  crashPoint: (name) => {
    writeSync(1, `${name}\n`)
    if (passed++ === killAt) process.kill(process.pid, 'SIGKILL')
  },
})
await proofs.resume()
await proofs.place(asked)
if (remove) await proofs.remove(asked)
await proofs.close()
