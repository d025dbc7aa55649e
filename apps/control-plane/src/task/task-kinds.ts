import type { CertloopError, TargetSecrets } from '@certloop/contract'
import type { Tx } from '../database/database.ts'
import type { Task } from './task-store.ts'

export type Wakes = (topic: string) => void
/** What a handler leaves to be done in the one transaction that also ends the task. */
export type Commit = (tx: Tx, wake: Wakes) => Promise<void>

/** Work of the control plane itself. */
export interface PlaneTaskKind {
  /**
   * Does what needs no transaction (calls outside) and returns the change to commit. Runs again after a crash: idempotent.
   * @param signal aborted when its lease was lost or the process stops: nothing it still does will be written
   */
  run(task: Task, signal: AbortSignal): Promise<Commit>
  /** The task ended without success: writes that to its subject. */
  failed(tx: Tx, wake: Wakes, task: Task, error: CertloopError): Promise<void>
}

/** Work of a bot: its result comes in by HTTP. */
export interface BotTaskHandler {
  completed(tx: Tx, wake: Wakes, task: Task, data: unknown): Promise<void>
  failed(tx: Tx, wake: Wakes, task: Task, error: CertloopError): Promise<void>
  /** Each progress report. `waiting`: the bot holds it and has not begun. `cancel`: the bot is to stop, and to take back what it did. */
  progress?(tx: Tx, wake: Wakes, task: Task, log: readonly unknown[], waiting: boolean): Promise<{ cancel: boolean }>
  /** The result of work that had been given up: evidence, which changes no state. It may come twice. */
  late?(tx: Tx, wake: Wakes, task: Task, data: unknown): Promise<void>
  /** What is sealed in the payload for the bot, where that has to be done again; undefined: it is not kept any more. */
  secretsOf?(tx: Tx, task: Task): Promise<TargetSecrets | undefined>
  /** The deadline passed although the bot had begun: true when the work may still be going on and must be waited for. */
  waitsWhenOverdue?(tx: Tx, wake: Wakes, task: Task): Promise<boolean>
}
