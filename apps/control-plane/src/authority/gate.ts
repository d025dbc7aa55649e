/** Lets so many through at a time; the others wait in their order. */
export interface Gate { width: number; pass<T>(work: () => Promise<T>): Promise<T> }

export function createGate(): Gate {
  const waiting: (() => void)[] = []
  let inside = 0
  const gate: Gate = {
    width: 1,
    async pass(work) {
      if (inside >= gate.width) await new Promise<void>((resolve) => { waiting.push(resolve) })
      else inside++
      try {
        return await work()
      } finally {
        // Whoever comes next takes the place over, unless there are fewer places now.
        const next = inside <= gate.width ? waiting.shift() : undefined
        if (next) next()
        else inside--
      }
    },
  }
  return gate
}
