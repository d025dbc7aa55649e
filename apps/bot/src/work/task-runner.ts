import { setTimeout as pause } from 'node:timers/promises'
import { CertloopError, toCertloopError, type BotTask, type BotTaskKind, type DeployLogEntry, type ResultRequest, type TaskId } from '@certloop/contract'
import type { ControlPlane } from '../connection/client.ts'
import { mayPass, retrying, type Backoff } from '../connection/retry.ts'
import { DeploymentUnfinished } from '../engine/index.ts'
import { errorFacts, type Logger } from '../log.ts'
import { createBell, type Bell } from './bell.ts'
import type { Job } from './handlers.ts'
import { keepLease, type Lease } from './lease.ts'
import { createPlaces } from './places.ts'
import { untilOver } from './until-over.ts'

/** What this process knows of a task it works on. A newer lease of the same task replaces fence and time. */
export interface RunningTask {
  readonly id: TaskId
  fence: number
  leaseUntil: Date
  /** The control plane gave it to another, or ended it; a newer lease can still come. */
  lost: boolean
  /** Aborts when a person asked to stop. */
  readonly cancelling: AbortController
  /** Whoever wants to stop it is heard within this time. */
  beatMs: number
  /** Work that comes in turn, and is not begun. */
  waiting: boolean
  /** Lines not sent yet. */
  readonly log: DeployLogEntry[]
  /** Rings when any of this changed. */
  readonly bell: Bell
}

export interface RunnerDeps {
  controlPlane: Pick<ControlPlane, 'progress' | 'result' | 'now'>
  jobFor: (task: BotTask) => Job
  logger: Logger
  random: () => number
  backoff: Backoff
  /** Most tasks worked on at once, one place kept for quick ones. */
  limit: number
  /** After this long the control plane is told that a deployment is unfinished: somebody has to decide about a host that is gone. Default: a day. */
  unfinishedMs?: number
  /** Ends the taking of work: what still waits for a place is not begun. */
  takingSignal: AbortSignal
  /** Ends the delivery of results, not the work. */
  deliverySignal: AbortSignal
}

export interface TaskRunner {
  /** Takes a leased task on; one that runs already goes on under its newer lease. Never throws. */
  start(task: BotTask): void
  /** Tells the control plane that a task can't be done. */
  refuse(task: { id: TaskId; fence: number }, error: CertloopError): void
  /** How many more can be taken on now. */
  free(): number
  /** Until one more can be taken on or the signal aborts. */
  room(signal: AbortSignal): Promise<void>
  /** Until everything taken on has ended. */
  idle(): Promise<void>
}

type Outcome = ResultRequest['result']

/** A key, a scan or a proof of a name must not wait behind deployments that are stuck. */
const quickKinds: readonly BotTaskKind[] = ['make-csr', 'scan-host', 'place-proof', 'remove-proof']
/** Those that somebody may want to stop while they run. */
const stoppableKinds: readonly BotTaskKind[] = ['deploy', 'undo-deployment']
/** A person who waits for a stop is told of it within seconds. */
const stoppableBeatMs = 4_000
/** A control plane that does not answer holds up nothing for longer than this. */
const beginMs = 2_000

/** The control plane hears that it begins, and says whether that is still wanted. */
async function beginHeard(state: RunningTask, lease: Lease): Promise<void> {
  state.waiting = false
  await Promise.race([lease.beat(), pause(beginMs, undefined, { ref: false })])
  state.bell.ring()
  if (state.lost) throw new CertloopError('LEASE_LOST', 'The task is no longer this bot\'s and is not begun.')
}

/**
 * Tasks that are leased and wait for a place. Leasing asks for no kinds, so slow ones have to be taken on to get at the
 * quick ones behind them; each costs a renewal now and then.
 */
export const mostWaiting = 60

