import { setTimeout as pause } from 'node:timers/promises'
import { CertloopError, toCertloopError } from '@certloop/contract'
import type { Limits } from '../hosts/limits.ts'
import { errorFacts, type Logger } from '../log.ts'
import { createTurns } from '../work/turns.ts'
import type { HolderOf } from './alpn-listener.ts'
import { createAlpnResponder } from './alpn-responder.ts'
import { createPlacing, type Placing } from './placing.ts'
import { openProofList, type KeptProof, type ProofList } from './proof-list.ts'

export interface ProofDeps {
  /** Where the list of what is placed is kept. */
  listPath: string
  limits: Limits
  holderOf: HolderOf
  now: () => Date
  logger: Logger
  /** Whoever asks is answered within this time, whatever hangs; default a minute. */
  patienceMs?: number
  /** Called after each change on disk; tests end the process there. */
  crashPoint?: (name: string) => void
}

/** What proves names to an authority: files below the root of a site, and answers to TLS handshakes. */
export interface Proofs extends Pick<Placing, 'place' | 'remove'> {
  /** Takes up what an earlier process placed: answers handshakes again, removes what has expired. Never throws. */
  resume(): Promise<void>
  /** Answers no more. What is placed stays noted for the next process. */
  close(): Promise<void>
}

/** What could not be removed or answered is tried again after so long. The clock can be set: no wait is longer. */
const retryMs = 60_000
const shortestMs = 50

/**
 * Everything goes one at a time, and beside deployments: none of it takes long. resume() comes first.
 */
export function createProofs(deps: ProofDeps): Proofs {
  const { now, logger, patienceMs = 60_000, crashPoint = () => undefined } = deps
  const turns = createTurns()
  const responder = createAlpnResponder(deps)
  let opening: Promise<Placing & { list: ProofList }> | undefined
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  async function open(): Promise<Placing & { list: ProofList }> {
    const list = await openProofList(deps.listPath, (aside) => logger.error('The list of placed proofs could not be read. What it named stays where it is; look for it by hand.', { file: aside }))
    return { list, ...createPlacing({ ...deps, list, responder, crashPoint }) }
  }

  /** One thing at a time, and the look after everything when it is due. */
  function inTurn<T>(work: (placing: Placing & { list: ProofList }) => Promise<T>): Promise<T> {
    return turns.take('proofs', async () => {
      const placing = await (opening ??= open())
      try {
        return await work(placing)
      } finally {
        schedule(placing.list.proofs)
      }
    })
  }

  function schedule(proofs: readonly KeptProof[]): void {
    clearTimeout(timer)
    if (isClosed || proofs.length === 0) return
    const ends = proofs.map(({ asked }) => Date.parse(asked.expires) - now().getTime()).filter((ms) => ms > 0)
    timer = setTimeout(() => { void sweep() }, Math.max(shortestMs, Math.min(retryMs, ...ends))).unref()
  }

  const troubles = createTroubles(logger)
  const sweep = () => inTurn(async ({ list, takeAway, isOver }) => {
    for (const kept of list.proofs) {
      await troubles.telling(kept, async () => {
        const { asked: { validationId, proof } } = kept
        if (isOver(kept)) logger.warn('The bot removed a proof of a name by itself, since its time is over.', { validation: validationId, left: await takeAway(kept) })
        else if (proof.kind === 'tls-alpn' && !responder.isOpen(validationId)) await responder.open(validationId, proof)
      })
    }
  }).catch((error: unknown) => logger.error('Proofs of names that were placed could not be looked after.', errorFacts(toCertloopError(error))))

  return {
    place: (asked) => within(patienceMs, inTurn((placing) => placing.place(asked))),
    remove: (asked) => within(patienceMs, inTurn((placing) => placing.remove(asked))),
    resume: sweep,
    async close() {
      isClosed = true
      clearTimeout(timer)
      await turns.take('proofs', () => responder.closeAll())
    },
  }
}

/** A file system that does not answer must not take the places of other work. What hangs goes on when it can, and is in the list. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const giveUp = new AbortController()
  const late = pause(ms, undefined, { signal: giveUp.signal }).then(() => {
    throw new CertloopError('FILE_UNWRITABLE', `Nothing came of it within ${ms / 1000} seconds: a file system of this host does not answer, perhaps one that lies on another machine.`)
  })
  late.catch(() => undefined) // aborted: the work was in time
  try {
    return await Promise.race([work, late])
  } finally {
    giveUp.abort()
  }
}

/** What fails holds up nothing else and is told once, until it fails otherwise. */
function createTroubles(logger: Logger) {
  const told = new Map<string, string>()
  return {
    async telling({ asked: { validationId } }: KeptProof, work: () => Promise<void>): Promise<void> {
      try {
        await work()
        told.delete(validationId)
      } catch (thrown) {
        const error = toCertloopError(thrown)
        if (told.get(validationId) !== error.message) logger.error('A proof of a name could not be kept as it should be; it is tried again.', { validation: validationId, ...errorFacts(error) })
        told.set(validationId, error.message)
      }
    },
  }
}
