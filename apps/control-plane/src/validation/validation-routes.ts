import { CertloopError, type ValidationId } from '@certloop/contract'
import { toJson } from '../database/columns.ts'
import { implement, type App } from '../http/index.ts'
import { pokeOrder } from '../order/order-task.ts'
import type { ValidationDeps } from './validation-deps.ts'
import { isOpenValidation } from './validation-state.ts'
import { changeValidation, getValidation, noteValidation } from './validation-store.ts'
import { wakeValidation } from './validation-tasks.ts'
import { readValidation, validationPage } from './validation-view.ts'
import { appeared } from './validation-worker.ts'
import { expectedOf } from './validation-words.ts'

export type ValidationRouteDeps = Pick<ValidationDeps, 'database' | 'outside' | 'now'>

/** Looks at once and keeps what was seen; the worker does the rest. */
async function checkNow({ database, outside, now }: ValidationRouteDeps, id: ValidationId): Promise<void> {
  const row = await getValidation(database.db, id)
  if (!isOpenValidation(row.state)) throw new CertloopError('ACTION_NOT_POSSIBLE', `The validation of ${row.name} has ended: ${row.reason}`, { state: row.state })
  const expected = row.state === 'planned' || row.state === 'placing' ? null : expectedOf(row)
  const look = expected && await outside.look(expected)
  await database.transaction(async (tx, wake) => {
    const present = await getValidation(tx, id)
    if (!isOpenValidation(present.state)) return
    if (look?.visible && present.state === 'waiting') await changeValidation(tx, wake, present, appeared(present, look), now())
    else if (look) await noteValidation(tx, wake, present, { lastLook: toJson(look) }, now())
    if (present.state === 'asked') await pokeOrder(tx, wake, present.orderId, now())
    else await wakeValidation(tx, wake, id, now())
  })
}

export function registerValidationRoutes(app: App, deps: ValidationRouteDeps): void {
  const { db } = deps.database
  implement(app, 'listValidations', async ({ query }) => validationPage(db, { ...query, limit: query.limit ?? 50 }))
  implement(app, 'getValidation', async ({ params }) => readValidation(db, params.id))
  implement(app, 'checkValidation', async ({ params }) => {
    await checkNow(deps, params.id)
    return readValidation(db, params.id)
  })
}
