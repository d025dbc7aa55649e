export interface Places {
  /** Waits for a place, in order of asking. @returns what gives it free again; undefined when it was closed before there was one */
  take(quick: boolean): Promise<(() => void) | undefined>
}

interface Waiting { quick: boolean; begin: (release: (() => void) | undefined) => void }

/**
 * Places to work at. One of them is for quick work alone: work that is slow, or hangs, never holds up the quick.
 * @param total how many; with one alone nothing is kept free
 * @param closing ends the waiting; what has a place keeps it
 */
export function createPlaces(total: number, closing: AbortSignal): Places {
  const forSlow = Math.max(1, total - 1)
  const line: Waiting[] = []
  let [taken, takenBySlow] = [0, 0]

  const fits = ({ quick }: Waiting) => taken < total && (quick || takenBySlow < forSlow)
  function admit(): void {
    for (let at = line.findIndex(fits); at >= 0; at = line.findIndex(fits)) {
      for (const { quick, begin } of line.splice(at, 1)) {
        taken++
        if (!quick) takenBySlow++
        begin(() => { leave(quick) })
      }
    }
  }
  function leave(quick: boolean): void {
    taken--
    if (!quick) takenBySlow--
    admit()
  }
  closing.addEventListener('abort', () => { for (const { begin } of line.splice(0)) begin(undefined) }, { once: true })

  return {
    take: (quick) => new Promise((resolve) => {
      if (closing.aborted) return resolve(undefined)
      line.push({ quick, begin: resolve })
      admit()
    }),
  }
}
