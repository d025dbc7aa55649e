import type { BotTaskResult, CertloopError, ValidationId } from '@certloop/contract'
import { toJson } from '../database/columns.ts'
import type { Tx } from '../database/database.ts'
import { pokeOrder } from '../order/order-task.ts'
import type { BotTaskHandler, Wakes } from '../task/task-kinds.ts'
import { isOpenValidation } from './validation-state.ts'
import { changeValidation, findValidation, keepReceipt } from './validation-store.ts'
import { endValidation, removeAgain, wakeValidation } from './validation-tasks.ts'
import { removed, stuck } from './clean-validation.ts'

/** Results of a bot's place-proof. */
export function placeProofHandler({ now }: { now: () => Date }): BotTaskHandler {
  const placed = async (tx: Tx, wake: Wakes, id: ValidationId, data: unknown) => {
    const row = await findValidation(tx, id)
    if (!row) return
    const { where } = data as BotTaskResult<'place-proof'>
    const receipt = toJson({ where })
    if (row.state === 'placing') {
      await changeValidation(tx, wake, row, { event: 'placed', reason: `The bot placed the proof of ${row.name}: ${where}.`, nextAction: 'It is looked for from outside before the authority is told.', columns: { receipt } }, now())
      await wakeValidation(tx, wake, id, now())
    } else if (!isOpenValidation(row.state)) {
      await keepReceipt(tx, id, receipt)
      await removeAgain(tx, wake, { ...row, receipt }, now())
    }
  }
  return {
    completed: (tx, wake, task, data) => placed(tx, wake, task.subject as ValidationId, data),
    late: (tx, wake, task, data) => placed(tx, wake, task.subject as ValidationId, data),
    async failed(tx, wake, task, error) {
      const row = await findValidation(tx, task.subject as ValidationId)
      if (row?.state !== 'placing') return
      await endValidation(tx, wake, row, { event: 'failed', reason: error.message, nextAction: error.spec.remedy, error: error.toWire(), neverPlaced: task.attempts === 0 }, now())
      await pokeOrder(tx, wake, row.orderId, now())
    },
  }
}

/** Results of a bot's remove-proof. */
export function removeProofHandler({ now }: { now: () => Date }): BotTaskHandler {
  const taken = async (tx: Tx, wake: Wakes, id: ValidationId, data: unknown) => {
    const row = await findValidation(tx, id)
    if (row?.cleanup !== 'removing' && row?.cleanup !== 'stuck') return
    const { left } = data as BotTaskResult<'remove-proof'>
    await removed(tx, wake, row, left === null ? `What the bot had placed for ${row.name} is gone.` : `The bot left what is there now in place for ${row.name}: ${left}`, now())
  }
  return {
    completed: (tx, wake, task, data) => taken(tx, wake, task.subject as ValidationId, data),
    late: (tx, wake, task, data) => taken(tx, wake, task.subject as ValidationId, data),
    async failed(tx, wake, task, error: CertloopError) {
      const row = await findValidation(tx, task.subject as ValidationId)
      if (row?.cleanup === 'removing' || row?.cleanup === 'stuck') await stuck(tx, wake, row, error, now())
    },
  }
}
