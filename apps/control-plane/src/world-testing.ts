import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { TestContext } from 'node:test'
import { newId, sealPlan, subjectPartsOf, type ActionKind, type BotId, type BotTask, type BotTaskKind, type CertificateDetail, type CertificateId, type ConfigurationInput, type CsrRequest, type DeployResult, type DetectedSlot, type HostScan, type KeyAlgorithm, type KeyId, type ServedCertificate, type TargetInspection, type WireError } from '@certloop/contract'
import { createCsr, generateKey, type KeyUsage } from '@certloop/pki'
import { tempFolder } from '@certloop/test-kit'
import { listAuthorities } from './authority/authority-store.ts'
import { insertBot, updateBot } from './bot/bot-store.ts'
import { leaseWork, reportProgress, reportResult, type LeaseDeps } from './bot/leases.ts'
import { insertCertificate } from './certificate/certificate-store.ts'
import { refreshCertificate } from './certificate/certificate-refresh.ts'
import { readCertificateDetail } from './certificate/certificate-view.ts'
import { makeParts } from './control-plane.ts'
import type { Database } from './database/database.ts'
import { testClock } from './http/http-testing.ts'
import { ensureBuiltInAuthority } from './local-ca/built-in-authority.ts'
import { createLocalCa } from './local-ca/local-ca.ts'
import { readInstalled } from './proof/inspection.ts'
import { startAction, type StartAction } from './provisioning/actions.ts'
import { findAction } from './provisioning/action-store.ts'
import { configure } from './provisioning/configuration.ts'
import { loadMasterKey } from './secret/master-key.ts'
import { createSecrets } from './secret/secrets.ts'
import { leaseTasks } from './task/task-store.ts'
import { watch } from './task/watchdog.ts'
import { runTask, type WorkerDeps } from './task/task-worker.ts'
import type { Outside } from './validation/validation-deps.ts'
import { createWayOut } from './way-out.ts'

export const host = { hostName: 'host', os: 'Linux', osVersion: '6', arch: 'x64', addresses: [] }
/** Fields of a place on a host. */
export const place = (name: string) => ({ configurationPath: '/etc/nginx/nginx.conf', certificatePath: `/etc/ssl/${name}.crt`, keyPath: `/etc/ssl/${name}.key` })
const fingerprintOf = (pem: string) => readInstalled(pem).first?.fingerprint ?? null

/** A host as its bot sees it: what is installed at each place. Makes real keys and requests, and can be told to fail. */
export interface TestBot {
  readonly id: BotId
  readonly installed: Map<string, string>
  readonly keys: Map<KeyId, string>
  /** What each deployment found in its place; undefined: nothing. */
  readonly replaced: Map<string, string | undefined>
  /** Answers tasks of this kind with this failure, or result. */
  readonly fails: Map<BotTaskKind, WireError>
  /** Answers tasks of this kind with this. */
  readonly answers: Map<BotTaskKind, unknown>
  /** Kinds it never answers. */
  readonly silent: Set<BotTaskKind>
  readonly done: BotTask[]
  /** What secrets are sealed for. */
  readonly encryptionKey: KeyObject
}

/** Does the work of the control plane and of the bots, by hand. */
function makeRunner(workerDeps: WorkerDeps, leaseDeps: LeaseDeps, bots: readonly TestBot[]) {
  const { database, now } = workerDeps
  /** Runs every task of the control plane that is due, and those that follow; fails when there is no end to them. */
  async function runPlane(most = 200): Promise<number> {
    let count = 0
    for (;;) {
      const tasks = await leaseTasks(database, 'control-plane', { owner: 'world', max: 8, seconds: 60 }, now())
      for (const task of tasks) await runTask(workerDeps, task)
      count += tasks.length
      assert.ok(count <= most, `more than ${most} tasks ran without the clock moving`)
      if (tasks.length === 0) return count
    }
  }
  async function runBot(bot: TestBot): Promise<number> {
    const tasks = await leaseWork(leaseDeps, bot.id, { bootId: 'boot-0001', waitSeconds: 0, max: 20 }, new AbortController().signal)
    for (const task of tasks.filter(({ kind }) => !bot.silent.has(kind))) {
      bot.done.push(task)
      const error = bot.fails.get(task.kind)
      await reportResult(leaseDeps, bot.id, task.id, { fence: task.fence, result: error ? { ok: false, error } : { ok: true, data: bot.answers.get(task.kind) ?? await answer(bot, task, now()) } })
    }
    return tasks.length
  }
  /** Everything that can be done now, by everybody. */
  async function settle(): Promise<void> {
    for (;;) {
      let count = await runPlane()
      for (const bot of bots) count += await runBot(bot)
      if (count === 0) return
    }
  }
  return { runPlane, runBot, settle }
}

