import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newId, sealPlan, type BatchId, type BotId, type BotTask, type CertificateId, type ConfigurationInput, type TargetInspection } from '@certloop/contract'
import { createCsr, generateKey } from '@certloop/pki'
import { sqliteTime, sqlSince, type SqlTime } from '../sqlite-time.ts'
import { listAuthorities } from '../../apps/control-plane/src/authority/authority-store.ts'
import { createBatch } from '../../apps/control-plane/src/batch/batch.ts'
import { getBatch } from '../../apps/control-plane/src/batch/batch-store.ts'
import { readBatch } from '../../apps/control-plane/src/batch/batch-view.ts'
import { insertBot, updateBot } from '../../apps/control-plane/src/bot/bot-store.ts'
import { leaseWork, reportResult, type LeaseDeps } from '../../apps/control-plane/src/bot/leases.ts'
import { insertCertificate } from '../../apps/control-plane/src/certificate/certificate-store.ts'
import { makeParts } from '../../apps/control-plane/src/control-plane.ts'
import { openDatabase, type Database } from '../../apps/control-plane/src/database/database.ts'
import { ensureBuiltInAuthority } from '../../apps/control-plane/src/local-ca/built-in-authority.ts'
import { createLocalCa } from '../../apps/control-plane/src/local-ca/local-ca.ts'
import { configure } from '../../apps/control-plane/src/provisioning/configuration.ts'
import { createSecrets } from '../../apps/control-plane/src/secret/secrets.ts'
import { startWorker } from '../../apps/control-plane/src/task/task-worker.ts'
import { createWayOut } from '../../apps/control-plane/src/way-out.ts'

/** What a batch over so many took, per certificate in ms. cpu: of the whole process, in which bots cost nothing. */
export interface SimulatedFigures { count: number; wall: number; cpu: number; sql: SqlTime; tasks: number }

const botCount = 8
const now = () => new Date()

interface Stand { database: Database; parts: ReturnType<typeof makeParts>; bots: BotId[]; ids: CertificateId[]; requests: ReadonlyMap<string, string> }

/** In memory where the system has a folder for that: what a disk takes is not ours. */
async function quickFolder(): Promise<string> {
  const place = await stat('/dev/shm').then((found) => (found.isDirectory() ? '/dev/shm' : tmpdir()), () => tmpdir())
  return mkdtemp(join(place, 'certloop-bench-'))
}

/** The domains of a control plane with so many configured certificates. Keys and requests are made here: they are the bots' work. */
async function setUp(folder: string, count: number): Promise<Stand> {
  const database = await openDatabase(`sqlite:${join(folder, 'simulated.sqlite')}`)
  const secrets = await createSecrets({ database, masterKey: randomBytes(32), now })
  const localCa = createLocalCa({ database, secrets, now })
  await localCa.ensureHierarchy()
  await database.transaction((tx) => ensureBuiltInAuthority(tx, now()))
  const parts = makeParts(now, { database, localCa, secrets }, { wayOut: createWayOut({ allow: [], version: 'bench' }), random: Math.random })
  const bots = await database.transaction(async (tx) => {
    const made: BotId[] = []
    for (let i = 0; i < botCount; i++) {
      const id = await insertBot(tx, { name: `bot ${i}`, purpose: 'both' }, now())
      await updateBot(tx, id, { joinedAt: now().toISOString(), lastContactAt: now().toISOString() })
      made.push(id)
    }
    return made
  })
  const authorityId = (await listAuthorities(database.db))[0]?.id ?? null
  const [ids, requests]: [CertificateId[], Map<string, string>] = [[], new Map()]
  for (let i = 0; i < count; i++) {
    const name = `w${i}.bench.example`
    requests.set(name, await createCsr({ privateKeyPem: await generateKey('ec-256'), commonName: null, names: [name] }))
    ids.push(await database.transaction(async (tx, wake) => {
      const id = await insertCertificate(tx, { name, names: [name], management: 'managed', status: 'configuration-pending' }, now())
      await configure(tx, wake, parts.deps, id, configurationOf(name, bots[i % botCount], authorityId), 'user:bench')
      return id
    }))
  }
  return { database, parts, bots, ids, requests }
}

