import { fileURLToPath } from 'node:url'
import { startControlPlane } from '../../../apps/control-plane/src/control-plane.ts'
import { createLogger } from '../../../apps/control-plane/src/http/logger.ts'
import { readSettings } from '../../../apps/control-plane/src/settings.ts'

/**
 * A control plane that counts the moments before and after each commit once SIGUSR2 has come, and ends itself with
 * SIGKILL at the one given by CRASH_AT. SIGUSR2 again prints how many there were.
 */
const crashAt = Number(process.env['CRASH_AT'] ?? 0)
let counting = false
let count = 0
process.on('SIGUSR2', () => {
  if (counting) process.stdout.write(`counted ${count} moments\n`)
  else process.stdout.write('counting\n')
  counting = !counting
})
const settings = readSettings(process.argv.slice(2), process.env)
const plane = await startControlPlane({
  settings, dataFolder: settings.data, webFolder: fileURLToPath(new URL('../../../apps/web/dist', import.meta.url)), version: '0.0.0', logger: createLogger('warn'), now: () => new Date(), random: Math.random,
  crashPoint: () => {
    if (!counting) return
    count++
    if (count === crashAt) process.kill(process.pid, 'SIGKILL')
  },
})
if (plane.firstAdministrator) process.stdout.write(`One-time password: ${plane.firstAdministrator.password}\n`)
process.stdout.write(`Certloop runs at ${plane.url}\n`)
process.once('SIGTERM', () => { void plane.stop() })
