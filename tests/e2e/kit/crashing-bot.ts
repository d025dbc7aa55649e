import { startBot } from '../../../apps/bot/src/bot.ts'
import { createLogger } from '../../../apps/bot/src/log.ts'

/**
 * A bot that counts the engine's moments from its first deployment on, and ends itself with SIGKILL at the one given
 * by CRASH_AT. Without it, it prints the names of all it passed when SIGUSR2 comes.
 */
const crashAt = Number(process.env['CRASH_AT'] ?? 0)
const passed: string[] = []
const now = () => new Date()
process.on('SIGUSR2', () => { process.stdout.write(`passed ${JSON.stringify(passed)} end\n`) })
const dataFolder = process.argv.at(-1) ?? ''
const bot = await startBot({
  dataFolder, now, random: Math.random, environment: process.env, logger: createLogger({ write: (line) => process.stderr.write(line), now }),
  crashPoint(name) {
    passed.push(name)
    if (passed.length === crashAt) process.kill(process.pid, 'SIGKILL')
  },
})
process.once('SIGTERM', () => { void bot.stop() })
await bot.ended
