import { StatementSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'

/**
 * The control plane with two measuring points more: each commit, and the time spent inside SQLite. A line for each
 * moment goes to standard output: "moment <before|after> <ms since 1970> <ms in SQLite since the start>".
 */
let sqlMs = 0
for (const name of ['run', 'all', 'get'] as const) {
  const own = StatementSync.prototype[name] as (...values: unknown[]) => unknown
  const timed = function (this: StatementSync, ...values: unknown[]): unknown {
    const start = performance.now()
    try {
      return own.apply(this, values)
    } finally {
      sqlMs += performance.now() - start
    }
  }
  Object.defineProperty(StatementSync.prototype, name, { value: timed })
}

const { startControlPlane } = await import('../apps/control-plane/src/control-plane.ts')
const { createLogger } = await import('../apps/control-plane/src/http/logger.ts')
const { readSettings } = await import('../apps/control-plane/src/settings.ts')

const settings = readSettings(process.argv.slice(2), process.env)
const plane = await startControlPlane({
  settings, dataFolder: settings.data, webFolder: fileURLToPath(new URL('../apps/web/dist', import.meta.url)), version: '0.0.0', logger: createLogger('warn'), now: () => new Date(), random: Math.random,
  crashPoint: (name) => { process.stdout.write(`moment ${name.split(' ')[0]} ${performance.timeOrigin + performance.now()} ${sqlMs}\n`) },
})
if (plane.firstAdministrator) process.stdout.write(`One-time password: ${plane.firstAdministrator.password}\n`)
process.stdout.write(`Certloop runs at ${plane.url}\n`)
process.once('SIGTERM', () => { void plane.stop() })
