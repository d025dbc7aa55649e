/** Runs what has the same name one after the other, in the order asked for; different names side by side. */
export interface Turns { take<T>(name: string, run: () => Promise<T>): Promise<T> }

export function createTurns(): Turns {
  const last = new Map<string, Promise<unknown>>()
  return {
    take(name, run) {
      // A failure is told to who asked for that run; the next in line goes on regardless.
      const mine = (last.get(name) ?? Promise.resolve()).then(run, run)
      last.set(name, mine)
      const leave = () => { if (last.get(name) === mine) last.delete(name) }
      mine.then(leave, leave)
      return mine
    },
  }
}
