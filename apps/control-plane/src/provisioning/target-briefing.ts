import { CertloopError, sealTargetSecrets, type BotId, type BotTarget, type TargetOptions, type TargetSecrets } from '@certloop/contract'
import { getBot } from '../bot/bot-store.ts'
import { fromJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import type { Secrets } from '../secret/secrets.ts'
import { reachOf, type TargetRow } from './configuration-store.ts'
import { openSecrets, secretsSet } from './kept-secrets.ts'

/** @throws CertloopError TARGET_SECRETS_UNREADABLE when the bot told no key to seal for */
export async function sealForBot(tx: Tx, botId: BotId, secrets: TargetSecrets): Promise<string> {
  const { name, encryptionKeyPem } = await getBot(tx, botId)
  if (encryptionKeyPem === null) {
    throw new CertloopError('TARGET_SECRETS_UNREADABLE', `The bot "${name}" has told no key for secrets: it is of an older version, or has not been started yet. Update it and restart it. Nothing was sent.`, { botId })
  }
  return sealTargetSecrets(secrets, botId, encryptionKeyPem)
}

/**
 * A target as its bot is told of it; what is secret is sealed for that bot.
 * @throws CertloopError TARGET_SECRETS_UNREADABLE, SECRET_UNREADABLE
 */
export async function briefTarget(tx: Tx, secrets: Secrets, target: TargetRow): Promise<BotTarget> {
  const { overwrite, scripts } = fromJson<TargetOptions>(target.options)
  const own = openSecrets(secrets, target)
  return {
    serverType: target.serverType, reach: reachOf(target), fields: fromJson(target.fields),
    // Bots of an earlier version take no field that they don't know.
    ...(secretsSet(own).length === 0 ? {} : { sealed: await sealForBot(tx, target.botId, own) }),
    ...(overwrite === undefined ? {} : { overwrite }), ...(scripts === undefined ? {} : { scripts }),
  }
}
