import { fileURLToPath } from 'node:url'
import { startControlPlane } from '../../../apps/control-plane/src/control-plane.ts'
import { createLogger } from '../../../apps/control-plane/src/http/logger.ts'
import { readSettings } from '../../../apps/control-plane/src/settings.ts'

/** A control plane that takes a deployment for slow after seconds: two of its like are enough to know the usual time. */
const settings = readSettings(process.argv.slice(2), process.env)
const plane = await startControlPlane({
  settings, dataFolder: settings.data, webFolder: fileURLToPath(new URL('../../../apps/web/dist', import.meta.url)), version: '0.0.0', logger: createLogger('warn'), now: () => new Date(), random: Math.random,
  slowLimits: { atLeast: 2, floorSeconds: 3, factor: 1.5, unknownSeconds: 600 },
})
if (plane.firstAdministrator) process.stdout.write(`One-time password: ${plane.firstAdministrator.password}\n`)
process.stdout.write(`Certloop runs at ${plane.url}\n`)
process.once('SIGTERM', () => { void plane.stop() })
