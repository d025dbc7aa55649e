import { CertloopError, type BotId, type ErrorCode, type OutsideLook, type ValidationMethod } from '@certloop/contract'
import type { ProofWay } from '@certloop/plugin-kit'
import { toJson } from '../database/columns.ts'
import { getBot } from '../bot/bot-store.ts'
import type { Database, Tx } from '../database/database.ts'
import { addEvent, listEvents } from '../event/event-store.ts'
import type { Commit } from '../task/task-kinds.ts'
import type { Task } from '../task/task-store.ts'
import { pokeOrder } from '../order/order-task.ts'
import { mailSoon } from './instructions-mail.ts'
import type { ValidationDeps } from './validation-deps.ts'
import { changeValidation, fullName, stays, wayOf, type ValidationChange, type ValidationRow } from './validation-store.ts'
import { askToPlace, comeAgain, endValidation } from './validation-tasks.ts'
import { expectedOf, seenWords } from './validation-words.ts'

/** Nothing that is placed could cure these. */
const hopeless: ReadonlySet<ErrorCode> = new Set(['CAA_FORBIDS', 'DNS_NAME_UNKNOWN', 'DNS_DELEGATION_BROKEN'])
const handMinuteMs = 60_000
const mostEvents = 500

const methodLookedAt = (way: ProofWay, method: ValidationMethod): ValidationMethod => (method !== 'manual' ? method : way.kind === 'dns' ? 'dns' : 'file')

async function preflight({ database, authorityOf, outside }: ValidationDeps, row: ValidationRow, way: ProofWay): Promise<OutsideLook> {
  const connector = await authorityOf(database.db, row.authorityId)
  return outside.preflight({
    name: row.name, type: row.nameType, wildcard: row.wildcard === 1, method: methodLookedAt(way, row.method), caa: await connector.caa?.() ?? null,
    httpPort: way.kind === 'http' ? way.port : 80, tlsPort: way.kind === 'tls-alpn' ? way.port : 443,
  })
}

/** @throws CertloopError BOT_REVOKED, BOT_NOT_JOINED: it would wait for ever */
async function checkBot({ db }: Database, id: BotId | null): Promise<void> {
  const bot = id ? await getBot(db, id) : undefined
  if (!bot) throw new CertloopError('CONFIGURATION_INCOMPLETE', 'The configuration names no bot that could place the proof.')
  if (bot.revokedAt) throw new CertloopError('BOT_REVOKED', `The bot "${bot.name}" was to place the proof, and is revoked. Name another in the configuration.`, { botId: bot.id })
  if (!bot.joinedAt) throw new CertloopError('BOT_NOT_JOINED', `The bot "${bot.name}" was to place the proof, and has not joined yet.`, { botId: bot.id })
}

type Begun = ValidationChange & { event: 'place' | 'hand' | 'ready' }
const byBot = (row: ValidationRow): Begun => ({ event: 'place', reason: `The bot is asked to ${row.method === 'file' ? `place the file ${row.recordName} below ${row.zone}` : `answer on ${row.recordName}`} for ${row.name}.`, nextAction: 'The bot does it, then it is looked for from outside.' })
const byHand = (row: ValidationRow): Begun => ({ event: 'hand', reason: `${fullName(row)} waits for somebody to place the proof.`, nextAction: 'Follow the instructions; it is looked for by itself.' })
const byItself = (row: ValidationRow): Begun => ({ event: 'ready', reason: `The control plane answers for ${row.name}.`, nextAction: 'It is looked for from outside before the authority is told.' })

async function byProvider({ outside, records }: ValidationDeps, row: ValidationRow, wanted: string): Promise<Begun> {
  const { name: recordName, chain } = await outside.delegatedName(wanted)
  const { providerId, zone } = await records.placeFor(recordName, row.dnsProviderId)
  const by = chain.length > 0 ? ` (where ${wanted} leads by CNAME)` : ''
  return { event: 'place', reason: `The TXT record ${recordName}${by} is to be written in the zone ${zone}.`, nextAction: 'The DNS provider is asked.', columns: { recordName, zone, dnsProviderId: providerId } }
}
/** A standing record may be there already; where no provider of ours holds the zone, a person writes it, once. */
async function standing(deps: ValidationDeps, row: ValidationRow, wanted: string): Promise<Begun> {
  const expected = expectedOf(row)
  const seen = expected ? await deps.outside.look(expected) : undefined
  if (seen?.visible) return { event: 'ready', reason: `The standing record ${wanted} is there.`, nextAction: 'The authority is told to look.', columns: { lastLook: toJson(seen) } }
  try {
    return await byProvider(deps, row, wanted)
  } catch (error) {
    if (error instanceof CertloopError && error.code === 'DNS_ZONE_NOT_FOUND' && row.dnsProviderId === null) return byHand(row)
    throw error
  }
}

async function howItBegins(deps: ValidationDeps, row: ValidationRow, way: ProofWay): Promise<Begun> {
  if (row.method === 'file' || row.method === 'tls-alpn') {
    await checkBot(deps.database, row.botId)
    return byBot(row)
  }
  if (row.method === 'http') return byItself(row)
  if (row.method === 'manual' || way.kind !== 'dns') return byHand(row)
  return stays(row) ? standing(deps, row, way.recordName) : byProvider(deps, row, way.recordName)
}

/** What only might be in the way is told once for each cause, not for each of a hundred names: later looks take the place of this one. */
async function tellDoubts(tx: Tx, row: ValidationRow, { findings }: OutsideLook, now: Date): Promise<void> {
  const told = new Set((await listEvents(tx, { orderId: row.orderId }, mostEvents)).filter(({ kind }) => kind === 'validation.doubts').map(({ error }) => error?.code))
  const doubts = findings.filter(({ error }) => error !== null && !told.has(error.code))
  const [first] = doubts
  if (!first) return
  await addEvent(tx, { kind: 'validation.doubts', message: `Before the proof of ${fullName(row)} is placed: ${doubts.map(seenWords).join(' ')}`, error: first.error, certificateId: row.certificateId, orderId: row.orderId }, now)
}

/** Looks at what would be in the way, then writes down what goes where, and has it placed. Nothing is placed before that is committed. */
export async function beginValidation(deps: ValidationDeps, row: ValidationRow, task: Task): Promise<Commit> {
  const { now } = deps
  const way = wayOf(row)
  if (!way) throw new CertloopError('INTERNAL', `Validation ${row.id} has no way.`)
  const before = await preflight(deps, row, way)
  const obstacle = before.findings.find(({ ok, error }) => !ok && error !== null && hopeless.has(error.code))?.error
  if (obstacle) {
    const error = new CertloopError(obstacle.code, obstacle.message, obstacle.facts)
    return async (tx, wake) => {
      await endValidation(tx, wake, row, { event: 'failed', reason: error.message, nextAction: error.spec.remedy, error: obstacle, columns: { lastLook: toJson(before) } }, now())
      await pokeOrder(tx, wake, row.orderId, now())
    }
  }
  const begun = await howItBegins(deps, row, way)
  return async (tx, wake) => {
    await tellDoubts(tx, row, before, now())
    const next = await changeValidation(tx, wake, row, { ...begun, columns: { lastLook: toJson(before), ...begun.columns } }, now())
    if (next.state === 'placing' && next.botId) return askToPlace(tx, wake, next, now())
    if (next.state === 'waiting') await mailSoon(tx, wake, next, now())
    await comeAgain(tx, wake, task, next.state === 'waiting' ? new Date(now().getTime() + handMinuteMs) : now())
  }
}
