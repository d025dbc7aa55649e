// What the small TLS server is operated with, as commands of a plan.
// refuse: never passes as a test.
// reload-second COUNT PIDFILE: only from the second call on. append COUNT: counts calls and does nothing.
// stop PIDFILE. start PIDFILE CERT KEY PORT.
import { spawn } from 'node:child_process'
import { appendFileSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [command, ...args] = process.argv.slice(2)
const [first = '', second = '', third = '', fourth = ''] = args

if (command === 'refuse') {
  fail('configuration refused\n-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----')
} else if (command === 'reload-second') {
  appendFileSync(first, '.')
  if (readFileSync(first, 'utf8').length > 1) process.kill(Number(readFileSync(second, 'utf8')), 'SIGHUP')
} else if (command === 'append') {
  appendFileSync(first, '.')
} else if (command === 'stop') {
  if (isRunning(Number(readFileSync(first, 'utf8')))) process.kill(Number(readFileSync(first, 'utf8')), 'SIGKILL')
} else if (command === 'start') {
  const log = openSync(`${first}.log`, 'a')
  spawn(process.execPath, [join(import.meta.dirname, 'tls-server-process.ts'), second, third, fourth, first], { detached: true, stdio: ['ignore', log, log] }).unref()
} else {
  fail(`unknown command ${String(command)}`)
}

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false // gone already
  }
}
