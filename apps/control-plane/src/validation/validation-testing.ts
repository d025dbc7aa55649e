import assert from 'node:assert/strict'
import { CertloopError, newId, type AuthorityId, type BotId, type BotTask, type BotTaskKind, type CertificateId, type DnsProviderId, type OutsideLook, type PlaceProofPayload, type ProofExpected, type ValidationId, type ValidationInput, type WireError } from '@certloop/contract'
import type { AuthorityConnector, ProofWay, TextRecord, WantedProof } from '@certloop/plugin-kit'
import { insertBot, updateBot } from '../bot/bot-store.ts'
import { leaseWork, reportResult, type LeaseDeps } from '../bot/leases.ts'
import { insertCertificate } from '../certificate/certificate-store.ts'
import type { Database } from '../database/database.ts'
import { listEvents } from '../event/event-store.ts'
import { testClock, type TestClock } from '../http/http-testing.ts'
import { getAttempt, insertAttempt, updateAttempt, type AttemptRow } from '../order/attempt-store.ts'
import { changeOrder, getOrder, insertOrder, type OrderRow } from '../order/order-store.ts'
import { removeTask, leaseTasks } from '../task/task-store.ts'
import type { BotTaskHandler, PlaneTaskKind } from '../task/task-kinds.ts'
import { runTask, type WorkerDeps } from '../task/task-worker.ts'
import { watch } from '../task/watchdog.ts'
import { cleanValidationKind } from './clean-validation.ts'
import { sendMailKind } from './instructions-mail.ts'
import type { Mailer } from './mailer.ts'
import { placeProofHandler, removeProofHandler } from './place-proof.ts'
import { sweepKind, sweepSoon } from './sweep-validations.ts'
import { endValidations, syncValidations, type Synced } from './sync.ts'
import type { Outside, Records, ValidationDeps } from './validation-deps.ts'
import { getValidation, validationsOf, type ValidationRow } from './validation-store.ts'
import { advanceValidationKind } from './validation-worker.ts'

export const at = '2026-03-01T00:00:00.000Z'
export const token = (id: string) => `/.well-known/acme-challenge/${id}`
const digest = 'ab'.repeat(32)
/** A name to be proven, with the ways that ACME authorities offer. */
export function wanted(name: string, changes: Partial<WantedProof> = {}): WantedProof {
  const id = changes.id ?? `proof-of-${changes.wildcard ? 'any.' : ''}${name}`
  const dns: ProofWay = { id: `${id}/dns`, kind: 'dns', recordName: `_acme-challenge.${name}`, recordType: 'TXT', value: `value-of-${id}`, persist: false }
  const others: ProofWay[] = [{ id: `${id}/http`, kind: 'http', path: token(id.replaceAll('.', '-')), content: `${id}.key`, port: 80 }, { id: `${id}/tls`, kind: 'tls-alpn', digest, port: 443 }]
  return { id, name, type: 'dns', wildcard: false, state: 'wanted', ways: changes.wildcard ? [dns] : [dns, ...others], ...changes }
}
export const persistent = (name: string): WantedProof => wanted(name, { ways: [{ id: 'standing', kind: 'dns', recordName: `_validation-persist.${name}`, recordType: 'TXT', value: 'ca.test; accounturi=https://ca.test/1', persist: true }] })

