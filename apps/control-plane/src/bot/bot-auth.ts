import { createPublicKey } from 'node:crypto'
import { CertloopError, readSignature, signatureWindowSeconds, verifyHead, type BotId } from '@certloop/contract'
import { iso } from '../database/columns.ts'
import type { Database } from '../database/database.ts'
import type { BotAuth } from '../http/index.ts'
import { findBot, updateBot } from './bot-store.ts'

/** Contact is written at most this often. */
const contactEveryMs = 10_000

/**
 * Checks who signed a request, before its body is read. A signature is taken once by this replica; across replicas a repeated request changes
 * nothing, since results carry the fence of their lease.
 * @throws CertloopError BOT_SIGNATURE_INVALID, BOT_UNKNOWN, BOT_REVOKED
 */
export function createBotAuth({ database, now }: { database: Database; now: () => Date }): BotAuth {
  const seen = new Map<string, number>()
  const remember = (nonce: string, at: number) => {
    const oldest = at - 2 * signatureWindowSeconds * 1000
    for (const [known, when] of seen) {
      if (when > oldest) break
      seen.delete(known)
    }
    if (seen.has(nonce)) throw new CertloopError('BOT_SIGNATURE_INVALID', 'This request was sent before.')
    seen.set(nonce, at)
  }
  return async (request) => {
    const claimed = readSignature(request.headers)
    const bot = await findBot(database.db, claimed.botId)
    if (!bot?.publicKeyPem) throw new CertloopError('BOT_UNKNOWN', `No bot ${claimed.botId} has joined here.`)
    verifyHead(request, claimed, createPublicKey(bot.publicKeyPem), now())
    if (bot.revokedAt) throw new CertloopError('BOT_REVOKED', `The bot "${bot.name}" was revoked at ${bot.revokedAt}.`)
    remember(`${claimed.botId} ${claimed.nonce}`, now().getTime())
    await noteContact(bot.id, bot.lastContactAt)
    return { botId: bot.id, name: bot.name }
  }

  async function noteContact(id: BotId, last: string | null): Promise<void> {
    if (last && now().getTime() - new Date(last).getTime() < contactEveryMs) return
    await updateBot(database.db, id, { lastContactAt: iso(now()) })
  }
}
