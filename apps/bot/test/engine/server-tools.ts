// What the small TLS server is operated with, as commands of a plan.
// check CERT KEY: exit code 0 when they belong together. reload PIDFILE. start PIDFILE CERT KEY PORT.
import { spawn } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [command, ...args] = process.argv.slice(2)
const [first = '', second = '', third = '', fourth = ''] = args

if (command === 'check') {
  if (existsSync(join(first, '..', 'refuse-everything'))) fail('configuration refused\n-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----')
  if (!new X509Certificate(readFileSync(first)).checkPrivateKey(createPrivateKey(readFileSync(second)))) fail('key values mismatch')
} else if (command === 'reload') {
  process.kill(Number(readFileSync(first, 'utf8')), 'SIGHUP')
} else if (command === 'start') {
  const log = openSync(`${first}.log`, 'a')
  spawn(process.execPath, [join(import.meta.dirname, 'tls-server.ts'), second, third, fourth, first], { detached: true, stdio: ['ignore', log, log] }).unref()
} else {
  fail(`unknown command ${String(command)}`)
}

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}