/** DNS as its provider holds it: what is written there can be looked up, and a failure of it can be made. */
export function makeZones() {
  const values = new Map<string, Set<string>>()
  const added: string[] = []
  const state = { fails: undefined as CertloopError | undefined, gone: false, zones: ['example.com'], aliases: new Map<string, string>() }
  const providerId = newId('dnp', new Date(at))
  const key = ({ name }: Pick<TextRecord, 'name'>) => name
  const ask = () => { if (state.fails) throw state.fails }
  const records: Records = {
    async placeFor(name) {
      ask()
      const zone = state.zones.find((each) => name === each || name.endsWith(`.${each}`))
      if (!zone) throw new CertloopError('DNS_ZONE_NOT_FOUND', `No DNS provider holds the zone of ${name}.`)
      return { providerId, zone }
    },
    async add(_id, record) {
      ask()
      values.set(key(record), (values.get(key(record)) ?? new Set()).add(record.value))
      added.push(record.name)
      return { recordId: `id-of-${record.name}` }
    },
    async remove(_id, record) {
      if (state.gone) throw new CertloopError('NOT_FOUND', 'There is no such DNS provider.')
      ask()
      values.get(key(record))?.delete(record.value)
      if (values.get(key(record))?.size === 0) values.delete(key(record))
    },
  }
  return { values, added, state, records, providerId: providerId satisfies DnsProviderId }
}

const finding = (ok: boolean, title: string, seen: string, error: CertloopError | null): OutsideLook['findings'][0] => ({ ok, title, seen, error: error?.toWire() ?? null })
/** The world as it is seen from outside: the records of the zones, and what the hosts and people have placed. */
export function makeOutside(now: () => Date, zones: ReturnType<typeof makeZones>, served: Map<string, string>) {
  const looks: ProofExpected[] = []
  const obstacles: CertloopError[] = []
  const report = (visible: boolean, findings: OutsideLook['findings']): OutsideLook => ({ at: now().toISOString(), visible, findings })
  const outside: Outside = {
    async look(expected) {
      looks.push(expected)
      const place = expected.kind === 'dns' ? expected.recordName : expected.kind === 'http' ? expected.url : `tls:${expected.name}`
      const target = expected.kind === 'dns' ? zones.state.aliases.get(expected.recordName) ?? expected.recordName : place
      const isThere = expected.kind === 'dns' ? zones.values.get(target)?.has(expected.value) === true || served.get(place) === expected.value : served.get(place) === (expected.kind === 'http' ? expected.content : expected.digest)
      return report(isThere, [finding(isThere, place, isThere ? 'the proof' : 'nothing', isThere ? null : new CertloopError('VALIDATION_NOT_VISIBLE', `There is nothing at ${place}.`))])
    },
    preflight: async () => report(obstacles.length === 0, obstacles.map((error) => finding(false, 'before', error.message, error))),
    delegatedName: async (name) => ({ name: zones.state.aliases.get(name) ?? name, chain: zones.state.aliases.has(name) ? [name] : [] }),
  }
  return { outside, looks, obstacles }
}

/** A bot that is answered for by hand: what it has placed on its host. */
export interface ProofBot { id: BotId; placed: Map<ValidationId, PlaceProofPayload['proof']>; fails: Map<BotTaskKind, WireError>; silent: boolean; done: BotTask[] }
const addressOf = (proof: PlaceProofPayload['proof'], name: string) => (proof.kind === 'file' ? `http://${name}${proof.path}` : `tls:${proof.name}`)

function answerFor(bot: ProofBot, served: Map<string, string>, task: BotTask, name: string): unknown {
  const { validationId, proof } = task.payload as PlaceProofPayload
  if (task.kind === 'place-proof') {
    bot.placed.set(validationId, proof)
    served.set(addressOf(proof, name), proof.kind === 'file' ? proof.content : proof.digest)
    return { where: proof.kind === 'file' ? `${proof.folder}${proof.path}` : proof.listenOn }
  }
  served.delete(addressOf(proof, name))
  return { removed: bot.placed.delete(validationId), left: null }
}

