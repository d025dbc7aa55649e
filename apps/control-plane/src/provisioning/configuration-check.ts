import { CertloopError, csrDefaults, deploymentTimingDefault, renewalDefaults, rolloutDefault, validationDefaults, type Configuration, type ConfigurationCheck, type ConfigurationInput, type ConfigurationStep, type CertificateId, type CsrSettings, configurationSteps } from '@certloop/contract'
import { checkNames } from '@certloop/pki'
import type { Authority, AuthorityOf } from '../authority/authority.ts'
import { authorityLimits } from '../authority/authority-limits.ts'
import { findAuthority } from '../authority/authority-store.ts'
import { findBot } from '../bot/bot-store.ts'
import { getCertificate } from '../certificate/certificate-store.ts'
import type { FieldProblem } from '../csr-template/template-rules.ts'
import type { Tx } from '../database/database.ts'
import type { Secrets } from '../secret/secrets.ts'
import { deploymentTimingOf, findConfiguration, renewalOf, type NewTarget } from './configuration-store.ts'
import { workOutRequest, type EffectiveRequest } from './effective-request.ts'
import { checkFallbacks, checkMethod } from './fallback-problems.ts'
import { rolloutProblems, rolloutWarnings } from './rollout-problems.ts'
import { scheduleProblems, scheduleWarnings } from './schedule-problems.ts'
import { readTargets } from './target-input.ts'
import { validationFacts, validationProblems, validationWarnings } from './validation-problems.ts'

export interface ConfigurationDeps { authorityOf: AuthorityOf; secrets: Secrets; now: () => Date }

export interface StepProblem extends FieldProblem { step: ConfigurationStep }
/** A configuration, looked at step by step. */
export interface Checked {
  /** None: it can be saved as it is. Each at the path of its field: "csr/names". */
  problems: StepProblem[]
  /** Allowed, and worth a second look. */
  warnings: FieldProblem[]
  /** With all that was left out filled in, and names in their normal form. */
  configuration: Omit<Configuration, 'targets' | 'updatedAt'>
  targets: NewTarget[]
  /** The names are none; the problem says which. */
  nameError: CertloopError | undefined
}

const stepOfField = { targets: 'deployment', rollout: 'deployment', authorityId: 'authority', fallbackAuthorityIds: 'authority', csr: 'csr', validation: 'validation' } as const
const stepOf = (field: string): ConfigurationStep => (Object.hasOwn(stepOfField, field.split('/')[0] ?? '') ? stepOfField[field.split('/')[0] as keyof typeof stepOfField] : 'schedule')

/** A problem as errors name it, "body.csr/names: …", and back. */
export const asLine = ({ field, problem }: FieldProblem): string => `body.${field}: ${problem}`
function fromLine(line: string): FieldProblem {
  const [field = '', ...rest] = line.replace(/^body\./, '').split(': ')
  return { field, problem: rest.join(': ') }
}

export type Filled = Checked['configuration']
function filled(input: ConfigurationInput): Filled {
  const { complete, authorityId, csr, renewal, deployAfterRenewal, rollback, approval, validation = validationDefaults, fallbackAuthorityIds = [], deployment = deploymentTimingDefault, rollout = rolloutDefault } = input
  return { complete, authorityId, csr: { ...csrDefaults, ...csr, commonName: csr.commonName?.toLowerCase() ?? null }, fallbackAuthorityIds, validation: { ...validationDefaults, ...validation }, renewal: { ...renewalDefaults, ...renewal }, deployment, rollout, deployAfterRenewal, rollback, approval }
}

function readNames(names: readonly string[], problems: FieldProblem[]): { names: string[]; nameError: CertloopError | undefined } {
  try {
    return { names: names.length > 0 ? checkNames(names) : [], nameError: undefined }
  } catch (error) {
    if (!(error instanceof CertloopError)) throw error
    const lines = error.facts['fields'] as readonly string[] | undefined ?? [`names: ${error.message}`]
    problems.push(...lines.map(fromLine).map(({ field, problem }) => ({ field: `csr/${field.replace(/\[(\d+)\]/, '/$1')}`, problem })))
    return { names: [], nameError: error }
  }
}

export interface Found { problems: FieldProblem[]; warnings: FieldProblem[] }

/** The connector, if there is one. */
async function readAuthority(tx: Tx, authorityOf: AuthorityOf, { authorityId, complete }: Filled, { problems }: Found): Promise<Authority | undefined> {
  if (!authorityId) {
    if (complete) problems.push({ field: 'authorityId', problem: 'choose who issues' })
    return undefined
  }
  if (await findAuthority(tx, authorityId)) return authorityOf(tx, authorityId)
  problems.push({ field: 'authorityId', problem: 'there is no such authority' })
  return undefined
}

async function checkRequest(tx: Tx, id: CertificateId, { csr, authorityId, complete }: Filled, authority: Authority | undefined, found: Found): Promise<EffectiveRequest> {
  const { effective, problems, warnings } = await workOutRequest(tx, id, { csr, authorityId })
  found.problems.push(...problems.filter(({ missing }) => complete || !missing).map(({ field, problem }) => ({ field, problem })))
  found.warnings.push(...warnings)
  if (csr.mode !== 'full' && csr.templateId !== null) found.warnings.push({ field: 'csr/templateId', problem: `is not used in the mode "${csr.mode}"` })
  if (authority) await checkAgainstAuthority(authority, complete, effective, found)
  return effective
}

