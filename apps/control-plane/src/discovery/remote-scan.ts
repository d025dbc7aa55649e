import { CertloopError, type BotId, type BotTaskPayload, type Id, type RemoteScanInput, type TargetSecrets } from '@certloop/contract'
import { getBot } from '../bot/bot-store.ts'
import type { Tx } from '../database/database.ts'
import { addEvent, announce } from '../event/event-store.ts'
import { loginProblemsOf, secretsSet } from '../provisioning/kept-secrets.ts'
import { reachProblems, sizeProblems } from '../provisioning/reach-problems.ts'
import { sealForBot } from '../provisioning/target-briefing.ts'
import type { Secrets } from '../secret/secrets.ts'
import { addTask } from '../task/task-store.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { insertRemoteScan, pruneRemoteScans, type RemoteScanRow } from './remote-scan-store.ts'

const scanMinutes = 10
const keepDays = 7

const bindingOf = (id: Id<'scn'>) => `remoteScan:${id}:secrets`

/** What a scan under way was given; undefined when it has ended. */
export const secretsOfScan = (secrets: Secrets, { id, state, sealedSecrets }: RemoteScanRow): TargetSecrets | undefined => {
  if (state !== 'running') return undefined
  return sealedSecrets === null ? {} : JSON.parse(secrets.open(sealedSecrets, bindingOf(id)).toString()) as TargetSecrets
}

/** @throws CertloopError INPUT_INVALID naming what does not fit */
function readSecrets({ reach, secrets: given = {} }: RemoteScanInput): TargetSecrets {
  const { secrets, problems, missing } = loginProblemsOf(reach, given)
  const all = [...reachProblems(reach, 'body.reach'), ...[...problems, ...missing].map((line) => `body.${line}`), ...sizeProblems(secrets, 'body.secrets')]
  if (all.length > 0) throw new CertloopError('INPUT_INVALID', `The way to the host does not fit: ${all.join('; ')}.`, { fields: all })
  return secrets
}

/**
 * Asks a bot to look at another host over SSH. What was found becomes targets only when somebody makes them.
 * @throws CertloopError INPUT_INVALID, ACTION_NOT_POSSIBLE (the bot can't), TARGET_SECRETS_UNREADABLE (it told no key)
 */
export async function startRemoteScan(tx: Tx, wake: Wakes, secrets: Secrets, { botId, requester, ...input }: RemoteScanInput & { botId: BotId; requester: string }, now: Date): Promise<RemoteScanRow> {
  const own = readSecrets(input)
  const { reach } = input
  const bot = await getBot(tx, botId)
  if (bot.revokedAt || !bot.joinedAt) throw new CertloopError('ACTION_NOT_POSSIBLE', `The bot "${bot.name}" ${bot.revokedAt ? 'was revoked' : 'has not joined yet'}.`)
  const hasSecrets = secretsSet(own).length > 0
  const deadline = new Date(now.getTime() + scanMinutes * 60_000)
  const payload: BotTaskPayload<'scan-host'> = { reach, ...(hasSecrets ? { sealed: await sealForBot(tx, botId, own) } : {}) }
  await pruneRemoteScans(tx, new Date(now.getTime() - keepDays * 86_400_000))
  const row = await insertRemoteScan(tx, { botId, reach, requester, deadline }, (id) => (hasSecrets ? secrets.seal(JSON.stringify(own), bindingOf(id)) : null), now)
  // Once: somebody waits for the answer, and a refused login must not be tried again and again.
  await addTask(tx, wake, { executor: botId, kind: 'scan-host', subject: row.id, payload, deadline, maxAttempts: 1 }, now)
  await addEvent(tx, { kind: 'bot.remote-scan-asked', message: `A look at ${reach.user}@${reach.host}:${reach.port} over SSH was asked for.`, requester, botId }, now)
  announce(wake, 'bot', botId)
  return row
}