/** Nothing stands in the way of a proof; whether one is to be seen, the test says. */
function blindView(sight: { visible: boolean }, now: () => Date): Outside {
  const look = async () => ({ at: now().toISOString(), visible: sight.visible, findings: [{ ok: sight.visible, title: 'the world', seen: sight.visible ? 'the proof' : 'nothing', error: null }] })
  return { look, preflight: async () => ({ at: now().toISOString(), visible: true, findings: [] }), delegatedName: async (name) => ({ name, chain: [] }) }
}

/** The domains of a control plane on one database, with a clock that tests move and hosts that are made up. */
export async function makeWorld(t: TestContext, database: Database) {
  const clock = testClock()
  const { now } = clock
  const masterKey = await loadMasterKey({ environmentKey: undefined, dataFolder: await tempFolder(t, 'keys'), database })
  const secrets = await createSecrets({ database, masterKey, now })
  const localCa = createLocalCa({ database, secrets, now })
  await localCa.ensureHierarchy()
  await database.transaction((tx) => ensureBuiltInAuthority(tx, now()))
  const sight = { visible: false }
  const parts = makeParts(now, { database, localCa, secrets }, { wayOut: createWayOut({ allow: ['private', '127.0.0.0/8', '::1'], version: 'test' }), random: () => 0.5, view: blindView(sight, now) }, undefined, { ownHostName: 'here', loopback: true })
  const logged: { level: string; message: string; facts: Record<string, unknown> }[] = []
  const log = (level: 'info' | 'warn' | 'error', message: string, facts: Record<string, unknown>) => { logged.push({ level, message, facts }) }
  const workerDeps = { database, kinds: parts.planeKinds, now, random: () => 0.5, log }
  const leaseDeps: LeaseDeps = { database, handlers: parts.botKinds, now, closing: new AbortController().signal }
  const bots: TestBot[] = []

  const runner = makeRunner(workerDeps, leaseDeps, bots)
  async function addBot(name: string, purpose: 'both' | 'discovery' = 'both'): Promise<TestBot> {
    const { privateKey: encryptionKey, publicKey } = generateKeyPairSync('x25519')
    const encryptionKeyPem = publicKey.export({ type: 'spki', format: 'pem' })
    const id = await database.transaction(async (tx) => {
      const made = await insertBot(tx, { name, purpose }, now())
      await updateBot(tx, made, { encryptionKeyPem, joinedAt: now().toISOString(), lastContactAt: now().toISOString() })
      return made
    })
    const bot: TestBot = { id, installed: new Map(), keys: new Map(), replaced: new Map(), fails: new Map(), answers: new Map(), silent: new Set(), done: [], encryptionKey }
    bots.push(bot)
    return bot
  }
  async function addCertificate(names: string[]): Promise<CertificateId> {
    return database.transaction(async (tx, wake) => {
      const id = await insertCertificate(tx, { name: names[0] ?? '', names, management: 'managed', status: 'configuration-pending' }, now())
      await refreshCertificate(tx, wake, id, now())
      return id
    })
  }
  async function configurationWith(targets: ConfigurationInput['targets'], changes: Partial<ConfigurationInput> = {}): Promise<ConfigurationInput> {
    const [authority] = await listAuthorities(database.db)
    return {
      complete: true, targets, authorityId: authority?.id ?? null, csr: { commonName: null, names: [], keyAlgorithm: 'ec-256', keyReuse: false, validityDays: 90 },
      renewal: { enabled: true, daysBefore: 30, time: '03:00', zone: 'UTC' }, deployAfterRenewal: true, rollback: true, approval: 'automatic', ...changes,
    }
  }
  const target = (bot: TestBot, name: string): ConfigurationInput['targets'][0] => ({ botId: bot.id, serverType: 'nginx', fields: place(name) })
  const save = (id: CertificateId, input: ConfigurationInput) => database.transaction((tx, wake) => configure(tx, wake, parts.deps, id, input, 'user:test'))
  /** A certificate with one target on each of these bots, configured whole. */
  async function configured(name: string, on: readonly TestBot[], changes: Partial<ConfigurationInput> = {}): Promise<CertificateId> {
    const id = await addCertificate([name])
    await save(id, await configurationWith(on.map((bot) => target(bot, name)), changes))
    return id
  }
  const detail = (id: CertificateId): Promise<CertificateDetail> => readCertificateDetail(database.db, secrets, id, now())
  async function start(id: CertificateId, kind: ActionKind, more: Partial<StartAction> = {}) {
    return database.transaction((tx, wake) => startAction(tx, wake, { certificateId: id, kind, requester: 'user:test', ...more }, secrets, now()))
  }
  /** Starts an action and does everything that follows. */
  async function act(id: CertificateId, kind: ActionKind, more: Partial<StartAction> = {}) {
    const action = await start(id, kind, more)
    await runner.settle()
    const ended = await findAction(database.db, action.id)
    assert.ok(ended)
    return ended
  }
  const watchNow = () => watch({ database, planeKinds: parts.planeKinds, botKinds: parts.botKinds, now, log })
  return { clock, now, database, localCa, secrets, sight, watch: watchNow, ...parts, workerDeps, leaseDeps, logged, bots, ...runner, addBot, addCertificate, configurationWith, target, save, configured, detail, start, act }
}
export type World = Awaited<ReturnType<typeof makeWorld>>

