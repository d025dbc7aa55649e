import { type KeyId, type Material, newId, secretFields, type TargetOptions } from '@certloop/contract'
import type { Host, Prober } from '@certloop/plugin-kit'
import type { BenchOptions, ConformanceBench, ConformanceEngine, ConformancePair, Fields } from '@certloop/plugin-kit/conformance'
import { serverTypes } from '@certloop/server-types'
import { tempFolder } from '@certloop/test-kit'
import { cpSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { DeployRequest, Engine, EngineTarget, KeySource, LogSink } from '../../src/engine/index.ts'
import { testEngine, type TestEngineOptions } from '../engine/engine-kit.ts'
import type { Reached } from './reach.ts'
import { recordingHost, severable } from './severed.ts'

/** Where the engines of a test have their keys: outside of the folders that are searched for secrets. */
export interface Keys { readonly folder: string; materialOf(pair: ConformancePair): Promise<Material> }

export function keysIn(folder: string): Keys {
  return {
    folder,
    async materialOf({ certPem, issuersPem = [], keyPem, fingerprint }) {
      const keyId: KeyId = newId('key', new Date())
      await writeFile(join(folder, `${keyId}.pem`), keyPem, { mode: 0o600 })
      return { keyId, chainPem: [certPem, ...issuersPem], fingerprint }
    },
  }
}

export interface BenchPlace extends Reached { serverType: string }

/** A target as a task brings it: what is secret about it apart from its other fields. */
export function targetOf({ serverType, reach, secrets }: BenchPlace, fields: Fields, options: TargetOptions = {}): EngineTarget {
  const secret = secretFields(serverTypes.find(serverType)?.manifest.fields ?? { properties: {} })
  const split = (wanted: boolean) => Object.entries(fields).filter(([name]) => secret.includes(name) === wanted)
  const secretValues = Object.fromEntries(split(true).map(([name, value]) => [name, String(value)]))
  return { serverType, reach, fields: Object.fromEntries(split(false)), secrets: { ...secrets, fields: secretValues }, ...options }
}

/** Engines on a host, for the conformance suite. */
export async function benchOn(t: Pick<TestContext, 'after'>, place: BenchPlace): Promise<ConformanceBench> {
  const root = await tempFolder(t, 'bench')
  const keys = keysIn(join(root, 'keys'))
  await mkdir(keys.folder)
  let count = 0
  const newFolder = () => join(root, `engine${++count}`)
  const bench = { place, keys, newFolder }
  return { context: { host: place.host, probe: place.probe }, engine: (options = {}) => engineIn(bench, newFolder(), options) }
}

interface Bench { place: BenchPlace; keys: Keys; newFolder: () => string }

async function engineIn(bench: Bench, folder: string, options: BenchOptions): Promise<ConformanceEngine> {
  await mkdir(folder, { recursive: true })
  const { place, keys } = bench
  const heard: ConformanceEngine['heard'] = { ran: [], log: [] }
  const log = (entry: ConformanceEngine['heard']['log'][number]) => { heard.log.push(entry) }
  const host: Host = recordingHost(options.host?.(place.host) ?? place.host, heard.ran)
  const probe = options.probe?.(place.probe) ?? place.probe
  const make = (more: TestEngineOptions = {}): Engine => testEngine(folder, { hostFor: () => host, probe, keys: keySource(keys.folder), ...more })
  const engine = make()
  const request = async (fields: Fields, pair: ConformancePair, more?: TargetOptions) => ({ deploymentId: newId('dep', new Date()), target: targetOf(place, fields, more), material: await keys.materialOf(pair) })
  return {
    heard,
    plan: async (fields, pair, more) => engine.plan(await request(fields, pair, more)),
    async deploy(fields, pair, { options: more, plan, atPoint } = {}) {
      const asked = await request(fields, pair, more)
      let busy: Promise<unknown> = Promise.resolve()
      const used = atPoint === undefined ? engine : make({
        hostFor: () => waitingHost(host, () => busy),
        crashPoint: (name) => { busy = Promise.all([busy, atPoint(name)]) },
      })
      return used.deploy({ ...asked, plan: plan ?? await engine.plan(asked), rollback: true }, log)
    },
    async cut(fields, pair, point) {
      const copy = bench.newFolder()
      const asked = await request(fields, pair)
      const plan = await engine.plan(asked)
      await cutOff({ folder, copy, point, host, probe, keys: keys.folder }, { ...asked, plan, rollback: true }, log)
      return engineIn(bench, copy, options)
    },
    recover: () => engine.recover((_id, entry) => log(entry)),
    async stored() {
      const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
      return new Map(await Promise.all(files.map(async (file) => [file, await readFile(file)] as const)))
    },
  }
}

interface Cut {
  /** Of the engine that is cut off; `copy`: of what is on disk at that moment. */
  folder: string
  copy: string
  point: string
  host: Host
  probe: Prober
  /** Folder of the keys. */
  keys: string
}

/** Carries out a deployment as far as a crash point. From there on nothing that its engine does counts. @throws Error when it ends before */
export async function cutOff({ folder, copy, point, host, probe, keys }: Cut, asked: DeployRequest, log?: LogSink): Promise<void> {
  const severed = severable(host, probe)
  const doomed = testEngine(folder, {
    hostFor: () => severed.host, probe: severed.probe, keys: keySource(keys),
    crashPoint: (name) => {
      if (name !== point || severed.isCut()) return
      cpSync(folder, copy, { recursive: true, preserveTimestamps: true })
      severed.cut()
    },
  })
  const result = await Promise.race([severed.end, doomed.deploy(asked, log)])
  if (!severed.isCut()) throw new Error(`the deployment did not pass ${point}: ${result === undefined ? '' : `${result.outcome}, ${result.error?.message ?? ''}`}`)
}

const keySource = (folder: string): KeySource => ({ privateKeyPem: (keyId) => readFile(join(folder, `${keyId}.pem`), 'utf8') })

/** Each call waits for what goes on beside it. */
function waitingHost(host: Host, busy: () => Promise<unknown>): Host {
  return new Proxy(host, {
    get(whole, name) {
      const value: unknown = Reflect.get(whole, name)
      if (typeof value !== 'function') return value
      return async (...given: unknown[]) => {
        await busy()
        return Reflect.apply(value, whole, given) as unknown
      }
    },
  })
}