interface Running { clock: TestClock; workerDeps: WorkerDeps; leaseDeps: LeaseDeps; bots: readonly ProofBot[]; served: Map<string, string> }
/** Does the work of the control plane and of the bots, by hand. */
function makeRunner({ clock, workerDeps, leaseDeps, bots, served }: Running) {
  const { database, now } = workerDeps
  async function runPlane(most = 300): Promise<number> {
    let count = 0
    for (;;) {
      const tasks = await leaseTasks(database, 'control-plane', { owner: 'world', max: 8, seconds: 60 }, now())
      for (const task of tasks) await runTask(workerDeps, task)
      count += tasks.length
      assert.ok(count <= most, `more than ${most} tasks ran without the clock moving`)
      if (tasks.length === 0) return count
    }
  }
  async function runBot(bot: ProofBot): Promise<number> {
    if (bot.silent) return 0
    const tasks = await leaseWork(leaseDeps, bot.id, { bootId: 'boot-0001', waitSeconds: 0, max: 20 }, new AbortController().signal)
    for (const task of tasks) await answer(bot, task)
    return tasks.length
  }
  async function answer(bot: ProofBot, task: BotTask): Promise<void> {
    bot.done.push(task)
    const error = bot.fails.get(task.kind)
    const { name } = await getValidation(database.db, (task.payload as PlaceProofPayload).validationId)
    await reportResult(leaseDeps, bot.id, task.id, { fence: task.fence, result: error ? { ok: false, error } : { ok: true, data: answerFor(bot, served, task, name) } })
  }
  async function settle(): Promise<void> {
    for (;;) {
      let count = await runPlane()
      for (const bot of bots) count += await runBot(bot)
      if (count === 0) return
    }
  }
  /** Time goes by, and everything that falls due meanwhile is done. */
  async function pass(seconds: number, step = 60): Promise<void> {
    for (let left = seconds; left > 0; left -= step) {
      clock.pass(Math.min(step, left))
      await settle()
    }
  }
  return { runPlane, runBot, answer, settle, pass }
}

/** What an authority is told. */
function makeAuthority() {
  const authority = { proved: [] as string[], fails: undefined as CertloopError | undefined }
  const connector = {
    kind: 'made-up', keyAlgorithms: ['ec-256'], validationMethods: ['http'], certificateTypes: ['dv'], caa: async () => ({ identities: ['ca.test'], accountUri: null }),
    prove: async (_handle: unknown, { id, wayId }: { id: string; wayId: string }) => {
      if (authority.fails) throw authority.fails
      authority.proved.push(`${id} ${wayId}`)
    },
  } as unknown as AuthorityConnector
  return { authority, connector }
}

