import { median } from '../statistics.ts'

/** One thing measured, beside a peer that was measured in turn with it, or beside a bare limit. */
export interface Line {
  name: string
  /** Of `measured` and of the peer: "µs", "per second", "MB". */
  unit: string
  measured: number
  peer: { name: string; value: number } | null
  /** measured / peer, or measured / limit when there is no peer. */
  ratio: number
  /** What is asked of the ratio: "at most 2", "at least 0.25". */
  aim: string
  pass: boolean
  /** One sentence, where a figure needs one. */
  note?: string
}

interface Compared { name: string; unit: string; measured: number; peer: { name: string; value: number }; note?: string }

/** For times and sizes: the measured may be at most `factor` times the peer. */
export function atMost(factor: number, compared: Compared): Line {
  const ratio = compared.measured / compared.peer.value
  return { ...compared, ratio, aim: `at most ${factor}`, pass: ratio <= factor }
}

/** For rates: the measured has to reach `factor` times the peer. */
export function atLeast(factor: number, compared: Compared): Line {
  const ratio = compared.measured / compared.peer.value
  return { ...compared, ratio, aim: `at least ${factor}`, pass: ratio >= factor }
}

/** For what has a limit and no peer, in the unit of `measured`. */
export function within(limit: number, measured: Omit<Compared, 'peer'>): Line {
  const ratio = measured.measured / limit
  return { ...measured, peer: null, ratio, aim: `at most ${limit} ${measured.unit}`, pass: ratio <= 1 }
}

type Work = (i: number) => unknown

async function timeOf(work: Work, times: number): Promise<number> {
  const begin = performance.now()
  for (let i = 0; i < times; i++) {
    const answer = work(i)
    if (answer instanceof Promise) await answer
  }
  return (performance.now() - begin) / times
}

/**
 * Runs several works in turn, so that a change in the machine's speed meets all of them alike: a round of each, again
 * and again; the first rounds warm up and are dropped.
 * @returns median of the time of one call in each round, in µs
 */
export async function sideBySide<Name extends string>(works: Record<Name, Work>, { rounds, times }: { rounds: number; times: number }): Promise<Record<Name, number>> {
  const names = Object.keys(works) as Name[]
  const all = new Map(names.map((name) => [name, [] as number[]]))
  const warmUps = Math.max(2, Math.ceil(rounds / 4))
  for (let round = 0; round < rounds + warmUps; round++) {
    for (const name of names) {
      const ms = await timeOf(works[name], times)
      if (round >= warmUps) all.get(name)?.push(ms * 1000)
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(all.get(name) ?? [])])) as Record<Name, number>
}