const served = (pem: string | undefined, now: Date): ServedCertificate[] =>
  [{ endpoint: { address: '127.0.0.1', port: 443, serverName: 'x', keyType: null }, fingerprint: pem === undefined ? null : fingerprintOf(pem), error: pem === undefined ? 'refused' : null, at: now.toISOString() }]

export function inspectionOf(pem: string | undefined, now: Date): TargetInspection {
  return { at: now.toISOString(), installedPem: pem ?? null, served: served(pem, now) }
}
export function slotOf(name: string, pem: string | null, now: Date): DetectedSlot {
  return { title: `nginx: ${place(name).certificatePath}`, fields: place(name), names: [name], served: pem === null ? [] : served(pem, now), installedPem: pem, problem: null }
}
export function scanOf(slots: DetectedSlot[], now: Date, problem: WireError | null = null): HostScan {
  const server = { serverType: 'nginx', key: '/etc/nginx/nginx.conf', title: 'nginx', version: '1', process: { pid: 1, user: 'root', command: 'nginx', service: null, container: null }, slots, problem }
  return { at: now.toISOString(), host, servers: [server], listeners: [], problems: [] }
}

interface AnsweredPayload { names: string[]; commonName: string | null; keyAlgorithm: KeyAlgorithm; reuseKeyId?: KeyId | null; request?: CsrRequest; deploymentId: string; undoes: string; target: { fields: Record<string, string> }; material: { chainPem: string[] } }

/** What a bot does with a task. */
async function answer(bot: TestBot, { kind, payload }: BotTask, now: Date): Promise<unknown> {
  const p = payload as AnsweredPayload
  if (kind === 'scan-host') return scanOf([...bot.installed].map(([path, pem]) => slotOf(path.replace(/^\/etc\/ssl\/|\.crt$/g, ''), pem, now)), now)
  if (kind === 'make-csr') return makeCsr(bot, p, now)
  const path = p.target.fields['certificatePath'] ?? ''
  if (kind === 'plan-deployment') return sealPlan({ serverType: 'nginx', observed: [], steps: [] })
  if (kind === 'deploy') {
    bot.replaced.set(p.deploymentId, bot.installed.get(path))
    return install(bot, path, p.material.chainPem.join('\n'), now)
  }
  if (kind === 'undo-deployment') return install(bot, path, bot.replaced.get(p.undoes), now)
  return inspectionOf(bot.installed.get(path), now)
}

function install(bot: TestBot, path: string, pem: string | undefined, now: Date): DeployResult {
  if (pem === undefined) bot.installed.delete(path)
  else bot.installed.set(path, pem)
  return { outcome: 'deployed', touched: true, error: null, differences: [], inspection: inspectionOf(pem, now), log: [] }
}

async function makeCsr(bot: TestBot, p: AnsweredPayload, now: Date): Promise<{ keyId: KeyId; csrPem: string }> {
  const keyId: KeyId = p.reuseKeyId ?? newId('key', now)
  const privateKeyPem = bot.keys.get(keyId) ?? await generateKey(p.keyAlgorithm)
  bot.keys.set(keyId, privateKeyPem)
  const { subject, signatureAlgorithm, keyUsages = [], extendedKeyUsages = [], mustStaple = false } = p.request ?? {}
  return { keyId, csrPem: await createCsr({
    privateKeyPem, commonName: p.commonName, names: p.names, mustStaple, keyUsage: keyUsages as KeyUsage[], extendedKeyUsage: extendedKeyUsages,
    ...(subject ? { subject: subjectPartsOf(subject) } : {}), ...(signatureAlgorithm ? { hash: signatureAlgorithm } : {}),
  }) }
}
export { reportProgress, reportResult, leaseWork }
