import { type CertificateDetail, type ConfigurationInput, proposedKeyAlgorithm, type TargetSuggestion } from '@certloop/api-client'
import { readConfigurationFile } from '../certificate/configuration-file.ts'
import { keyAlgorithms } from '../choices.ts'
import type { Given, OptionSpecs } from '../command.ts'
import type { Context } from '../context.ts'
import { exitCodes, Failure, usage } from '../failure.ts'
import { findAuthority, findBot } from '../find.ts'
import { configurationInputOf } from '../target/target-input.ts'
import { csrOptions, csrPart, nameOptions, namesPart } from './csr-options.ts'
import { rolloutAfter, rolloutOptions } from './rollout-options.ts'
import { renewalOptions, renewalPart, timingAfter, timingOptions, zoneOption } from './schedule-options.ts'
import { readValidation, validationOptions } from './validation-options.ts'

export const wholeOptions = {
  'authority': { type: 'string', value: 'NAME', help: 'who issues; default the only authority there is' },
  'fallback-authority': { type: 'string', value: 'NAME', multiple: true, help: 'who is asked next when the authority can not issue for a reason of its own; repeat in order; these take the place of the earlier ones, "" for none' },
  'rollback': { type: 'boolean', help: 'put the old certificate back when a deployment fails (--no-rollback: leave it)' },
  'approval': { type: 'string', value: 'WORD', choices: ['automatic', 'manual'], help: 'manual: every plan waits for a person' },
} as const satisfies OptionSpecs

/** In the order of the five steps: deployment, authority, request, validation, schedule. */
export const configurationOptions = {
  'target-from-scan': { type: 'boolean', help: 'deploy to the places a scan found for it (see "certificate show")' },
  'bot': { type: 'string', value: 'BOT', help: 'of these places, only those of this bot' },
  'place': { type: 'string', value: 'TEXT', help: 'of these places, only those with this text in their title' },
  ...rolloutOptions, ...wholeOptions, ...nameOptions, ...csrOptions, ...validationOptions, ...renewalOptions, ...timingOptions, ...zoneOption,
  'file': { type: 'string', value: 'FILE', help: 'take the whole configuration from this JSON file; "-" reads standard input' },
} as const satisfies OptionSpecs
type Options = Given<Record<never, never>, typeof configurationOptions>['options'] & { draft?: boolean | undefined }

/** The saved configuration as input, or the proposal for a first one. */
function startFrom({ configuration, currentVersionId, versions }: CertificateDetail, zone: string): ConfigurationInput {
  if (configuration === null) {
    const present = versions.find(({ id }) => id === currentVersionId)?.keyAlgorithm
    return {
      complete: true, targets: [], authorityId: null, csr: { commonName: null, names: [], keyAlgorithm: proposedKeyAlgorithm(present, keyAlgorithms), keyReuse: false, validityDays: null },
      renewal: { enabled: true, daysBefore: 30, time: '03:00', zone }, deployAfterRenewal: true, rollback: true, approval: 'automatic',
    }
  }
  return configurationInputOf(configuration)
}

async function targetsFromScan(context: Context, { name, suggestions }: CertificateDetail, { bot, place }: Options): Promise<ConfigurationInput['targets']> {
  const botId = bot === undefined ? undefined : await findBot(context, bot)
  const fits = (s: TargetSuggestion) => (botId === undefined || s.botId === botId) && (place === undefined || s.title.toLowerCase().includes(place.toLowerCase()))
  const found = suggestions.filter(fits)
  if (found.length === 0) {
    throw new Failure({
      exit: exitCodes.failed, what: `No scan found a place for "${name}"${suggestions.length > 0 ? ' that fits --bot and --place' : ''}.`, code: 'SLOT_NOT_FOUND',
      why: suggestions.length > 0 ? `Found were: ${suggestions.map(({ title, botName }) => `${title} on ${botName}`).join('; ')}` : 'A place is suggested when the certificate is installed there, or a running server answers to one of its names.',
      remedy: 'Start the server and scan its host: certloop bot scan BOT --wait', where: 'certloop bot show BOT',
    })
  }
  for (const { title, botName, why } of found) context.note(`Target: ${title} on ${botName}. ${why}`)
  return found.map(({ botId: id, serverType, reach = 'local', fields }) => ({ botId: id, serverType, reach, fields }))
}

