import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CertloopError, toCertloopError } from '@certloop/contract'
import { startControlPlane, type ControlPlane } from './control-plane.ts'
import { lockDataFolder, prepareDataFolder } from './data-folder.ts'
import { createLogger } from './http/logger.ts'
import { readVersion, startOwnBot, type OwnBot } from './own-bot.ts'
import { readSettings, settingsHelp, wantsHelp, type Settings } from './settings.ts'

const webFolder = fileURLToPath(new URL('../../web/dist', import.meta.url))

function greet(plane: ControlPlane, settings: Settings, dataFolder: string, bot: OwnBot | undefined): string {
  const lines = [
    `Certloop runs at ${plane.url}`,
    `  bots reach it at ${plane.publicUrl}; ${settings.databaseUrl ? `the database is PostgreSQL, the master key is in ${dataFolder}` : `everything is kept in ${dataFolder}`}`,
    bot ? (bot.isNew ? '  the bot of this machine has joined and scans it now' : '  the bot of this machine works') : settings.bot ? '  the bot of this machine could not be started; the log says why' : '  no bot runs on this machine (--no-bot)',
    '',
    'What to do next:',
    `  1. Open ${plane.url} and sign in.`,
    bot ? '  2. Look at Certificates: what was found running on this machine is listed there.' : '  2. Add a bot on the Bots page: what runs on its host is listed under Certificates then.',
    '  3. Open one, accept the suggested deployment details, and rotate it.',
    '  See the whole loop on a real server with: npm run demo',
    '  Ctrl-C stops Certloop; the next start keeps everything.',
  ]
  return `${lines.join('\n')}\n`
}

/** Said as soon as it exists: whatever happens next, nobody is locked out. */
function tellPassword({ firstAdministrator: first }: ControlPlane): void {
  if (first) process.stdout.write(`First administrator: ${first.name}\nOne-time password:   ${first.password}   (shown this once; you choose your own at the first sign-in)\n\n`)
}

async function main(argv: readonly string[]): Promise<void> {
  if (wantsHelp(argv)) {
    process.stdout.write(settingsHelp())
    return
  }
  const settings = readSettings(argv, process.env)
  const logger = createLogger(settings.logLevel)
  const dataFolder = await prepareDataFolder(settings.data)
  const unlock = lockDataFolder(dataFolder)
  const plane = await startControlPlane({ settings, dataFolder, webFolder, version: await readVersion(), logger, now: () => new Date(), random: Math.random })
  tellPassword(plane)
  let ownBot: OwnBot | undefined
  let asked = false
  const stop = async () => {
    if (asked) process.exit(1)
    asked = true
    await ownBot?.stop()
    await plane.stop()
    unlock()
    process.stdout.write('Certloop has stopped.\n')
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => { stop().catch((error: unknown) => { logger.fatal({ err: error }, 'could not stop cleanly'); process.exit(1) }) })
  if (settings.bot) ownBot = await startOwnBot(plane, join(dataFolder, 'bot'), logger).catch((error: unknown) => { logger.error({ err: error }, 'the bot of this machine could not be started'); return undefined })
  if (asked) await ownBot?.stop()
  else process.stdout.write(greet(plane, settings, dataFolder, ownBot))
}

main(process.argv.slice(2)).catch((thrown: unknown) => {
  const error = toCertloopError(thrown)
  process.stderr.write(`Certloop can not start: ${error.message}\n${error.spec.remedy} (${error.code})\n`)
  if (!(thrown instanceof CertloopError)) process.stderr.write(`${thrown instanceof Error ? thrown.stack : String(thrown)}\n`)
  process.exit(1)
})
