import { BotTask, checkShape, isId, toCertloopError, type HelloRequest } from '@certloop/contract'
import type { ControlPlane } from '../connection/client.ts'
import { retrying, type Backoff } from '../connection/retry.ts'
import { errorFacts, type Logger } from '../log.ts'
import type { TaskRunner } from './task-runner.ts'

export interface WorkLoopDeps {
  controlPlane: Pick<ControlPlane, 'hello' | 'lease'>
  runner: TaskRunner
  hello: HelloRequest
  logger: Logger
  random: () => number
  backoff: Backoff
  /** Ends the taking of work: stop() or a dismissal. */
  signal: AbortSignal
  /** Told when the connection comes or goes. */
  onConnection: (connected: boolean, detail: string) => void
}

/** The control plane answers at the latest after this time. */
const waitSeconds = 25
/** LeaseRequest takes no more. */
const mostAtOnce = 20

/**
 * Says hello, then asks for tasks as long as the signal lets it, whatever the network does meanwhile.
 * @throws the reason of the signal, nothing else
 */
export async function workLoop({ controlPlane, runner, hello, logger, random, backoff, signal, onConnection }: WorkLoopDeps): Promise<never> {
  let connected = false
  const persistently = async <T>(call: () => Promise<T>): Promise<T> => {
    const answer = await retrying(call, {
      signal, random, backoff, again: () => true,
      onFailure: (error, attempt, waitMs) => {
        connected = false
        onConnection(false, error.message)
        logger.warn('No work can be asked for; trying again.', { attempt, waitMs: Math.round(waitMs), ...errorFacts(error) })
      },
    })
    if (!connected) onConnection(true, '')
    connected = true
    return answer
  }

  const { name } = await persistently(() => controlPlane.hello(hello, signal))
  logger.info('Connected to the control plane.', { name, boot: hello.bootId })
  for (;;) {
    await runner.room(signal)
    signal.throwIfAborted()
    const tasks = await persistently(() => controlPlane.lease({ bootId: hello.bootId, waitSeconds, max: Math.min(mostAtOnce, Math.max(1, runner.free())) }, signal))
    signal.throwIfAborted()
    for (const task of tasks) take(task, runner, logger)
  }
}

/** Starts a task, or says that it can't be read: an older bot under a newer control plane. */
function take(raw: unknown, runner: TaskRunner, logger: Logger): void {
  try {
    runner.start(checkShape(BotTask, raw, { what: 'The task', unknownFields: 'drop' }))
  } catch (thrown) {
    const error = toCertloopError(thrown)
    const { id, fence } = (raw ?? {}) as { id?: unknown; fence?: unknown }
    if (typeof id === 'string' && isId('tsk', id) && Number.isInteger(fence)) runner.refuse({ id, fence: fence as number }, error)
    else logger.error('The control plane sent a task that can not be read.', errorFacts(error))
  }
}
