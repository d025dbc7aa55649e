import { fileURLToPath } from 'node:url'
import { sqliteTime } from './sqlite-time.ts'

/**
 * The control plane with two measuring points more: each commit, and the time spent inside SQLite. A line for each
 * moment goes to standard output: "moment <before|after> <ms since 1970> <ms in SQLite since the start>". With
 * --quiet-moments there are none, and SIGUSR2 has all that is known of SQLite printed: "sqlite <JSON>".
 */
const argv = process.argv.slice(2)
const quiet = argv.includes('--quiet-moments')
const { startControlPlane } = await import('../apps/control-plane/src/control-plane.ts')
const { createLogger } = await import('../apps/control-plane/src/http/logger.ts')
const { readSettings } = await import('../apps/control-plane/src/settings.ts')

const settings = readSettings(argv.filter((word) => word !== '--quiet-moments'), process.env)
const plane = await startControlPlane({
  settings, dataFolder: settings.data, webFolder: fileURLToPath(new URL('../apps/web/dist', import.meta.url)), version: '0.0.0', logger: createLogger('warn'), now: () => new Date(), random: Math.random,
  crashPoint: (name) => { if (!quiet) process.stdout.write(`moment ${name.split(' ')[0]} ${performance.timeOrigin + performance.now()} ${sqliteTime().ms}\n`) },
})
process.on('SIGUSR2', () => { process.stdout.write(`sqlite ${JSON.stringify(sqliteTime())} end\n`) })
if (plane.firstAdministrator) process.stdout.write(`One-time password: ${plane.firstAdministrator.password}\n`)
process.stdout.write(`Certloop runs at ${plane.url}\n`)
process.once('SIGTERM', () => { void plane.stop() })
