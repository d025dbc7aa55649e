import {
  botTaskKinds, CertloopError, checkShape, machineOf,
  type BotTarget, type BotTask, type BotTaskKind, type BotTaskPayload, type BotTaskResult, type DeployLogEntry, type HostScan, type JoinResponse, type TargetSecrets,
} from '@certloop/contract'
import type { Engine, EngineTarget, Way } from '../engine/types.ts'
import type { KeyStore } from '../keys/key-store.ts'
import type { Proofs } from '../proofs/proofs.ts'
import type { Turns } from './turns.ts'

export type LogSink = (entry: DeployLogEntry) => void

export interface HandlerDeps {
  engine: Engine
  keys: KeyStore
  proofs: Pick<Proofs, 'place' | 'remove'>
  /** Of the bot's own machine, or of one that it reaches this way. */
  scan: (way?: Way) => Promise<HostScan>
  purpose: JoinResponse['purpose']
  turns: Turns
  /** @throws CertloopError TARGET_SECRETS_UNREADABLE */
  openSecrets: (sealed: string) => Promise<TargetSecrets>
}

/** How one task is done. */
export interface Job {
  /** Gives the data of the result. `cancel`: a deployment is stopped and taken back. `begin`: called once it is its turn. @throws CertloopError when it can't be done */
  run(log: LogSink, cancel?: AbortSignal, begin?: () => Promise<void>): Promise<unknown>
  /** Called once the control plane has the result. */
  accepted(): Promise<void>
}

type Handlers = { [K in BotTaskKind]: (payload: BotTaskPayload<K>, deps: HandlerDeps, log: LogSink, cancel?: AbortSignal, begin?: () => Promise<void>) => Promise<BotTaskResult<K>> }

/** The target with its secrets. From here on they are in memory, and on disk sealed by the engine. */
async function opened({ sealed, ...target }: BotTarget, { openSecrets }: HandlerDeps): Promise<EngineTarget> {
  return typeof sealed === 'string' ? { ...target, secrets: await openSecrets(sealed) } : target
}

const placeOf = (target: BotTarget) => `${machineOf(target)} ${target.serverType}`

/** On one machine one deployment works at a time: what waits for another has not begun. */
const inTurn = <T>({ turns }: HandlerDeps, target: BotTarget, begin: (() => Promise<void>) | undefined, work: () => Promise<T>): Promise<T> =>
  turns.take(`${machineOf(target)} deployments`, () => turns.take(placeOf(target), async () => {
    await begin?.()
    return work()
  }))

// A server's configuration test sees all its certificates. While one of them is being replaced, neither another
// deployment nor a look at a server of the same type on that machine would see anything but a half-done state.
const handlers: Handlers = {
  'scan-host': async ({ reach, sealed }, { scan, openSecrets }) => scan(reach && { reach, ...(typeof sealed === 'string' ? { secrets: await openSecrets(sealed) } : {}) }),
  'place-proof': (payload, { proofs }) => proofs.place(payload),
  'remove-proof': (payload, { proofs }) => proofs.remove(payload),
  'make-csr': (payload, { keys }) => keys.csrFor(payload),
  'plan-deployment': ({ target, ...payload }, deps) => deps.turns.take(placeOf(target), async () => deps.engine.plan({ ...payload, target: await opened(target, deps) })),
  'deploy': ({ target, ...payload }, deps, log, cancel, begin) => inTurn(deps, target, begin, async () => deps.engine.deploy({ ...payload, target: await opened(target, deps) }, log, cancel)),
  'undo-deployment': ({ target, ...payload }, deps, log, cancel, begin) => inTurn(deps, target, begin, async () => deps.engine.undo({ ...payload, target: await opened(target, deps) }, log, cancel)),
  'inspect-target': ({ target }, deps) => deps.turns.take(placeOf(target), async () => deps.engine.inspect(await opened(target, deps))),
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
    run: (log, cancel, begin) => handlers[kind](payload, deps, log, cancel, begin),
    async accepted() {
      if ('deploymentId' in payload && (kind === 'deploy' || kind === 'undo-deployment')) await deps.engine.acknowledge(payload.deploymentId)
    },
  }
}
