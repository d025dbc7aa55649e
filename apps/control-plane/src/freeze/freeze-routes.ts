import { CertloopError, type FreezeInput } from '@certloop/contract'
import type { Database, Tx } from '../database/database.ts'
import { addEvent } from '../event/event-store.ts'
import { implement, type App } from '../http/index.ts'
import { isTimeZone } from '../renewal/renewal-time.ts'
import type { Wakes } from '../task/task-kinds.ts'
import { freezeChanged } from './freeze-changes.ts'
import { deleteFreeze, insertFreeze, listFreezes, toFreeze, updateFreeze, type FreezeRow } from './freeze-store.ts'

const isTime = (local: string) => {
  try {
    Temporal.PlainDateTime.from(local, { overflow: 'reject' })
    return true
  } catch {
    return false
  }
}

/** @throws CertloopError INPUT_INVALID naming every field that does not fit */
function checked(input: FreezeInput): FreezeInput {
  const noDays = (['from', 'to'] as const).filter((field) => !isTime(input[field])).map((field) => `body.${field}: there is no ${input[field].slice(0, 10)} in the calendar`)
  const name = input.name.trim()
  const fields = [
    ...(name === '' ? ['body.name: must not be blank'] : []),
    ...noDays,
    ...(noDays.length === 0 && input.to <= input.from ? ['body.to: must be later than "from"'] : []),
    ...(isTimeZone(input.zone) ? [] : [`body.zone: "${input.zone}" is not an IANA time zone such as Europe/Berlin`]),
  ]
  if (fields.length > 0) throw new CertloopError('INPUT_INVALID', `The freeze period does not fit: ${fields.join('; ')}.`, { fields })
  return { ...input, name }
}

const inWords = ({ name, startsAt, endsAt, zone }: FreezeRow) => `"${name}", ${startsAt.replace('T', ' ')} to ${endsAt.replace('T', ' ')} (${zone})`

/** Freeze periods of the whole platform. What waits for its deployment follows each change at once. */
export function registerFreezeRoutes(app: App, { database, now }: { database: Database; now: () => Date }): void {
  const change = (who: string, work: (tx: Tx) => Promise<{ kind: string; row: FreezeRow; what: string }>) => database.transaction(async (tx, wake: Wakes) => {
    const { kind, row, what } = await work(tx)
    await addEvent(tx, { kind: `freeze.${kind}`, message: `The freeze period ${inWords(row)} was ${what}.`, requester: who }, now())
    await freezeChanged(tx, wake, row.id, now())
    return toFreeze(row, now())
  })

  implement(app, 'listFreezes', async () => ({ items: (await listFreezes(database.db)).map((row) => toFreeze(row, now())) }))
  implement(app, 'createFreeze', async ({ body, who }) => {
    const input = checked(body)
    return change(who.text, async (tx) => ({ kind: 'created', row: await insertFreeze(tx, input, now()), what: 'made' }))
  })
  implement(app, 'updateFreeze', async ({ params, body, who }) => {
    const input = checked(body)
    return change(who.text, async (tx) => ({ kind: 'changed', row: await updateFreeze(tx, params.id, input), what: 'changed' }))
  })
  implement(app, 'deleteFreeze', async ({ params, who }) => {
    await change(who.text, async (tx) => ({ kind: 'deleted', row: await deleteFreeze(tx, params.id), what: 'deleted' }))
    return undefined
  })
}
