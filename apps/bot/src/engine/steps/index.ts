import type { Step, StepKind } from '@certloop/contract'
import type { StepExecutor } from './executor.ts'
import { httpRequest } from './http-request.ts'
import { keystoreEntry } from './keystore-entry.ts'
import { makeDirectory } from './make-directory.ts'
import { prove } from './prove.ts'
import { reloadService } from './reload-service.ts'
import { removeDirectory } from './remove-directory.ts'
import { restoreFile } from './restore-file.ts'
import { runCommand } from './run-command.ts'
import { runScript } from './run-script.ts'
import { socketCommand } from './socket-command.ts'
import { writeFile } from './write-file.ts'

/** Every kind of step. A new kind is one line here and one file. */
const executors: { [K in StepKind]: StepExecutor<Extract<Step, { kind: K }>> } = {
  'write-file': writeFile,
  'keystore-entry': keystoreEntry,
  'make-directory': makeDirectory,
  'run-command': runCommand,
  'reload-service': reloadService,
  'http-request': httpRequest,
  'socket-command': socketCommand,
  'run-script': runScript,
  'prove': prove,
  'restore-file': restoreFile,
  'remove-directory': removeDirectory,
}

/** The executor of a step. */
export const executorOf = (step: Step): StepExecutor => executors[step.kind]
