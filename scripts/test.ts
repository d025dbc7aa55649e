// npm test [-- part-of-a-path …]: every check and every test, or only the tests whose path holds one of the parts.
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { startPostgres, type Postgres } from '../packages/test-kit/src/postgres.ts'
import { findTool } from '../packages/test-kit/src/tools.ts'
import { buildPages } from './pages.ts'
import { testFiles } from './test/files.ts'
import { describeMissing, installSystemPackages } from './test/system-packages.ts'
import { say } from './test/words.ts'

const root = join(import.meta.dirname, '..')
const isCi = Boolean(process.env['CI'])
/** A test file that takes longer hangs. */
const fileTimeoutMs = 30 * 60_000

let postgres: Postgres | undefined
let running: ChildProcess | undefined
let signal: NodeJS.Signals | undefined

/** Passes a signal on to what runs now; the ways out below then stop the database. */
function stopOn(name: NodeJS.Signals): void {
  signal ??= name
  running?.kill(name)
}
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stopOn)
process.on('exit', () => postgres?.kill())

/** Runs a script under this Node with our streams. @returns its exit code; 1 when a signal ended it */
async function run(args: readonly string[], env: Record<string, string> = {}): Promise<number> {
  if (signal) return 1
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } })
  running = child
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => { running = undefined; resolve(code ?? 1) })
  })
}

/** @returns whether the tests can go on */
async function prepareSystem(): Promise<boolean> {
  const missing = await installSystemPackages()
  for (const tool of missing) say(describeMissing(tool))
  if (missing.length > 0 && isCi) say('in CI a missing program is a failure; install the packages above')
  return missing.length === 0 || !isCi
}

async function runTests(files: readonly string[]): Promise<number> {
  const env: Record<string, string> = {}
  if (findTool('postgres')) {
    postgres = await startPostgres()
    env['CERTLOOP_TEST_POSTGRES'] = postgres.url
  }
  try {
    return await run(['--test', '--test-concurrency=2', `--test-timeout=${fileTimeoutMs}`, '--test-reporter=spec', ...files], env)
  } finally {
    await postgres?.stop()
    postgres = undefined
  }
}

async function main(filters: readonly string[]): Promise<number> {
  const files = testFiles(root, filters)
  if (files.length === 0) {
    say(`no test file has ${filters.join(' or ')} in its path`)
    return 1
  }
  if (!(await prepareSystem())) return 1
  const checks = filters.length > 0 ? 0 : await run([join(root, 'scripts/check.ts')])
  await buildPages()
  const tests = await runTests(files)
  if (checks !== 0) say('the checks before the tests failed; npm run check shows them again')
  return checks || tests
}

const code = await main(process.argv.slice(2)).catch((error: unknown) => {
  say(error instanceof Error ? error.stack ?? error.message : String(error))
  return 1
})
if (signal) {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
} else {
  process.exitCode = code
}
