import type { CertificateDetail, Configuration, ConfigurationInput, Target } from '@certloop/api-client'
import { exitCodes, Failure, usage } from '../failure.ts'
import { wholeNumber } from '../parse.ts'

type TargetInput = ConfigurationInput['targets'][number]

/** A saved target as it goes in again: its secrets are left out, so they stay as they are. */
export function targetInputOf({ id, botId, serverType, reach, fields, placement, overwrite, scripts }: Target): TargetInput {
  return { id, botId, serverType, reach, fields, placement, ...(overwrite === undefined ? {} : { overwrite }), ...(scripts === undefined ? {} : { scripts }) }
}

export function configurationInputOf({ complete, targets, authorityId, fallbackAuthorityIds, csr, validation, renewal, deployAfterRenewal, deployment, rollout, rollback, approval }: Configuration): ConfigurationInput {
  return { complete, targets: targets.map(targetInputOf), authorityId, fallbackAuthorityIds, csr, validation, renewal, deployAfterRenewal, deployment, rollout, rollback, approval }
}

export const savedConfiguration = ({ name, configuration }: CertificateDetail): Configuration => {
  if (configuration) return configuration
  throw new Failure({ exit: exitCodes.failed, what: `"${name}" has no configuration yet.`, code: 'CONFIGURATION_INCOMPLETE', remedy: `Save one first, as a draft if need be: certloop certificate configure ${name} --draft` })
}

/** The target that is meant: the only one, or number N as "certificate show" counts them. */
export function pickTarget({ name, configuration }: CertificateDetail, number: string | undefined): Target {
  const targets = configuration?.targets ?? []
  const wanted = wholeNumber('target', number, 1, Math.max(1, targets.length))
  const [only, ...more] = targets
  const found = wanted === undefined ? only : targets[wanted - 1]
  if (!found) throw new Failure({ exit: exitCodes.failed, what: `"${name}" has no target.`, code: 'CONFIGURATION_INCOMPLETE', remedy: `Add one: certloop target set ${name} --help` })
  if (wanted === undefined && more.length > 0) throw usage(`"${name}" has ${targets.length} targets; choose one with --target:\n${targets.map(({ title, botName }, i) => `  ${i + 1}  ${title} by ${botName}`).join('\n')}`)
  return found
}