export function createTaskRunner(deps: RunnerDeps): TaskRunner {
  const { jobFor, logger, limit, takingSignal } = deps
  const most = limit + mostWaiting
  const places = createPlaces(limit, takingSignal)
  const running = new Map<TaskId, RunningTask>()
  const ended = createBell()

  function track(id: TaskId, fence: number, leaseUntil: Date, act: (state: RunningTask) => Promise<void>): void {
    const state: RunningTask = { id, fence, leaseUntil, lost: false, cancelling: new AbortController(), beatMs: Number.POSITIVE_INFINITY, waiting: false, log: [], bell: createBell() }
    running.set(id, state)
    act(state)
      .catch((error: unknown) => logger.error('A task ended without its result being told or noted as told.', { task: id, ...errorFacts(toCertloopError(error)) }))
      .finally(() => { running.delete(id); ended.ring() })
  }

  async function work(task: BotTask, state: RunningTask): Promise<void> {
    state.waiting = stoppableKinds.includes(task.kind)
    if (state.waiting) state.beatMs = stoppableBeatMs
    const lease = keepLease(state, deps)
    let job: Job | undefined
    let outcome: Outcome | undefined
    try {
      outcome = await untilOver(() => inPlace(task, state, lease, () => (job ??= jobFor(task))), deps, (error, attempt, waitMs) => {
        logger.warn('A deployment is not finished, since its host can not be reached; it is taken up again.', { task: task.id, attempt, waitMs: Math.round(waitMs), ...errorFacts(error) })
      })
    } catch (thrown) {
      const error = toCertloopError(thrown)
      logger.warn('A task failed.', { task: task.id, kind: task.kind, ...errorFacts(error) })
      outcome = { ok: false, error: error.toWire() }
    } finally {
      await lease.stop()
    }
    if (outcome !== undefined && await deliver(state, outcome, deps)) await job?.accepted()
  }

  /** Nothing comes of it when it is not this bot's to end, or not now. */
  async function inPlace(task: BotTask, state: RunningTask, lease: Lease, job: () => Job): Promise<Outcome | DeploymentUnfinished | undefined> {
    const leave = await places.take(quickKinds.includes(task.kind))
    try {
      if (leave === undefined || state.lost) return notBegun(task, leave)
      return { ok: true, data: await job().run((entry) => { state.log.push(entry); state.bell.ring() }, state.cancelling.signal, () => beginHeard(state, lease)) }
    } catch (thrown) {
      if (thrown instanceof DeploymentUnfinished) return thrown
      if (state.lost && toCertloopError(thrown).code === 'LEASE_LOST') return notBegun(task, () => {})
      throw thrown
    } finally {
      leave?.()
    }
  }

  function notBegun({ id, kind }: BotTask, place: (() => void) | undefined): undefined {
    logger.info(place === undefined ? 'A task that waited is not begun, since the bot stops.' : 'A task that waited is no longer this bot\'s and is not begun.', { task: id, kind })
  }

  return {
    start(task) {
      const present = running.get(task.id)
      if (present) return renew(present, task)
      logger.info('A task begins.', { task: task.id, kind: task.kind })
      track(task.id, task.fence, new Date(task.leaseUntil), (state) => work(task, state))
    },
    refuse({ id, fence }, error) {
      logger.error('A task can not be done by this bot.', { task: id, ...errorFacts(error) })
      if (!running.has(id)) track(id, fence, new Date(0), async (state) => { await deliver(state, { ok: false, error: error.toWire() }, deps) })
    },
    free: () => Math.max(0, most - running.size),
    async room(signal) {
      while (running.size >= most && !signal.aborted) await ended.wait(60_000, signal)
    },
    async idle() {
      while (running.size > 0) await ended.wait(60_000)
    },
  }
}

function renew(state: RunningTask, { fence, leaseUntil }: BotTask): void {
  state.fence = fence
  state.leaseUntil = new Date(leaseUntil)
  state.lost = false
  state.bell.ring()
}

const over = (error: CertloopError) => error.code === 'LEASE_LOST' || error.code === 'NOT_FOUND'
/** A refused signature or certificate says something about the connection, nothing about the result. */
const connectionTrouble = (error: CertloopError) => mayPass(error) || error.code === 'BOT_SIGNATURE_INVALID' || error.code === 'PIN_MISMATCH'

/**
 * Tells a result until the control plane takes it or says that the task is over.
 * @returns whether this very result was taken. @throws when delivery was ended before
 */
async function deliver(state: RunningTask, outcome: Outcome, deps: RunnerDeps): Promise<boolean> {
  const { controlPlane, logger, random, backoff, deliverySignal } = deps
  const tell = (result: Outcome) => retrying(() => controlPlane.result(state.id, { fence: state.fence, result }), {
    signal: deliverySignal, random, backoff, again: connectionTrouble,
    onFailure: (error, attempt, waitMs) => logger.warn('A result could not be delivered; trying again.', { task: state.id, attempt, waitMs: Math.round(waitMs), ...errorFacts(error) }),
  })
  try {
    await tell(outcome)
    logger.info('A task ended.', { task: state.id, ok: outcome.ok, ...(outcome.ok ? {} : { code: outcome.error.code }) })
    return true
  } catch (thrown) {
    deliverySignal.throwIfAborted()
    const error = toCertloopError(thrown)
    if (over(error)) {
      logger.warn('A task is no longer this bot\'s; its result was not taken.', { task: state.id })
      return false
    }
    if (!outcome.ok || error.code === 'BOT_REVOKED' || error.code === 'BOT_UNKNOWN') throw error
    // The control plane can't read the result: it gets the reason in its place rather than silence.
    logger.error('The control plane refused a result.', { task: state.id, ...errorFacts(error) })
    const wrapped = new CertloopError('ANSWER_INVALID', `The control plane refused the result of the bot: ${error.message}`)
    await deliver(state, { ok: false, error: wrapped.toWire() }, deps)
    return false
  }
}
