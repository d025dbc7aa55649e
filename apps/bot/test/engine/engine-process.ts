// The engine in a process of its own, which kills itself at one crash point. Argument: a job as JSON.
// Says the outcome as the last line of standard output; the points passed go to the file `points`.
import { appendFileSync } from 'node:fs'
import type { DeployRequest } from '../../src/engine/index.ts'
import type { UndoRequest } from '../../src/engine/types.ts'
import { testEngine } from './engine-kit.ts'

export interface Job {
  folder: string
  /** null: only recover. */
  request: DeployRequest | null
  /** Taken back, in place of a deployment. */
  undo?: UndoRequest
  /** Which point to die at, from 0, or its name; null: none. */
  killAt: number | string | null
  points: string
}

const job = JSON.parse(process.argv[2] ?? '') as Job
let passed = 0
const engine = testEngine(job.folder, {
  crashPoint: (name) => {
    appendFileSync(job.points, `${name}\n`)
    if (passed++ === job.killAt || name === job.killAt) process.kill(process.pid, 'SIGKILL')
  },
})
const recovery = await engine.recover()
const result = job.undo ? await engine.undo(job.undo) : job.request === null ? null : await engine.deploy(job.request)
console.log(JSON.stringify({ recovery, result }))