async function checkAgainstAuthority(authority: Authority, complete: boolean, effective: EffectiveRequest, { problems, warnings }: Found): Promise<void> {
  const { keyAlgorithms, certificateTypes, isPublic, review } = authority
  const { keyAlgorithm, certificateType, keyReuse } = effective
  if (!keyAlgorithms.includes(keyAlgorithm)) problems.push({ field: 'csr/keyAlgorithm', problem: `the authority takes ${keyAlgorithms.join(', ')}` })
  if (certificateType !== 'existing' && !certificateTypes.includes(certificateType)) problems.push({ field: 'csr/certificateType', problem: `the authority issues ${certificateTypes.join(', ')}` })
  if (keyReuse && isPublic) warnings.push({ field: 'csr/keyReuse', problem: 'with a public authority, whoever once got hold of the key can use every later certificate too' })
  const { refused, otherwise } = await review?.(effective) ?? { refused: [], otherwise: [] }
  // What is refused for want of names is told already.
  const told = new Set(problems.map(({ field }) => field))
  problems.push(...refused.filter(({ field }) => !told.has(field) && (complete || effective.names.length > 0 || field !== 'csr/names')))
  warnings.push(...otherwise)
}

const longSilenceHours = 24

async function targetWarnings(tx: Tx, input: ConfigurationInput, now: Date): Promise<FieldProblem[]> {
  const warnings: FieldProblem[] = []
  for (const [i, { botId }] of input.targets.entries()) {
    const bot = await findBot(tx, botId)
    if (!bot || bot.revokedAt) continue
    const field = `targets/${i}/botId`
    if (!bot.joinedAt) warnings.push({ field, problem: `the bot "${bot.name}" has not joined yet` })
    else if (bot.lastContactAt && now.getTime() - new Date(bot.lastContactAt).getTime() > longSilenceHours * 3_600_000) warnings.push({ field, problem: `the bot "${bot.name}" was last heard of on ${bot.lastContactAt.slice(0, 16).replace('T', ' ')} UTC` })
  }
  return warnings
}

async function checkSchedule(tx: Tx, id: CertificateId, configuration: Filled, { validityDays }: EffectiveRequest, now: Date, { problems, warnings }: Found): Promise<void> {
  const saved = await findConfiguration(tx, id)
  const before = saved && { renewal: renewalOf(saved), deployment: deploymentTimingOf(saved) }
  problems.push(...scheduleProblems(configuration, before, now).filter(({ missing }) => configuration.complete || !missing).map(({ field, problem }) => ({ field, problem })))
  const { notAfter } = await getCertificate(tx, id)
  const limits = await authorityLimits(tx, configuration.authorityId, configuration.csr.profile)
  warnings.push(...scheduleWarnings(configuration, { notAfter: notAfter === null ? null : new Date(notAfter), lifetimeDays: validityDays ?? limits?.defaultValidityDays ?? null }))
}

/**
 * Looks at all five steps of a configuration without saving anything. A draft may be unfinished, but nothing in it may
 * be nonsense.
 * @throws CertloopError NOT_FOUND when there is no such certificate
 */
export async function checkConfiguration(tx: Tx, deps: ConfigurationDeps, id: CertificateId, input: ConfigurationInput): Promise<Checked> {
  const now = deps.now()
  await getCertificate(tx, id)
  const found: Found = { problems: [], warnings: await targetWarnings(tx, input, now) }
  const lines: string[] = []
  const targets = await readTargets(tx, deps.secrets, id, input, lines)
  found.problems.push(...lines.map(fromLine))
  const configuration = filled(input)
  found.problems.push(...rolloutProblems(configuration.rollout, input.targets).filter(({ missing }) => input.complete || !missing).map(({ field, problem }) => ({ field, problem })))
  found.warnings.push(...rolloutWarnings(configuration.rollout, input.targets))
  const { names, nameError } = readNames(input.csr.names, found.problems)
  configuration.csr = { ...configuration.csr, names } satisfies CsrSettings
  const authority = await readAuthority(tx, deps.authorityOf, configuration, found)
  const effective = await checkRequest(tx, id, configuration, authority, found)
  checkMethod(configuration, authority, await checkFallbacks(tx, deps.authorityOf, configuration, effective, found), found)
  const facts = await validationFacts(tx, configuration, effective.names, input.targets)
  found.problems.push(...validationProblems(configuration.validation, facts).filter(({ missing }) => input.complete || !missing).map(({ field, problem }) => ({ field, problem })))
  found.warnings.push(...validationWarnings(configuration.validation, facts))
  await checkSchedule(tx, id, configuration, effective, now, found)
  return { problems: found.problems.map((each) => ({ step: stepOf(each.field), ...each })), warnings: found.warnings, configuration, targets, nameError }
}

/** As the API answers it. */
export const toCheck = ({ problems, warnings }: Checked, nextRuns: ConfigurationCheck['nextRuns']): ConfigurationCheck => ({
  complete: problems.length === 0,
  steps: configurationSteps.map((step) => ({ step, problems: problems.filter((each) => each.step === step).map(({ field, problem }) => ({ field, problem })) })),
  warnings, nextRuns,
})
