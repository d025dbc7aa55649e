import { type BotTarget, CertloopError, type RunScriptStep, type Step, type TargetScript } from '@certloop/contract'
import type { PlanMaterial } from '@certloop/plugin-kit'
import { readCertificate } from '@certloop/pki'

/** The driver's steps between the scripts of the target. The driver knows nothing of them. */
export function withScripts(steps: readonly Step[], { scripts }: BotTarget, material: PlanMaterial): Step[] {
  const [leaf = ''] = material.chainPem
  const environment = { CERTLOOP_FINGERPRINT: material.fingerprint, CERTLOOP_NAMES: scripts ? readCertificate(leaf).names.join(' ') : '' }
  const step = (when: RunScriptStep['when'], script: TargetScript | undefined): Step[] =>
    (script === undefined ? [] : [{ kind: 'run-script', when, source: script.source, environment, timeoutSeconds: script.timeoutSeconds }])
  return [...step('before', scripts?.before), ...steps, ...step('after', scripts?.after)]
}

const isScript = (step: Step) => step.kind === 'run-script' || (step.kind === 'reload-service' && step.script === true)

/** Before anything is done: what could not be run is not planned either. @throws CertloopError COMMAND_NOT_ALLOWED */
export function refuseScripts(steps: readonly Step[]): void {
  if (steps.some(isScript)) throw new CertloopError('COMMAND_NOT_ALLOWED', 'The target has a script or a command of its own, and the bot may not run those: limits.scripts is off in bot.toml. Nothing was touched.')
}
