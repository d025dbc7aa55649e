import assert from 'node:assert/strict'
import { CertloopError, type ErrorCode } from '@certloop/contract'
import fc from 'fast-check'

/** Seeds with which every parser is fuzzed on every run; one that ever found something is added and stays. */
const keptSeeds = [20_261_121, 47]
const slowestMs = 5_000

type Mutation = { kind: 'flip' | 'cut' | 'grow' | 'repeat' | 'length'; at: number; value: number }
const mutation: fc.Arbitrary<Mutation> = fc.record({ kind: fc.constantFrom('flip', 'cut', 'grow', 'repeat', 'length'), at: fc.nat(), value: fc.nat(0xffff) })

function mutated(bytes: Buffer, { kind, at, value }: Mutation): Buffer {
  const place = bytes.length === 0 ? 0 : at % bytes.length
  const copy = Buffer.from(bytes)
  switch (kind) {
    case 'flip': copy[place] = value & 0xff; return copy
    case 'length': copy[place] = 0x80 | (value & 7); return copy
    case 'cut': return Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + (value % 64) + 1)])
    case 'grow': return Buffer.concat([bytes.subarray(0, place), Buffer.alloc((value % 300) + 1, value & 0xff), bytes.subarray(place)])
    case 'repeat': return Buffer.concat([bytes, bytes.subarray(place)])
  }
}

export interface FuzzOptions {
  /** Real files of the format, several and different. */
  corpus: readonly Uint8Array[]
  /** Reads one input; its answer is not looked at. */
  parse: (input: Buffer) => unknown
  /** What it may throw as CertloopError; anything else is a finding. */
  codes: readonly ErrorCode[]
  /** Bound for the whole, per seed. */
  milliseconds?: number
}

/**
 * Throws mutated real files and pure noise at a parser. Every seed stops at its time limit; a failure prints its seed
 * and path. Each call has to end within five seconds.
 */
export async function fuzzParser({ corpus, parse, codes, milliseconds = 1_500 }: FuzzOptions): Promise<void> {
  const real = fc.tuple(fc.constantFrom(...corpus), fc.array(mutation, { minLength: 1, maxLength: 6 }))
    .map(([bytes, mutations]) => mutations.reduce(mutated, Buffer.from(bytes)))
  const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
  const property = fc.asyncProperty(fc.oneof({ arbitrary: real, weight: 9 }, { arbitrary: noise, weight: 1 }), async (input) => {
    const begin = performance.now()
    try {
      await parse(input)
    } catch (error) {
      assert.ok(error instanceof CertloopError, `an error of another kind: ${String(error)}`)
      assert.ok(codes.includes(error.code), `the code ${error.code} was not expected: ${error.message}`)
    }
    assert.ok(performance.now() - begin < slowestMs, 'it took too long')
  })
  for (const seed of keptSeeds) await fc.assert(property, { seed, numRuns: 100_000, interruptAfterTimeLimit: milliseconds, markInterruptAsFailure: false, endOnFailure: true })
}
