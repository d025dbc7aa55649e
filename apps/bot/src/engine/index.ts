export { createEngine } from './engine.ts'
export { createProber, probersFor } from './probe.ts'
export type { DeployRequest, Engine, EngineDeps, EngineLimits, KeySource, LogSink, PlanRequest, Recovered, Unrecovered } from './types.ts'
