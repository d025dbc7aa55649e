import type { KeyObject } from 'node:crypto'
import {
  botPaths, HelloResponse, LeasedTasks, ProgressResponse, signRequest, StopsResponse, toCertloopError,
  type BotId, type CertloopError, type DeploymentId, type HelloRequest, type LeaseRequest, type ProgressRequest, type ResultRequest, type TaskId,
} from '@certloop/contract'
import { expectAccepted, readAnswer } from './answer.ts'
import type { ServerClock } from './server-clock.ts'
import type { Answer, Transport } from './transport.ts'

export interface ClientDeps {
  transport: Transport
  clock: ServerClock
  botId: BotId
  key: KeyObject
  /** Called once with BOT_REVOKED or BOT_UNKNOWN: nothing this bot says will be heard again. */
  onDismissed: (error: CertloopError) => void
}

/** Each call is one try. All throw CertloopError: what the control plane said, or CONTROL_PLANE_UNREACHABLE, PIN_MISMATCH, ANSWER_INVALID. */
export interface ControlPlane {
  hello(request: HelloRequest, signal: AbortSignal): Promise<HelloResponse>
  /** Raw tasks: each is checked by itself, so that one that can't be read doesn't hold up the others. */
  lease(request: LeaseRequest, signal: AbortSignal): Promise<unknown[]>
  progress(taskId: TaskId, request: ProgressRequest): Promise<ProgressResponse>
  /** Which of these people asked to stop. Waits for an answer a few seconds only. */
  stops(deploymentIds: DeploymentId[]): Promise<StopsResponse>
  result(taskId: TaskId, request: ResultRequest): Promise<void>
  /** The control plane's time as far as known. */
  now(): Date
}

const callTimeoutMs = 30_000
/** A control plane that does not answer must not hold up the end of a deployment. */
const stopsTimeoutMs = 5_000

export function createControlPlane({ transport, clock, botId, key, onDismissed }: ClientDeps): ControlPlane {
  const send = async (path: string, message: object, options: { timeoutMs: number; signal?: AbortSignal }): Promise<Answer> => {
    const body = JSON.stringify(message)
    const once = () => transport.send({ method: 'POST', path, body, headers: { ...signRequest({ method: 'POST', path, body }, botId, key, clock.now()) }, ...options })
    const answer = await once()
    // A wrong clock is noticed only by the answer that refuses the signature: sign again with the time it brought.
    const clockMoved = clock.observe(answer.headers.date)
    return clockMoved && answer.status === 401 ? once() : answer
  }
  const call = async <T>(path: string, message: object, read: (answer: Answer) => T, options: { timeoutMs: number; signal?: AbortSignal } = { timeoutMs: callTimeoutMs }): Promise<T> => {
    try {
      return read(await send(path, message, options))
    } catch (thrown) {
      options.signal?.throwIfAborted()
      const error = toCertloopError(thrown)
      if (error.code === 'BOT_REVOKED' || error.code === 'BOT_UNKNOWN') onDismissed(error)
      throw error
    }
  }
  return {
    now: () => clock.now(),
    hello: (request, signal) => call(botPaths.hello, request, (answer) => readAnswer(HelloResponse, answer, 'The answer to hello'), { timeoutMs: callTimeoutMs, signal }),
    lease: (request, signal) => call(botPaths.lease, request, leasedTasks, { timeoutMs: callTimeoutMs + request.waitSeconds * 1000, signal }),
    progress: (taskId, request) => call(botPaths.progress(taskId), request, (answer) => readAnswer(ProgressResponse, answer, 'The answer to progress')),
    stops: (deploymentIds) => call(botPaths.stops, { deploymentIds }, (answer) => readAnswer(StopsResponse, answer, 'The answer to stops'), { timeoutMs: stopsTimeoutMs }),
    result: (taskId, request) => call(botPaths.result(taskId), request, expectAccepted),
  }
}

const leasedTasks = (answer: Answer): unknown[] => readAnswer(LeasedTasks, answer, 'The list of tasks').tasks
