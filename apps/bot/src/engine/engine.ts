import { type DeployResult, machineOf, type Plan, type TargetInspection, toCertloopError } from '@certloop/contract'
import { createTurns } from '../work/turns.ts'
import { deployNow, draftPlan } from './deploy.ts'
import { isAcknowledged, isOpen } from './journal-store.ts'
import { type Asked, createParts, fieldsOf, notYetEnded, openMachines, prepareFolder, prune, type Recovery, type RecoverySink, storedOutcome, takeUpAll } from './parts.ts'
import { createRedactor, secretsOf } from './secrets.ts'
import { DeploymentUnfinished, saysNothing } from './unfinished.ts'
import { takeBackNow } from './take-back.ts'
import type { UndoRequest, DeployRequest, Engine, EngineDeps, EngineTarget, LogSink, PlanRequest, Unrecovered } from './types.ts'

/** See Engine. `deps.folder` is used by one process at a time: the bot locks its data folder. */
export function createEngine(deps: EngineDeps): Engine {
  const parts = createParts(deps)
  const turns = createTurns()
  const known = new Map<string, Recovery>()
  let preparing: Promise<void> | undefined
  /** What a start of the bot waits for, by machine. */
  let starting: Promise<Map<string, Promise<Recovery>>> | undefined

  /** Once, whoever comes first; when it fails the next one tries again. */
  const prepared = () => (preparing ??= prepareFolder(parts).catch((error: unknown) => {
    preparing = undefined
    throw error
  }))

  /** The journals of a machine are ended before new work on it, and those that could not be are tried again. */
  async function ready(machine: string, onLog?: RecoverySink, now?: Asked): Promise<Recovery> {
    await prepared()
    const before = known.get(machine)
    if (before !== undefined && before.stuck.length === 0 && !parts.leftOpen.has(machine)) return before
    const recovery = await takeUpAll(parts, machine, onLog, now)
    known.set(machine, recovery)
    await prune(parts)
    return recovery
  }

  return {
    plan: (request) => turns.take(machineOf(request.target), async () => {
      await ready(machineOf(request.target), undefined, { target: request.target })
      return makePlan(request)
    }),
    deploy: (request, onLog, cancel) => turns.take(machineOf(request.target), () => onceReady(request, onLog, cancel, () => deployNow(parts, request, onLog, cancel))),
    undo: (request, onLog, cancel) => turns.take(machineOf(request.target), () => onceReady(request, onLog, cancel, () => takeBackNow(parts, request, onLog, cancel))),
    async inspect(target) {
      // A look at what is being recovered would see a half-done state.
      await starting?.then((machines) => machines.get(machineOf(target))).catch(() => undefined)
      return inspectTarget(deps, target)
    },
    recover,
    outcomeOf: (deploymentId) => storedOutcome(parts, deploymentId),
    async acknowledge(deploymentId) {
      const stored = await parts.store.latest(deploymentId)
      if (stored === undefined || isAcknowledged(stored) || isOpen(stored)) return
      await parts.store.acknowledge(stored)
      await parts.store.prune(parts.limits)
    },
  }

  /** The bot's own machine is waited for to the end; another that does not answer only for a time. */
  async function recover(onLog?: RecoverySink): Promise<Recovery> {
    starting = recoveries(onLog)
    const all = await Promise.all((await starting).values())
    return { recovered: all.flatMap((one) => one.recovered), stuck: all.flatMap((one) => one.stuck) }
  }

  async function recoveries(onLog?: RecoverySink): Promise<Map<string, Promise<Recovery>>> {
    await prepared()
    const machines = new Set(['local', ...await openMachines(parts)])
    return new Map([...machines].map((machine) => {
      const done = turns.take(machine, () => ready(machine, onLog))
      return [machine, machine === 'local' ? done : within(done, parts.limits.recoverySeconds, () => notYetEnded(parts, machine))]
    }))
  }

  async function makePlan(request: PlanRequest): Promise<Plan> {
    const hide = createRedactor(secretsOf(request.target.secrets ?? {}))
    const { plan, texts } = await draftPlan(parts, request, hide)
    await parts.planTexts.keep(plan.digest, texts)
    return plan
  }

  async function onceReady(request: DeployRequest | UndoRequest, onLog: LogSink | undefined, cancel: AbortSignal | undefined, work: () => Promise<DeployResult>): Promise<DeployResult> {
    const { deploymentId, target } = request
    const { stuck: [stuck] } = await ready(machineOf(target), (id, entry) => { if (id === deploymentId) onLog?.(entry) }, { target, deploymentId, cancel })
    if (stuck === undefined) return work()
    if (stuck.deploymentId === request.deploymentId && saysNothing(stuck.error)) throw new DeploymentUnfinished(stuck.error)
    return refusedBy(stuck, request)
  }
}

async function inspectTarget(deps: EngineDeps, target: EngineTarget): Promise<TargetInspection> {
  const hide = createRedactor(secretsOf(target.secrets ?? {}))
  try {
    const [host, driver] = await Promise.all([deps.hostFor(target), deps.driverFor(target.serverType)])
    const { served, installedPem } = await driver.inspect({ host, probe: deps.probeFor(host) }, fieldsOf(target))
    return { at: deps.now().toISOString(), installedPem, served: served.map((one) => ({ ...one, error: one.error && hide.text(one.error) })) }
  } catch (thrown) {
    throw hide.error(toCertloopError(thrown))
  }
}

/** Work on a host that an earlier deployment left between old and new would build on sand. */
function refusedBy(stuck: Unrecovered, { deploymentId }: Pick<DeployRequest, 'deploymentId'>): DeployResult {
  const error = { ...stuck.error, message: `Deployment ${stuck.deploymentId} was cut off and can not be ended yet: ${stuck.error.message}` }
  return { outcome: 'failed', touched: stuck.deploymentId === deploymentId, error, differences: [], inspection: null, log: [] }
}

/** What `work` gives, or `late` when it takes longer; the work goes on then. */
async function within<T>(work: Promise<T>, seconds: number, late: () => Promise<T>): Promise<T> {
  const timeout = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => { timeout.resolve(undefined) }, seconds * 1000)
  try {
    return await Promise.race([work, timeout.promise]) ?? await late()
  } finally {
    clearTimeout(timer)
    work.catch(() => undefined) // told to whoever takes the next turn
  }
}
