import { type ChildProcess, spawn } from 'node:child_process'
import { type Account, CertloopError, toCertloopError } from '@certloop/contract'
import type { RunOptions, RunResult } from '@certloop/plugin-kit'
import { programFolders } from './limits.ts'

export const defaultTimeoutSeconds = 60
export const defaultOutputLimit = 1024 * 1024
/** From SIGTERM to SIGKILL. */
const graceMs = 2000
/** How long a pipe may stay open after the program has ended: a daemon it left behind may hold it for ever. */
const pipeGraceMs = 500

/**
 * Starts a program by its absolute path, without shell and terminal, in a process group of its own.
 * Messages come in English (locale C), and nothing of the bot's own environment is passed on.
 * @throws CertloopError COMMAND_TIMEOUT, COMMAND_FAILED when it can't be started
 */
export async function runProgram(program: string, argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  options.signal?.throwIfAborted()
  const started = performance.now()
  const timeoutSeconds = options.timeoutSeconds ?? defaultTimeoutSeconds
  const account = accountFor(program, options.runAs)
  const child = spawn(program, argv.slice(1), {
    argv0: argv[0] ?? program,
    cwd: '/',
    detached: true,
    ...account,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: programFolders.join(':'), LC_ALL: 'C', LANG: 'C', ...options.environment },
  })
  const limit = options.outputLimitBytes ?? defaultOutputLimit
  const stdout = capture(child.stdout, limit)
  const stderr = capture(child.stderr, limit)
  const deadline = killAtDeadline(child, timeoutSeconds, options.signal)
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      deadline.cancel()
      reject(new CertloopError('COMMAND_FAILED', `${program} can not be started: ${error.message}.`, { program }, error))
    })
    afterEnd(child, (code, signal) => {
      deadline.cancel()
      const output = { stdout: stdout.text(), stderr: stderr.text() }
      if (deadline.passed() && options.signal?.aborted) return reject(toCertloopError(options.signal.reason))
      if (deadline.passed()) return reject(timeoutError(program, timeoutSeconds, output))
      resolve({ exitCode: code ?? 128 + (signal === null ? 0 : signalNumber(signal)), ...output, truncated: stdout.truncated() || stderr.truncated(), durationMs: performance.now() - started })
    })
  })
}

/**
 * A program or configuration that belongs to another account runs with the rights of that account, never with more.
 * Node clears the further groups as well.
 */
function accountFor(program: string, runAs: Account | undefined): Partial<Account> {
  const own = process.getuid?.()
  if (runAs === undefined || runAs.uid === 0 || runAs.uid === own) return {}
  if (own === 0) return runAs
  throw new CertloopError('COMMAND_NOT_ALLOWED', `The bot may not run ${program}: it belongs to a service of user ${runAs.uid}, and the bot runs as user ${own ?? '?'} and can not change to that one.`, { program })
}

/** Calls back once the program has ended and its output is read, or its pipes are given up. */
function afterEnd(child: ChildProcess, done: (code: number | null, signal: NodeJS.Signals | null) => void): void {
  let finished = false
  const finish = (code: number | null, signal: NodeJS.Signals | null) => {
    if (finished) return
    finished = true
    child.stdout?.destroy()
    child.stderr?.destroy()
    done(code, signal)
  }
  child.once('exit', (code, signal) => {
    const timer = setTimeout(() => finish(code, signal), pipeGraceMs)
    child.once('close', () => {
      clearTimeout(timer)
      finish(code, signal)
    })
  })
}

/** SIGTERM for the whole group at the deadline or when it is cancelled, SIGKILL shortly after. */
function killAtDeadline(child: ChildProcess, seconds: number, signal?: AbortSignal): { cancel(): void; passed(): boolean } {
  let passed = false
  let second: NodeJS.Timeout | undefined
  const end = () => {
    if (passed) return
    passed = true
    killGroup(child, 'SIGTERM')
    second = setTimeout(() => killGroup(child, 'SIGKILL'), graceMs)
  }
  const first = setTimeout(end, seconds * 1000)
  signal?.addEventListener('abort', end, { once: true })
  return {
    cancel() {
      signal?.removeEventListener('abort', end)
      clearTimeout(first)
      clearTimeout(second)
      // The program itself may have gone at SIGTERM while something it started did not.
      if (passed) killGroup(child, 'SIGKILL')
    },
    passed: () => passed,
  }
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch (error) {
    // ESRCH: the group has ended. EPERM: it runs as another user (sudo); the deadline is still reported.
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code !== 'ESRCH' && code !== 'EPERM') throw error
  }
}

function capture(stream: NodeJS.ReadableStream, limit: number): { text(): string; truncated(): boolean } {
  const chunks: Buffer[] = []
  let size = 0
  let truncated = false
  stream.on('data', (chunk: Buffer) => {
    const part = chunk.subarray(0, Math.max(0, limit - size))
    if (part.length < chunk.length) truncated = true
    if (part.length > 0) chunks.push(part)
    size += part.length
  })
  return { text: () => Buffer.concat(chunks).toString('utf8'), truncated: () => truncated }
}

export function timeoutError(program: string, seconds: number, { stdout, stderr }: { stdout: string; stderr: string }): CertloopError {
  const said = (stderr.trim() || stdout.trim()).slice(-500)
  return new CertloopError('COMMAND_TIMEOUT', `${program} did not end within ${seconds} s and was stopped.${said === '' ? '' : ` It had said: ${said}`}`, { program, seconds })
}

const signalNumbers: Partial<Record<NodeJS.Signals, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGPIPE: 13, SIGTERM: 15 }
const signalNumber = (signal: NodeJS.Signals) => signalNumbers[signal] ?? 0
