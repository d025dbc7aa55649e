import type { BotTaskHandler, PlaneTaskKind } from '../task/task-kinds.ts'
import { cleanValidationKind } from './clean-validation.ts'
import { sendMailKind } from './instructions-mail.ts'
import { placeProofHandler, removeProofHandler } from './place-proof.ts'
import { sweepKind, sweepValidationsKind } from './sweep-validations.ts'
import type { ValidationDeps } from './validation-deps.ts'
import { advanceValidationKind } from './validation-worker.ts'

/** Work of the control plane on validations. */
export const validationKinds = (deps: ValidationDeps) => ({
  'advance-validation': advanceValidationKind(deps), 'clean-validation': cleanValidationKind(deps), 'send-mail': sendMailKind(deps), [sweepValidationsKind]: sweepKind(deps),
}) satisfies Record<string, PlaneTaskKind>
/** Work of the bots on validations. */
export const validationBotKinds = (deps: Pick<ValidationDeps, 'now'>) => ({
  'place-proof': placeProofHandler(deps), 'remove-proof': removeProofHandler(deps),
}) satisfies Record<string, BotTaskHandler>
