export { createEngine } from './engine.ts'
export { DeploymentUnfinished } from './unfinished.ts'
export { createProber, probersFor } from './probe.ts'
export type { DeployRequest, Engine, EngineDeps, EngineLimits, EngineTarget, KeySource, LogSink, PlanRequest, Recovered, Unrecovered, Way } from './types.ts'
