import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { eventually } from './wait.ts'

export interface ChildOptions {
  cwd?: string
  /** Added to our own environment; undefined takes a variable away. */
  env?: Record<string, string | undefined>
  uid?: number
  gid?: number
}

export interface Exit { code: number | null; signal: NodeJS.Signals | null }

/** A child process under test. Standard input is closed. */
export interface TestProcess {
  readonly child: ChildProcess
  readonly pid: number
  /** Everything said so far on standard output, standard error, or both in order of arrival. */
  stdout(): string
  stderr(): string
  output(): string
  /** Waits until both streams together match. @throws Error when it ended or the time is over; the message holds what it said */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>
  kill(signal?: NodeJS.Signals): void
  /** Settles when the process has ended and its streams are closed. */
  readonly ended: Promise<Exit>
}

/** Starts a program without a shell; it is killed by its own pid after the test if it still runs then. */
export async function startProcess(t: Pick<TestContext, 'after'>, argv: readonly [string, ...string[]], options: ChildOptions = {}): Promise<TestProcess> {
  const [program, ...args] = argv
  const { env, ...rest } = options
  const child = spawn(program, args, { ...rest, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const said: { from: 'stdout' | 'stderr'; text: string }[] = []
  for (const from of ['stdout', 'stderr'] as const) child[from].setEncoding('utf8').on('data', (text: string) => said.push({ from, text }))
  const ended = new Promise<Exit>((resolve) => child.once('close', (code, signal) => resolve({ code, signal })))
  await once(child, 'spawn') // rejects with the reason when it can't be started
  const text = (from?: string) => said.filter((part) => !from || part.from === from).map((part) => part.text).join('')
  const isRunning = () => child.exitCode === null && child.signalCode === null
  t.after(async () => {
    if (isRunning()) child.kill('SIGKILL')
    await ended
  })
  return {
    child,
    pid: child.pid ?? 0,
    stdout: () => text('stdout'),
    stderr: () => text('stderr'),
    output: () => text(),
    waitFor: (pattern, timeoutMs = 30_000) => waitForText(pattern, timeoutMs, text, isRunning, program),
    kill: (signal = 'SIGTERM') => { child.kill(signal) },
    ended,
  }
}

async function waitForText(pattern: RegExp, timeoutMs: number, text: () => string, isRunning: () => boolean, program: string): Promise<RegExpMatchArray> {
  let wasRunning = true
  const found = await eventually(() => {
    const match = text().match(pattern)
    if (match) return match
    // One more look after the end: its last words may arrive late.
    if (!wasRunning) return 'ended' as const
    wasRunning = isRunning()
    return false
  }, { timeoutMs, what: `"${pattern.source}" from ${program}` }).catch((error: Error) => { throw new Error(`${error.message}\nIt said:\n${text()}`, { cause: error }) })
  if (found === 'ended') throw new Error(`${program} ended before it said "${pattern.source}". It said:\n${text()}`)
  return found
}

/** Runs a program to its end. */
export async function runProcess(t: Pick<TestContext, 'after'>, argv: readonly [string, ...string[]], options: ChildOptions = {}): Promise<Exit & { stdout: string; stderr: string }> {
  const running = await startProcess(t, argv, options)
  const exit = await running.ended
  return { ...exit, stdout: running.stdout(), stderr: running.stderr() }
}
