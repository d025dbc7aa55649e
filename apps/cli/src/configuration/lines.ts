import type { Configuration, CsrSettings, DeploymentTiming, RenewalSettings, RolloutSettings, ScheduledRun, ValidationSettings } from '@certloop/api-client'
import type { Context } from '../context.ts'
import { plural, type Cell } from '../format/table.ts'
import { momentInZone } from '../format/time.ts'
import { dayAndTimeText, durationText, recurrenceText } from './words.ts'

type Fact = readonly [name: string, value: Cell]

const triggerText = ({ trigger, daysBefore, date }: RenewalSettings) => ({
  'days-before': `${plural(daysBefore, 'day')} before the end`, 'date': `on ${date ?? 'a day that is not set'}`, 'authority': `when the authority says, or ${plural(daysBefore, 'day')} before the end`,
})[trigger]

export function renewalText(renewal: RenewalSettings): string {
  return renewal.enabled ? `${renewal.method}, ${triggerText(renewal)}; checked ${recurrenceText(renewal, renewal.zone)}` : 'off'
}

function whenText({ when, at, window, zone }: DeploymentTiming): string {
  if (when === 'at' && at) return `not before ${dayAndTimeText(at)} ${zone}`
  if (when === 'window' && window) return `${recurrenceText(window, zone)}, for ${durationText(window.lengthMinutes * 60)}`
  return 'immediately'
}

const timingFacts = (timing: DeploymentTiming, deployAfterRenewal: boolean): Fact[] => [
  ['Deployed', deployAfterRenewal ? whenText(timing) : 'not by itself: what is renewed is only ordered'],
  ...timing.freezes.map(({ from, to, reason }): Fact => ['Freeze', `${dayAndTimeText(from)} to ${dayAndTimeText(to)} ${timing.zone}${reason ? `: ${reason}` : ''}`]),
  ['Before expiry', timing.beforeExpiryDays === null ? null : `at once ${plural(timing.beforeExpiryDays, 'day')} before the end, whatever window or freeze period says`],
]

/** All of it in one line. */
export function timingText(timing: DeploymentTiming): string {
  const freezes = timing.freezes.map(({ from, to }) => `frozen ${dayAndTimeText(from)} to ${dayAndTimeText(to)}`)
  const early = timing.beforeExpiryDays === null ? [] : [`at once ${plural(timing.beforeExpiryDays, 'day')} before the end`]
  return [whenText(timing), ...freezes, ...early].join('; ')
}

const waveText = ({ share, label }: RolloutSettings['waves'][number]) => [share === null ? '' : `${share}%`, label === null ? '' : `all with label ${label}`].filter(Boolean).join(' of ')

export function rolloutText({ mode, canary, waves, gate, stopAfterFailures, onStop }: RolloutSettings): string {
  if (mode === 'together' && canary === 0) return 'all targets together'
  const rest = { 'together': ['then the rest together'], 'in-order': ['one after the other'], 'waves': [...waves.map(waveText), 'then the rest'] }[mode]
  const order = [...(canary > 0 ? [`${plural(canary, 'target')} first`] : []), ...rest]
  const gates = [
    ...(gate.soakSeconds > 0 ? [`each wave watched for ${durationText(gate.soakSeconds)}`] : []), ...(gate.httpCheck ? [`${gate.httpCheck.url} has to answer ${gate.httpCheck.status}`] : []),
    ...(gate.approval ? ['a person lets it go on after the first wave'] : []), `stops after ${plural(stopAfterFailures, 'failure')}${onStop === 'undo' ? ' and undoes all' : ''}`,
  ]
  return `${order.join(', ')}; ${gates.join('; ')}`
}

function csrFacts({ mode, names, commonName, keyAlgorithm, keyReuse, validityDays, certificateType, signatureAlgorithm, subject, templateId, templateVersion, profile }: CsrSettings, template: string | undefined): Fact[] {
  const like = { existing: 'as the present certificate', partial: 'as the present certificate, except for what is said here', full: 'from a template' }[mode]
  return [
    ['Request', like], ['Template', templateId && `${template ?? templateId}${templateVersion === null ? ', newest version' : `, version ${templateVersion}`}`],
    ['Names', names.join(', ') || 'those of the present version'], ['Common name', commonName], ['Subject', Object.entries(subject).map(([part, value]) => `${part}=${value}`).join(', ')],
    ['Key', `${keyAlgorithm}${keyReuse ? ', kept at renewal' : ', new at each renewal'}`], ['Signed with', signatureAlgorithm], ['Type', certificateType === 'existing' ? null : certificateType],
    ['Profile', profile], ['Lifetime', validityDays && plural(validityDays, 'day')],
  ]
}

/** @param nameOf what an id stands for, where that is known */
export function validationText({ method, path, botId, listenOn, dnsProviderId, place, notify, leaveOut }: ValidationSettings, nameOf: (id: string) => string = (id) => id): string {
  const notes = [
    botId && `by the bot ${nameOf(botId)}`, method === 'tls-alpn' && `on ${listenOn ?? '0.0.0.0:443'}`, dnsProviderId && `through ${nameOf(dnsProviderId)}`, method === 'manual' && `a person places a ${place === 'dns' ? 'DNS record' : 'file'}`,
    notify.length > 0 && `told to ${notify.join(', ')}`, leaveOut && 'a renewal goes on without names that can not be validated',
  ].filter(Boolean)
  return [`${method}${path === null ? '' : ` in ${path}`}`, ...notes].join(', ')
}

/** Names of what a configuration has ids of, for people. */
export interface NamesOf { template?: string | undefined; byId?: Readonly<Record<string, string>> }

/** The five steps, without the targets. */
export function configurationFacts(c: Configuration, { template, byId = {} }: NamesOf): Fact[] {
  const nameOf = (id: string) => byId[id] ?? id
  return [
    ['State', c.complete ? 'complete' : 'draft'], ['Authority', c.authorityId === null ? 'none' : nameOf(c.authorityId)], ['Then', c.fallbackAuthorityIds.map(nameOf).join(', then ')], ...csrFacts(c.csr, template),
    ['Validation', c.validation.method === 'none' ? null : validationText(c.validation, nameOf)],
    ['Renewal', renewalText(c.renewal)], ...timingFacts(c.deployment, c.deployAfterRenewal),
    ['Rollout', c.targets.length > 1 || c.rollout.mode !== 'together' ? rolloutText(c.rollout) : null], ['Rollback', c.rollback ? 'on' : 'off'], ['Approval', c.approval],
  ]
}

/** When the scheduler will do what, a line each. */
export const runLines = ({ world }: Pick<Context, 'world'>, runs: readonly ScheduledRun[]): string[] => runs.map(({ at, what, why }) => `${momentInZone(at, world)}  ${what.padEnd(6)}  ${why}`)
