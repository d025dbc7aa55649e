import { CertloopError, isSealedFor, sealTargetSecrets, type BotId, type BotTaskKind } from '@certloop/contract'
import { fromJson, toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { expireTask, openTasksWithSecrets, replacePayload, type Task } from '../task/task-store.ts'
import type { BotTaskHandler, Wakes } from '../task/task-kinds.ts'

interface Payload { sealed?: string | null; target?: { sealed?: string | null } }

const sealedOf = ({ sealed, target }: Payload): string | null => target?.sealed ?? sealed ?? null
const withSealed = (payload: Payload, sealed: string): Payload => (payload.target ? { ...payload, target: { ...payload.target, sealed } } : { ...payload, sealed })

export interface ResealDeps { handlers: Readonly<Record<BotTaskKind, BotTaskHandler>>; now: () => Date }

/**
 * A bot started with this key, or with none: what waits for it and was sealed for another key is sealed again; what
 * can't be sealed ends plainly.
 */
export async function resealTasks(tx: Tx, wake: Wakes, { handlers, now }: ResealDeps, bot: { id: BotId; name: string }, encryptionKeyPem: string | null): Promise<void> {
  for (const task of await openTasksWithSecrets(tx, bot.id)) {
    const payload = fromJson<Payload>(task.payload)
    const sealed = sealedOf(payload)
    if (sealed === null || (encryptionKeyPem !== null && await isSealedFor(sealed, encryptionKeyPem))) continue
    const secrets = encryptionKeyPem === null ? undefined : await handlers[task.kind as BotTaskKind].secretsOf?.(tx, task)
    if (secrets && encryptionKeyPem !== null) await replacePayload(tx, task.id, toJson(withSealed(payload, await sealTargetSecrets(secrets, bot.id, encryptionKeyPem))))
    else await endUnreadable(tx, wake, { handlers, now }, bot.name, task)
  }
}

async function endUnreadable(tx: Tx, wake: Wakes, { handlers, now }: ResealDeps, name: string, task: Task): Promise<void> {
  const error = new CertloopError('TARGET_SECRETS_UNREADABLE', `The bot "${name}" started without the key that the secrets of this work were sealed for, and they can not be sealed again.`)
  if (await expireTask(tx, task, error.toWire(), now())) await handlers[task.kind as BotTaskKind].failed(tx, wake, task, error)
}