function configurationOf(name: string, botId: BotId | undefined, authorityId: ConfigurationInput['authorityId']): ConfigurationInput {
  if (!botId) throw new Error('there is no bot')
  return {
    complete: true, targets: [{ botId, serverType: 'files', fields: { certificatePath: `/srv/${name}/tls.crt`, keyPath: `/srv/${name}/tls.key` } }], authorityId,
    csr: { commonName: null, names: [], keyAlgorithm: 'ec-256', keyReuse: false, validityDays: 90 }, renewal: { enabled: true, daysBefore: 30, time: '03:00', zone: 'UTC' }, deployAfterRenewal: true, rollback: true, approval: 'automatic',
  }
}

/** What a bot answers that finds everything done. */
function answer({ kind, payload }: BotTask, requests: ReadonlyMap<string, string>): unknown {
  const { names: [name = ''] = [], material } = payload as { names?: string[]; material?: { chainPem: string[] } }
  const at = now().toISOString()
  if (kind === 'make-csr') return { keyId: newId('key', now()), csrPem: requests.get(name) }
  if (kind === 'plan-deployment') return sealPlan({ serverType: 'files', observed: [], steps: [] })
  if (kind === 'scan-host') return { at, host: { hostName: 'bench', os: 'Linux', osVersion: '6', arch: 'x64', addresses: [] }, servers: [], listeners: [], problems: [] }
  const inspection: TargetInspection = { at, installedPem: material?.chainPem.join('\n') ?? null, served: [] }
  return kind === 'deploy' ? { outcome: 'deployed', touched: true, error: null, differences: [], inspection, log: [] } : inspection
}

/** Takes work as bots do, by long polls, without a network between. @returns how many tasks were done once closed */
async function workAs(botId: BotId, deps: LeaseDeps, requests: ReadonlyMap<string, string>): Promise<number> {
  let count = 0
  while (!deps.closing.aborted) {
    for (const task of await leaseWork(deps, botId, { bootId: 'bench-boot', waitSeconds: 25, max: 20 }, deps.closing)) {
      await reportResult(deps, botId, task.id, { fence: task.fence, result: { ok: true, data: answer(task, requests) } })
      count++
    }
  }
  return count
}

async function untilDone({ db, wake }: Database, id: BatchId): Promise<void> {
  for (;;) {
    const news = new Promise<void>((resolve) => {
      const stop = wake.listen((topic) => { if (topic === `change:batch:${id}`) { stop(); resolve() } })
    })
    // The counts are read at the end alone: each time they would be a look at all items, and none of the batch's own.
    const { state } = await getBatch(db, id)
    if (state !== 'running') {
      const { counts, total } = await readBatch(db, id)
      if (state === 'done' && counts.done === total) return
      throw new Error(`the batch ended as ${state}: ${JSON.stringify(counts)}`)
    }
    await news
  }
}

/** Rotates so many as one batch, with nothing but our own work to be done. */
export async function simulate(count: number): Promise<SimulatedFigures> {
  const folder = await quickFolder()
  try {
    const { database, parts, bots, ids, requests } = await setUp(folder, count)
    const closing = new AbortController()
    const deps: LeaseDeps = { database, handlers: parts.botKinds, now, closing: closing.signal }
    const failures: string[] = []
    const worker = startWorker({ database, kinds: parts.planeKinds, now, random: () => 0.5, log: (level, message, facts) => { if (level === 'error') failures.push(`${message} ${JSON.stringify(facts)}`) } })
    const [began, cpu, sql] = [performance.now(), process.cpuUsage(), sqliteTime()]
    const working = bots.map((id) => workAs(id, deps, requests))
    await untilDone(database, await database.transaction((tx, wake) => createBatch(tx, wake, { action: 'rotate', selection: { certificateIds: ids } }, 'user:bench', now())))
    const [wall, { user, system }, sqlAfter] = [performance.now() - began, process.cpuUsage(cpu), sqlSince(sql)]
    closing.abort()
    const tasks = (await Promise.all(working)).reduce((a, b) => a + b, 0)
    await worker.stop()
    await database.close()
    if (failures.length > 0) throw new Error(`something failed meanwhile: ${failures.slice(0, 3).join('; ')}`)
    return { count, wall: wall / count, cpu: (user + system) / 1000 / count, sql: perCertificate(sqlAfter, count), tasks: tasks / count }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function perCertificate({ ms, statements, byGroup }: SqlTime, count: number): SqlTime {
  return { ms: ms / count, statements: statements / count, byGroup: Object.fromEntries(Object.entries(byGroup).map(([group, value]) => [group, value / count])) as SqlTime['byGroup'] }
}
