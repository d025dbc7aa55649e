import { CertloopError, type ReloadServiceStep } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import { unitCommands } from '../shared/java/process.ts'
import { javaUnit } from '../shared/java/unit.ts'
import type { JettyFields } from './driver.ts'
import type { Jetty } from './server.ts'
import type { ConfiguredContext } from './tls-model.ts'

const restartSeconds = 180

/** `seconds`: how long the proof has to wait at least. */
export interface Activation { steps: ReloadServiceStep[]; seconds: number }

/**
 * How Jetty comes to serve what the keystore holds. With ssl-reload nothing is to be done: it looks at the keystore
 * every few seconds. `contexts`: all that serve from it.
 * @throws CertloopError PLAN_FAILED when the way that the fields name is not there
 */
export async function activationOf(host: Host, jetty: Jetty, contexts: readonly ConfiguredContext[], fields: JettyFields): Promise<Activation> {
  const scan = scanOf(jetty, contexts)
  switch (fields.activation ?? 'auto') {
    case 'reload': return scan > 0 ? watched(scan) : refuse(jetty, 'The module ssl-reload is not on for this keystore')
    case 'service': return restarted(host, jetty, fields, 'This Jetty was not started by a systemd unit of its own')
    case 'command': return commanded(jetty, fields)
    default: return scan > 0 ? watched(scan) : restarted(host, jetty, fields, 'Jetty would not notice the new certificate: the module ssl-reload is not on, and no systemd unit of its own started it')
  }
}

/** Seconds until all that serve from the keystore have looked at it; 0: one of them does not look. */
function scanOf({ model: { scans } }: Jetty, contexts: readonly ConfiguredContext[]): number {
  const seconds = contexts.map(({ id }) => scans.get(id) ?? 0)
  return seconds.every((each) => each > 0) ? Math.max(0, ...seconds) : 0
}

/** Jetty looks twice before it believes in a change. */
const watched = (scanSeconds: number): Activation => ({ steps: [], seconds: Math.min(600, Math.ceil(scanSeconds * 2) + 5) })

async function restarted(host: Host, jetty: Jetty, { sudo = false }: JettyFields, problem: string): Promise<Activation> {
  const service = await javaUnit(host, jetty.process.java.process)
  if (service === null) return refuse(jetty, problem)
  const { restart, start } = unitCommands(service, { sudo })
  return { steps: [{ kind: 'reload-service', service, argv: restart, start, timeoutSeconds: restartSeconds }], seconds: 0 }
}

function commanded({ process: { java, base } }: Jetty, { restartCommand, restartAs }: JettyFields): Activation {
  if (restartCommand === undefined) throw new CertloopError('PLAN_FAILED', 'The target says that Jetty is restarted with a command, and names none. Fill in the field "Restart command".')
  const { runAs } = java
  return { steps: [{ kind: 'reload-service', service: `Jetty (${base})`, argv: [...restartCommand], start: [...restartCommand], script: true, timeoutSeconds: restartSeconds, ...(restartAs === 'bot' || runAs === undefined ? {} : { runAs }) }], seconds: 0 }
}

function refuse({ process: { base } }: Jetty, why: string): never {
  throw new CertloopError('PLAN_FAILED', `${why}. Switch on ssl-reload (java -jar start.jar --add-modules=ssl-reload in ${base}, then one restart), or choose another way in the field "Taking up the new certificate".`, { path: base })
}
