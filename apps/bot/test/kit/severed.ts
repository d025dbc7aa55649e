import type { Host, Prober } from '@certloop/plugin-kit'
import { type ConformanceEngine, overlaid } from '@certloop/plugin-kit/conformance'

/** A host that keeps what it was asked to run. */
export function recordingHost(host: Host, ran: ConformanceEngine['heard']['ran']): Host {
  return overlaid(host, {
    run: (argv, options) => {
      ran.push({ argv: [...argv], environment: { ...options?.environment } })
      return host.run(argv, options)
    },
  })
}

export interface Severable {
  host: Host
  probe: Prober
  /** From here on nothing is answered any more, and what is under way stays unanswered. */
  cut(): void
  isCut(): boolean
  /** Once it is cut. */
  end: Promise<undefined>
}

/**
 * Calls that are never answered. They are kept: an engine that waits for one has its journal open, and a file handle
 * that is collected unclosed ends the process.
 */
const unanswered: Promise<never>[] = []
function never(): Promise<never> {
  const waiting = new Promise<never>(() => {})
  unanswered.push(waiting)
  return waiting
}

/** Host and prober for an engine that is to be cut off as a kill does it, without a process of its own. */
export function severable(host: Host, probe: Prober): Severable {
  let isCut = false
  const { promise: end, resolve } = Promise.withResolvers<undefined>()
  const answered = async <T>(work: () => Promise<T>): Promise<T> => {
    if (isCut) return never()
    try {
      const value = await work()
      return isCut ? await never() : value
    } catch (error) {
      if (isCut) return never()
      throw error
    }
  }
  return {
    end,
    isCut: () => isCut,
    cut() {
      isCut = true
      resolve(undefined)
    },
    probe: (endpoint) => answered(() => probe(endpoint)),
    host: new Proxy(host, {
      get(whole, name) {
        const value: unknown = Reflect.get(whole, name)
        if (typeof value !== 'function') return value
        return (...given: unknown[]) => answered(async () => Reflect.apply(value, whole, given) as unknown)
      },
    }),
  }
}
