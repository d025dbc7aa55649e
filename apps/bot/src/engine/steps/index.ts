import type { Step, StepKind } from '@certloop/contract'
import type { StepExecutor } from './executor.ts'
import { makeDirectory } from './make-directory.ts'
import { prove } from './prove.ts'
import { reloadService } from './reload-service.ts'
import { runCommand } from './run-command.ts'
import { writeFile } from './write-file.ts'

/** Every kind of step. A new kind (HTTP request, keystore entry, Windows store entry) is one line here and one file. */
const executors: { [K in StepKind]: StepExecutor<Extract<Step, { kind: K }>> } = {
  'write-file': writeFile,
  'make-directory': makeDirectory,
  'run-command': runCommand,
  'reload-service': reloadService,
  'prove': prove,
}

/** The executor of a step. */
export const executorOf = (step: Step): StepExecutor => executors[step.kind]
