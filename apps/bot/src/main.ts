#!/usr/bin/env node
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { CertloopError, toCertloopError } from '@certloop/contract'
import { startBot } from './bot.ts'
import { configurationPlaces, loadConfiguration } from './configuration.ts'
import { dataFolderPath, lockDataFolder, prepareDataFolder } from './data-folder.ts'
import { createLimits } from './hosts/limits.ts'
import { createLocalHost } from './hosts/local-host.ts'
import { joinControlPlane } from './join.ts'
import { createLogger } from './log.ts'
import { describeStatus } from './status.ts'
import { version } from './version.ts'

const help = `certloop-bot ${version}

  certloop-bot join TOKEN   make this host a bot of the control plane that made the token;
                            "-" reads the token from standard input
  certloop-bot run          work until stopped
  certloop-bot status       who this bot is, and whether it runs and is connected

  --data DIR    data folder; default CERTLOOP_BOT_DATA, else /var/lib/certloop-bot (root)
                or ~/.local/share/certloop-bot
  --name NAME   with join: what this host calls itself; the name of the token wins
  --replace     with join: give up the identity that is there; keys stay
  --version, --help

Limits and proxy: bot.toml in the data folder, or /etc/certloop/bot.toml.
Exit codes: 0 stopped or done, 1 failed, 2 wrong usage, 3 revoked or unknown to the
control plane (starting again would not help).
`

const options = {
  data: { type: 'string' }, name: { type: 'string' }, replace: { type: 'boolean' }, version: { type: 'boolean' }, help: { type: 'boolean', short: 'h' },
} as const
type Options = { data?: string | undefined; name?: string | undefined; replace?: boolean | undefined; version?: boolean | undefined; help?: boolean | undefined }
interface Words { values: Options; positionals: string[] }

async function main(argv: string[]): Promise<number> {
  let parsed: Words
  try {
    parsed = parseArgs({ args: argv, options, allowPositionals: true })
  } catch (error) {
    return usage((error as Error).message)
  }
  if (parsed.values.version) return print(`${version}\n`)
  if (parsed.values.help) return print(help)
  return obey(parsed)
}

function obey({ values, positionals: [command, token, ...rest] }: Words): Promise<number> | number {
  const folder = dataFolderPath(values.data, process.env, process.getuid?.() === 0)
  if (rest.length > 0 || (token !== undefined && command !== 'join')) return usage(`too many words after "${command}"`)
  switch (command) {
    case 'join': return token === undefined ? usage('the join token is missing') : join(token, folder, values)
    case 'run': return run(folder)
    case 'status': return status(folder)
    default: return usage(command === undefined ? 'a command is missing' : `there is no command "${command}"`)
  }
}

async function join(word: string, dataFolder: string, { name, replace = false }: Options): Promise<number> {
  const token = word === '-' ? await text(process.stdin) : word
  await prepareDataFolder(dataFolder)
  const lock = await lockDataFolder(dataFolder)
  try {
    const { proxy, limits } = await loadConfiguration(configurationPlaces(dataFolder))
    const host = await createLocalHost({ limits: createLimits(limits) }).facts()
    const { joined, url } = await joinControlPlane({ token, dataFolder, host, proxy, replace, name: name ?? host.hostName, environment: process.env })
    return print(`This host is now the bot "${joined.name}" (${joined.botId}) of ${url}.\nStart it with: certloop-bot run --data ${dataFolder}\n`)
  } finally {
    lock.release()
  }
}

async function run(dataFolder: string): Promise<number> {
  const logger = createLogger({ write: (line) => process.stderr.write(line), now: () => new Date() })
  const bot = await startBot({ dataFolder, logger, environment: process.env, now: () => new Date(), random: Math.random })
  let asked: number | undefined
  const stop = (signal: NodeJS.Signals) => {
    if (asked !== undefined) return impatient(signal, performance.now() - asked)
    asked = performance.now()
    logger.info('The bot was asked to stop.', { signal })
    void bot.stop()
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  const error = await bot.ended
  if (error === undefined) return 0
  return error.code === 'BOT_REVOKED' || error.code === 'BOT_UNKNOWN' ? 3 : 1
}

/**
 * A second Ctrl-C ends at once: the journal brings a deployment under way to its end at the next start. One Ctrl-C
 * reaches this process and its parent, which passes it on, so what comes right after the first is the same wish.
 */
function impatient(signal: NodeJS.Signals, msSinceAsked: number): void {
  if (signal === 'SIGINT' && msSinceAsked > 1_000) process.exit(1)
}

async function status(dataFolder: string): Promise<number> {
  const { joined, text: lines } = await describeStatus(dataFolder)
  print(lines)
  return joined ? 0 : 1
}

function print(lines: string): number {
  process.stdout.write(lines)
  return 0
}

function usage(problem: string): number {
  process.stderr.write(`certloop-bot: ${problem}. See: certloop-bot --help\n`)
  return 2
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (thrown) {
  const error = toCertloopError(thrown)
  process.stderr.write(`certloop-bot: ${error.message}\n${error instanceof CertloopError ? `${error.spec.remedy} (${error.code})\n` : ''}`)
  process.exitCode = 1
}
