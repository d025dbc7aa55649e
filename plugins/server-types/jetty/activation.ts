import { CertloopError, type ReloadServiceStep } from '@certloop/contract'
import { unitCommands } from '../shared/java/process.ts'
import type { JettyFields } from './driver.ts'
import type { Jetty } from './server.ts'
import type { ConfiguredContext } from './tls-model.ts'

const restartSeconds = 180

/** `seconds`: how long the proof has to wait at least. */
export interface Activation { steps: ReloadServiceStep[]; seconds: number }

/**
 * How Jetty comes to serve what the keystore holds. With ssl-reload nothing is to be done: it looks at the keystore
 * every few seconds.
 * @throws CertloopError PLAN_FAILED when the way that the fields name is not there
 */
export function activationOf(jetty: Jetty, context: ConfiguredContext, fields: JettyFields): Activation {
  const scan = jetty.model.scans.get(context.id) ?? 0
  const { service } = jetty.process.java.process
  switch (fields.activation ?? 'auto') {
    case 'reload': return scan > 0 ? watched(scan) : refuse(jetty, 'The module ssl-reload is not on for this keystore')
    case 'service': return service === null ? refuse(jetty, 'This Jetty was not started by systemd') : restarted(service, fields)
    case 'command': return commanded(jetty, fields)
    default: {
      if (scan > 0) return watched(scan)
      return service === null ? refuse(jetty, 'Jetty would not notice the new certificate: the module ssl-reload is not on, and no systemd unit started it') : restarted(service, fields)
    }
  }
}

/** Jetty looks twice before it believes in a change. */
const watched = (scanSeconds: number): Activation => ({ steps: [], seconds: Math.min(600, Math.ceil(scanSeconds * 2) + 5) })

function restarted(service: string, { sudo = false }: JettyFields): Activation {
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