/** Validations with all that they meet, on one database: an authority that keeps what it is told, and a clock that tests move. */
export async function makeValidations(database: Database, mailer: Mailer | null = null) {
  const clock = testClock(at)
  const { now } = clock
  const zones = makeZones()
  const served = new Map<string, string>()
  const seen = makeOutside(now, zones, served)
  const { authority, connector } = makeAuthority()
  const deps: ValidationDeps = { database, now, authorityOf: async () => connector, outside: seen.outside, records: zones.records, mailer, publicUrl: () => 'https://certloop.test' }
  const poked: string[] = []
  const order: PlaneTaskKind = { run: async (task) => async () => { poked.push(task.subject) }, failed: async () => {} }
  const kinds = { 'advance-validation': advanceValidationKind(deps), 'clean-validation': cleanValidationKind(deps), 'send-mail': sendMailKind(deps), 'sweep-validations': sweepKind(deps), 'submit-order': order }
  const unused: BotTaskHandler = { completed: async () => {}, failed: async () => {} }
  const handlers = { 'scan-host': unused, 'make-csr': unused, 'plan-deployment': unused, 'deploy': unused, 'undo-deployment': unused, 'inspect-target': unused, 'place-proof': placeProofHandler(deps), 'remove-proof': removeProofHandler(deps) } satisfies Record<BotTaskKind, BotTaskHandler>
  const logged: { message: string; facts: Record<string, unknown> }[] = []
  const workerDeps: WorkerDeps = { database, kinds, now, random: () => 0.5, log: (_level, message, facts) => { logged.push({ message, facts }) } }
  const leaseDeps: LeaseDeps = { database, handlers, now, closing: new AbortController().signal }
  const bots: ProofBot[] = []

  async function addBot(name: string): Promise<ProofBot> {
    const id = await database.transaction(async (tx) => {
      const made = await insertBot(tx, { name, purpose: 'both' }, now())
      await updateBot(tx, made, { joinedAt: now().toISOString(), lastContactAt: now().toISOString() })
      return made
    })
    const bot: ProofBot = { id, placed: new Map(), fails: new Map(), silent: false, done: [] }
    bots.push(bot)
    return bot
  }
  /** An order in processing, with the request at its authority. */
  async function addOrder(names: string[], validation: ValidationInput, botId: BotId | null = null): Promise<{ order: OrderRow; attempt: AttemptRow }> {
    return database.transaction(async (tx, wake) => {
      const certificateId: CertificateId = await insertCertificate(tx, { name: names[0] ?? '', names, management: 'managed', status: 'configured' }, now())
      const authorityId: AuthorityId = newId('ath', now())
      const made = await insertOrder(tx, wake, { certificateId, actionId: null, authorityId, commonName: null, keyAlgorithm: 'ec-256', validityDays: null, custody: 'endpoint', botId, reuseKeyId: null, csrPem: 'x', requester: 'user:test', reason: 'Ordered.', nextAction: null, names, deadline: new Date(now().getTime() + 86_400_000), validation: JSON.stringify(validation) }, now())
      const processing = await changeOrder(tx, wake, made, { event: 'csrReady', message: 'ready', deadline: new Date(now().getTime() + 86_400_000) }, now())
      const attempt = await insertAttempt(tx, { orderId: made.id, authorityId, position: 0, reason: 'The first.' }, now())
      await updateAttempt(tx, attempt.id, { state: 'submitted', handle: '{"orderUrl":"https://ca.test/order/1"}', submissions: 1 })
      return { order: processing, attempt: { ...attempt, submissions: 1 } }
    })
  }
  const sync = async ({ order: { id }, attempt }: { order: OrderRow; attempt: AttemptRow }, proofs: WantedProof[], expires: Date | null = null): Promise<Synced> =>
    database.transaction(async (tx, wake) => syncValidations(tx, wake, { order: await getOrder(tx, id), attempt: await getAttempt(tx, attempt.id), proofs, expires }, now()))
  /** The attempt ends, as its order's worker ends it. */
  const end = async ({ id }: AttemptRow, state: 'issued' | 'failed' | 'cancelled'): Promise<void> => database.transaction(async (tx, wake) => {
    await updateAttempt(tx, id, { state, endedAt: now().toISOString() })
    await endValidations(tx, wake, id, `The attempt ended ${state}.`, now())
  })
  const runner = makeRunner({ clock, workerDeps, leaseDeps, bots, served })
  const all = (attempt: AttemptRow): Promise<ValidationRow[]> => validationsOf(database.db, attempt.id)
  async function one(attempt: AttemptRow): Promise<ValidationRow> {
    const rows = await all(attempt)
    const [row] = rows
    assert.ok(row && rows.length === 1, `${rows.length} validations`)
    return row
  }
  const events = async (order_: OrderRow) => (await listEvents(database.db, { orderId: order_.id }, 200)).toReversed().map(({ kind }) => kind).filter((kind) => kind.startsWith('validation.'))
  const sweep = () => database.transaction((tx, wake) => sweepSoon(tx, wake, now()))
  /** A task as if it had never been added, or was lost with its process. */
  const lose = (dedupe: string) => database.transaction((tx) => removeTask(tx, dedupe))
  const watchNow = () => watch({ database, planeKinds: kinds, botKinds: handlers, now, log: workerDeps.log })
  return { database, clock, now, zones, served, ...seen, authority, deps, poked, kinds, handlers, workerDeps, leaseDeps, logged, bots, addBot, addOrder, sync, end, ...runner, all, one, events, sweep, lose, watch: watchNow }
}
export type Validations = Awaited<ReturnType<typeof makeValidations>>
