import { createHash, createPublicKey, randomBytes, timingSafeEqual } from 'node:crypto'
import { CertloopError, encodeJoinToken, newId, type BotId, type JoinRequest, type JoinResponse } from '@certloop/contract'
import { iso, toJson } from '../database/columns.ts'
import type { Database, Db, Tx } from '../database/database.ts'
import { addEvent, announce } from '../event/event-store.ts'
import { addTask } from '../task/task-store.ts'
import { findJoinToken, getBot, insertBot, insertJoinToken, updateBot, useJoinToken, type BotPurpose, type BotRow, type JoinTokenRow } from './bot-store.ts'

const defaultWindowHours = 24
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

export interface JoinDeps {
  database: Database
  now: () => Date
  publicUrl: () => string
  /** SHA-256 of the SPKI of the trust anchor, hex. */
  trustPin: () => Promise<string>
  /** An identity certificate for the key of a bot, PEM. */
  issueIdentity(bot: { id: BotId; publicKeyPem: string }): Promise<string>
}
export interface NewBot { name: string; purpose?: BotPurpose | undefined; activeFrom?: string | undefined; expiresAt?: string | undefined; requester: string }

/** Announces a bot and makes its join token, whose text is known only now. @throws CertloopError INPUT_INVALID for a window that ends before it begins */
export async function announceBot(deps: JoinDeps, input: NewBot): Promise<{ botId: BotId; joinToken: string; expiresAt: string }> {
  const now = deps.now()
  const activeFrom = input.activeFrom ? new Date(input.activeFrom) : now
  const expiresAt = input.expiresAt ? new Date(input.expiresAt) : new Date(activeFrom.getTime() + defaultWindowHours * 3_600_000)
  if (expiresAt <= activeFrom || expiresAt <= now) throw new CertloopError('INPUT_INVALID', 'The activation window ends before it begins.', { fields: ['body.expiresAt: must lie after activeFrom and in the future'] })
  const secret = randomBytes(32).toString('base64url')
  const [id, pin] = [newId('jtk', now), await deps.trustPin()]
  const botId = await deps.database.transaction(async (tx, wake) => {
    const made = await insertBot(tx, { name: input.name, purpose: input.purpose ?? 'both' }, now)
    await insertJoinToken(tx, { id, botId: made, secretHash: sha256(secret), activeFrom: iso(activeFrom), expiresAt: iso(expiresAt) }, now)
    await addEvent(tx, { kind: 'bot.announced', message: `The bot "${input.name}" may join until ${iso(expiresAt)}.`, requester: input.requester, botId: made }, now)
    announce(wake, 'bot', made)
    return made
  })
  return { botId, joinToken: encodeJoinToken({ url: deps.publicUrl(), pin, id, secret }), expiresAt: iso(expiresAt) }
}

function checkSecret(token: JoinTokenRow | undefined, secret: string): asserts token is JoinTokenRow {
  const unknown = () => new CertloopError('JOIN_TOKEN_UNKNOWN', 'This join token is not known here.')
  if (!token || !timingSafeEqual(Buffer.from(token.secretHash, 'hex'), Buffer.from(sha256(secret), 'hex'))) throw unknown()
}

function checkWindow(token: JoinTokenRow, now: Date): void {
  if (new Date(token.activeFrom) > now) throw new CertloopError('JOIN_TOKEN_NOT_YET_ACTIVE', `The join token works from ${token.activeFrom}.`)
  if (new Date(token.expiresAt) <= now) throw new CertloopError('JOIN_TOKEN_EXPIRED', `The join token worked until ${token.expiresAt}.`)
}

/** The answer to a token that is used up: as before for the key that used it, since its answer may have been lost on the way. */
async function answerAgain(db: Db | Tx, { botId, expiresAt }: JoinTokenRow, publicKeyPem: string, now: Date): Promise<JoinResponse> {
  const bot = await getBot(db, botId)
  const { name, purpose, identityPem, joinedAt } = bot
  const isSame = identityPem !== null && bot.publicKeyPem === publicKeyPem && new Date(expiresAt) > now
  if (!isSame) throw new CertloopError('JOIN_TOKEN_USED', `The join token was used at ${joinedAt}.`)
  refuseRevoked(bot)
  return { botId, name, purpose, identityPem }
}

function refuseRevoked({ name, revokedAt }: BotRow): void {
  if (revokedAt) throw new CertloopError('BOT_REVOKED', `The bot "${name}" was revoked at ${revokedAt}.`)
}

function checkKey(publicKeyPem: string): void {
  const bad = (error?: unknown) => new CertloopError('INPUT_INVALID', 'The public key of the bot is not an Ed25519 key in PEM.', { fields: ['body.publicKeyPem: not an Ed25519 public key'] }, error)
  try {
    if (createPublicKey(publicKeyPem).asymmetricKeyType !== 'ed25519') throw bad()
  } catch (error) {
    throw error instanceof CertloopError ? error : bad(error)
  }
}

/** Lets a bot in: checks and uses up its token, stores its key and orders the first scan of its host. The same key may ask again. */
export async function join(deps: JoinDeps, request: JoinRequest): Promise<JoinResponse> {
  const { database } = deps
  const now = deps.now()
  const token = await findJoinToken(database.db, request.tokenId)
  checkSecret(token, request.secret)
  if (token.usedAt) return answerAgain(database.db, token, request.publicKeyPem, now)
  checkWindow(token, now)
  checkKey(request.publicKeyPem)
  // Before the token is used up: when no identity can be had, the token still works.
  const identityPem = await deps.issueIdentity({ id: token.botId, publicKeyPem: request.publicKeyPem })
  return database.transaction(async (tx, wake) => {
    if (!await useJoinToken(tx, token.id, now)) return answerAgain(tx, token, request.publicKeyPem, now)
    const bot = await getBot(tx, token.botId)
    refuseRevoked(bot)
    await updateBot(tx, bot.id, { publicKeyPem: request.publicKeyPem, identityPem, version: request.version, host: toJson(request.host), joinedAt: iso(now), lastContactAt: iso(now) })
    await addEvent(tx, { kind: 'bot.joined', message: `"${bot.name}" joined from ${request.host.hostName}.`, botId: bot.id }, now)
    await addTask(tx, wake, { executor: bot.id, kind: 'scan-host', subject: bot.id }, now)
    announce(wake, 'bot', bot.id)
    return { botId: bot.id, name: bot.name, purpose: bot.purpose, identityPem }
  })
}
