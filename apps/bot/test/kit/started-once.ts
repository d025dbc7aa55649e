import type { ConformanceOptions, ConformanceSubject } from '@certloop/plugin-kit/conformance'
import { after, type TestContext } from 'node:test'
import { local } from './reach.ts'

// At the end of the file: inside of a test these would be called at the end of that test.
const endings: (() => unknown)[] = []
after(async () => { for (const end of endings.toReversed()) await end() })

/** A subject, and where its port answers on 127.0.0.1. */
export interface Started { subject: ConformanceSubject; port: number; serverName: string }

/**
 * One server for all ways to its host, for those that take seconds to start. What was served last on one way is what
 * the next one finds, so a handshake tells which pair is the first.
 */
export function startedOnce(start: (t: Pick<TestContext, 'after'>) => Promise<Started>): ConformanceOptions['makeSubject'] {
  let started: Promise<Started> | undefined
  return async () => {
    const { subject, port, serverName } = await (started ??= start({ after: (end: () => unknown) => { endings.push(end) } }))
    const { fingerprint } = await local.probe({ address: '127.0.0.1', port, serverName, keyType: null })
    const [first, second] = subject.pairs
    return { ...subject, pairs: second.fingerprint === fingerprint ? [second, first] : [first, second] }
  }
}