async function chooseAuthority(context: Context, { authority, draft }: Options, present: ConfigurationInput['authorityId']): Promise<ConfigurationInput['authorityId']> {
  if (authority !== undefined) return findAuthority(context, authority)
  if (present !== null) return present
  const { items } = await (await context.client()).call('listAuthorities')
  const [only, ...more] = items
  if (only && more.length === 0) return only.id
  if (draft) return null
  throw usage(`Choose who issues with --authority: ${items.map(({ name }) => name).join(', ') || 'there is none yet'}.`)
}

/** Days before the end are meant where a day was set before. */
function renewalAfter(o: Options, before: ConfigurationInput['renewal']): ConfigurationInput['renewal'] {
  const part = renewalPart(o)
  const trigger = part.daysBefore !== undefined && part.trigger === undefined && before.trigger === 'date' ? { trigger: 'days-before' as const } : {}
  return { ...before, ...trigger, ...part }
}

async function scheduleAfter(context: Context, o: Options, base: ConfigurationInput): Promise<Pick<ConfigurationInput, 'validation' | 'renewal' | 'deployment' | 'rollout'>> {
  const renewal = renewalAfter(o, base.renewal)
  const [validation, deployment, rollout] = [await readValidation(context, o, base.validation) ?? base.validation, timingAfter(o, base.deployment, renewal.zone) ?? base.deployment, rolloutAfter(o, base.rollout) ?? base.rollout]
  return { renewal, ...(validation ? { validation } : {}), ...(deployment ? { deployment } : {}), ...(rollout ? { rollout } : {}) }
}

/** Those that are asked one after the other; nothing when nothing is said of them. */
export async function fallbackPart(context: Context, { 'fallback-authority': names }: Pick<Options, 'fallback-authority'>): Promise<Pick<ConfigurationInput, 'fallbackAuthorityIds'>> {
  if (names === undefined) return {}
  const fallbackAuthorityIds: NonNullable<ConfigurationInput['fallbackAuthorityIds']> = []
  for (const name of names.filter((text) => text !== '')) fallbackAuthorityIds.push(await findAuthority(context, name))
  return { fallbackAuthorityIds }
}

async function fromOptions(context: Context, certificate: CertificateDetail, given: Options): Promise<ConfigurationInput> {
  const base = startFrom(certificate, context.world.zone)
  return {
    ...await scheduleAfter(context, given, base), ...await fallbackPart(context, given),
    complete: !given.draft,
    csr: { ...base.csr, ...namesPart(given), ...await csrPart(context, given, base.csr.subject) },
    targets: given['target-from-scan'] ? await targetsFromScan(context, certificate, given) : base.targets,
    authorityId: await chooseAuthority(context, given, base.authorityId),
    deployAfterRenewal: given['deploy-after-renewal'] ?? base.deployAfterRenewal, rollback: given.rollback ?? base.rollback, approval: given.approval ?? base.approval,
  }
}

/** Looks before anything is sent. @throws Failure */
export function checkTogether(given: Options): void {
  const others = Object.keys(given).filter((name) => name !== 'file' && name !== 'draft')
  if (given.file !== undefined && others.length > 0) throw usage(`--file brings the whole configuration; it does not go with --${others.join(', --')}.`)
  if (!given['target-from-scan'] && (given.bot ?? given.place) !== undefined) throw usage('--bot and --place choose among the places of a scan: add --target-from-scan.')
}

/** The configuration that the words on the line mean. @throws Failure */
export async function meantConfiguration(context: Context, id: CertificateDetail['id'], given: Options): Promise<ConfigurationInput> {
  if (given.file !== undefined) return { ...await readConfigurationFile(context, given.file), ...(given.draft === undefined ? {} : { complete: !given.draft }) }
  return fromOptions(context, await (await context.client()).call('getCertificate', { params: { id } }), given)
}
