import type { BotTarget, DeployResult, Plan, TargetInspection } from '@certloop/contract'
import { deployNow, draftPlan } from './deploy.ts'
import { isAcknowledged, isOpen } from './journal-store.ts'
import { createParts, type Recovery, type RecoverySink, storedOutcome, takeUpAll } from './parts.ts'
import type { DeployRequest, Engine, EngineDeps, LogSink, PlanRequest, Unrecovered } from './types.ts'

/** See Engine. `deps.folder` is used by one process at a time: the bot locks its data folder. */
export function createEngine(deps: EngineDeps): Engine {
  const parts = createParts(deps)
  const inTurn = createQueue()
  let known: Recovery | undefined

  /** Journals are ended before new work, and those that could not be are tried again. */
  async function ready(onLog?: RecoverySink): Promise<Recovery> {
    if (known === undefined || known.stuck.length > 0 || parts.leftOpen) known = await takeUpAll(parts, onLog)
    return known
  }

  return {
    plan: (request) => inTurn(async () => {
      await ready()
      return makePlan(request)
    }),
    deploy: (request, onLog) => inTurn(() => deploy(request, onLog)),
    inspect,
    recover: (onLog) => inTurn(() => ready(onLog)),
    outcomeOf: (deploymentId) => storedOutcome(parts, deploymentId),
    async acknowledge(deploymentId) {
      const stored = await parts.store.latest(deploymentId)
      if (stored === undefined || isAcknowledged(stored) || isOpen(stored)) return
      await parts.store.acknowledge(stored)
      await parts.store.prune(parts.limits)
    },
  }

  async function makePlan(request: PlanRequest): Promise<Plan> {
    const { plan, texts } = await draftPlan(parts, request)
    await parts.planTexts.keep(plan.digest, texts)
    return plan
  }

  async function deploy(request: DeployRequest, onLog?: LogSink): Promise<DeployResult> {
    const [stuck] = (await ready()).stuck
    return stuck === undefined ? deployNow(parts, request, onLog) : refusedBy(stuck, request)
  }

  async function inspect(target: BotTarget): Promise<TargetInspection> {
    const [host, driver] = await Promise.all([deps.hostFor(target), deps.driverFor(target.serverType)])
    const { served, installedPem } = await driver.inspect({ host, probe: deps.probe }, target.fields)
    return { at: deps.now().toISOString(), installedPem, served }
  }
}

/** Work on a host that an earlier deployment left between old and new would build on sand. */
function refusedBy(stuck: Unrecovered, { deploymentId }: DeployRequest): DeployResult {
  const error = { ...stuck.error, message: `Deployment ${stuck.deploymentId} was cut off and can not be ended yet: ${stuck.error.message}` }
  return { outcome: 'failed', touched: stuck.deploymentId === deploymentId, error, differences: [], inspection: null, log: [] }
}

/** Runs what it is given one after the other. */
function createQueue(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const next = last.then(work)
    last = next.catch(() => undefined) // its caller gets the error; the queue goes on
    return next
  }
}
