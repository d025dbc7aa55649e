#!/usr/bin/env node
import { readFile } from 'node:fs/promises'
import { homedir, hostname, userInfo } from 'node:os'
import { text } from 'node:stream/consumers'
import { askOnTerminal } from './ask.ts'
import { run } from './run.ts'
import type { World } from './world.ts'

/** A user without an entry in the password file has no name, but a number. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 'somebody')
  }
}

const world: World = {
  env: process.env,
  home: homedir(),
  now: () => new Date(),
  zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  whoHere: `${userName()} on ${hostname()}`,
  pid: process.pid,
  out: (words) => { process.stdout.write(words) },
  err: (words) => { process.stderr.write(words) },
  outIsTerminal: process.stdout.isTTY,
  columns: process.stdout.columns,
  errIsTerminal: process.stderr.isTTY,
  canAsk: process.stdin.isTTY && process.stderr.isTTY,
  ask: (question, options) => askOnTerminal(question, options, process.stdin, process.stderr),
  readInput: () => text(process.stdin),
  onInterrupt: (then) => {
    process.once('SIGINT', then)
    return () => { process.off('SIGINT', then) }
  },
}

async function version(): Promise<string> {
  return (JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string }).version
}

// "certloop … | head" closes our output early; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => { process.exit(error.code === 'EPIPE' ? 0 : 1) })
process.exitCode = await run(process.argv.slice(2), world, version)
