import type { Endpoint, ServedCertificate } from '@certloop/contract'
import type { Prober } from './driver.ts'

/** Results in order, with no more than `limit` calls under way at a time. The first error ends it; what runs then still ends by itself. */
export async function inParallel<T, R>(items: readonly T[], limit: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const waiting = items.entries()
  const worker = async () => {
    for (const [index, item] of waiting) results[index] = await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
  return results
}

/** Handshakes under way at a time: a server that is looked at has other visitors too. */
const probesAtOnce = 16

/** What is served on each of the endpoints, in order. */
export const probeAll = (probe: Prober, endpoints: readonly Endpoint[]): Promise<ServedCertificate[]> => inParallel(endpoints, probesAtOnce, probe)
