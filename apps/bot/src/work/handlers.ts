import {
  botTaskKinds, CertloopError, checkShape,
  type BotTask, type BotTaskKind, type BotTaskPayload, type BotTaskResult, type DeployLogEntry, type HostScan, type JoinResponse,
} from '@certloop/contract'
import type { Engine } from '../engine/types.ts'
import type { KeyStore } from '../keys/key-store.ts'
import type { Turns } from './turns.ts'

export type LogSink = (entry: DeployLogEntry) => void

export interface HandlerDeps {
  engine: Engine
  keys: KeyStore
  scan: () => Promise<HostScan>
  purpose: JoinResponse['purpose']
  turns: Turns
}

/** How one task is done. */
export interface Job {
  /** Gives the data of the result. @throws CertloopError when it can't be done */
  run(log: LogSink): Promise<unknown>
  /** Called once the control plane has the result. */
  accepted(): Promise<void>
}

type Handlers = { [K in BotTaskKind]: (payload: BotTaskPayload<K>, deps: HandlerDeps, log: LogSink) => Promise<BotTaskResult<K>> }

// A server's configuration test sees all its certificates. While one of them is being replaced, neither another
// deployment nor a look at a server of the same type would see anything but a half-done state.
const handlers: Handlers = {
  'scan-host': (_payload, { scan }) => scan(),
  'make-csr': (payload, { keys }) => keys.csrFor(payload),
  'plan-deployment': (payload, { engine, turns }) => turns.take(payload.target.serverType, () => engine.plan(payload)),
  'deploy': (payload, { engine, turns }, log) => turns.take(payload.target.serverType, () => engine.deploy(payload, log)),
  'inspect-target': ({ target }, { engine, turns }) => turns.take(target.serverType, () => engine.inspect(target)),
}

const discoveryKinds: readonly BotTaskKind[] = ['scan-host', 'inspect-target']

/** @throws CertloopError INPUT_INVALID (payload), ACTION_NOT_POSSIBLE (not what this bot joined for) */
export function jobFor({ kind, payload }: BotTask, deps: HandlerDeps): Job {
  if (deps.purpose === 'discovery' && !discoveryKinds.includes(kind)) {
    throw new CertloopError('ACTION_NOT_POSSIBLE', `This bot joined for discovery alone and does no "${kind}". Join it again with the purpose "both".`, { kind })
  }
  return job(kind, payload, deps)
}

function job<K extends BotTaskKind>(kind: K, raw: unknown, deps: HandlerDeps): Job {
  const payload = checkShape(botTaskKinds[kind].payload, raw, { what: `The payload of the task "${kind}"` }) as BotTaskPayload<K>
  return {
    run: (log) => handlers[kind](payload, deps, log),
    async accepted() {
      if ('deploymentId' in payload && kind === 'deploy') await deps.engine.acknowledge(payload.deploymentId)
    },
  }
}
