import { configurationSteps, type ConfigurationCheck, type ConfigurationStep, type ScheduledRun } from '@certloop/api-client'
import { fieldProblems, pathOf } from '../shared/problem.ts'

/** What is known to be wrong or odd about a draft, by the path of each field in dots. */
export interface Findings {
  problems: Record<string, string>
  warnings: Record<string, string>
  /** null: it was not checked, or could not be. */
  checked: { complete: boolean; nextRuns: readonly ScheduledRun[] } | null
}

export const noFindings: Findings = { problems: {}, warnings: {}, checked: null }

/** From a refusal, of a save or of a check. */
export const findingsOfError = (error: Error): Findings => ({ ...noFindings, problems: fieldProblems(error) })

export function findingsOfCheck({ complete, steps, warnings, nextRuns }: ConfigurationCheck): Findings {
  const byPath = (found: readonly { field: string; problem: string }[]) => {
    const at: Record<string, string> = {}
    for (const { field, problem } of found) { const path = pathOf(field); at[path] = at[path] === undefined ? problem : `${at[path]}; ${problem}` }
    return at
  }
  return { problems: byPath(steps.flatMap(({ problems }) => problems)), warnings: byPath(warnings), checked: { complete, nextRuns } }
}

const stepOfPart: Record<string, ConfigurationStep> = { targets: 'deployment', rollout: 'deployment', authorityId: 'authority', fallbackAuthorityIds: 'authority', csr: 'csr', names: 'csr', validation: 'validation' }
/** Where the form has a field: the step of its section. */
export const stepOf = (path: string): ConfigurationStep => stepOfPart[path.split('.')[0] ?? ''] ?? 'schedule'

/** The part of some notes that belongs to a step. */
export const ofStep = (notes: Record<string, string>, step: ConfigurationStep): [path: string, note: string][] => Object.entries(notes).filter(([path]) => stepOf(path) === step)

export const stepTitles: Record<ConfigurationStep, string> = { deployment: '1. Deployment', authority: '2. Authority', csr: '3. Request', validation: '4. Validation', schedule: '5. Schedule' }

/** "1. Deployment (2), 5. Schedule (1)"; '' when nothing is wrong. */
export const stepsWithProblems = (problems: Record<string, string>): string =>
  configurationSteps.map((step) => [stepTitles[step], ofStep(problems, step).length] as const).filter(([, count]) => count > 0).map(([title, count]) => `${title} (${count})`).join(', ')

const words: Record<string, string> = {
  'authorityId': 'Authority', 'approval': 'Plan approval', 'rollback': 'Roll back', 'deployAfterRenewal': 'Deploy after renewal', 'complete': 'Configuration', 'targets': 'Targets', 'names': 'Names',
  'csr': 'Request', 'csr.mode': 'The request', 'csr.commonName': 'Common name', 'csr.names': 'Names', 'csr.keyAlgorithm': 'Key', 'csr.keyReuse': 'Keep the key at renewal', 'csr.validityDays': 'Validity in days',
  'csr.certificateType': 'Type of certificate', 'csr.signatureAlgorithm': 'Digest of the request', 'csr.subject': 'Subject', 'csr.templateId': 'CSR template', 'csr.templateVersion': 'Version of the template', 'csr.profile': 'Profile',
  'csr.subject.organization': 'Organisation', 'csr.subject.organizationalUnit': 'Unit', 'csr.subject.country': 'Country', 'csr.subject.stateOrProvince': 'State or province', 'csr.subject.locality': 'Town', 'csr.subject.street': 'Street', 'csr.subject.postalCode': 'Postal code', 'csr.subject.serialNumber': 'Serial number', 'csr.subject.emailAddress': 'E-mail address',
  'fallbackAuthorityIds': 'Further authorities', 'validation': 'Validation', 'validation.method': 'Validation', 'validation.path': 'Folder', 'validation.botId': 'Bot of the validation', 'validation.listenOn': 'Listen on', 'validation.dnsProviderId': 'DNS provider', 'validation.place': 'What the person places', 'validation.notify': 'E-mail addresses', 'validation.leaveOut': 'Renew without names that fail',
  'renewal': 'Renewal', 'renewal.enabled': 'Renew by itself', 'renewal.method': 'How it is renewed', 'renewal.trigger': 'When it is due', 'renewal.daysBefore': 'Days before expiry', 'renewal.date': 'Day of the renewal', 'renewal.frequency': 'How often it is checked', 'renewal.weekday': 'Day of the check', 'renewal.dayOfMonth': 'Day of the check', 'renewal.time': 'Time of the check', 'renewal.zone': 'Time zone of the checks',
  'deployment': 'Time of deployment', 'deployment.when': 'When it is deployed', 'deployment.at': 'Day and time of deployment', 'deployment.zone': 'Time zone of deployment', 'deployment.freezes': 'Freeze periods', 'deployment.beforeExpiryDays': 'Deploy at once when so many days are left',
  'deployment.window': 'Window', 'deployment.window.frequency': 'How often the window opens', 'deployment.window.weekday': 'Day of the window', 'deployment.window.dayOfMonth': 'Day of the window', 'deployment.window.time': 'Begin of the window', 'deployment.window.lengthMinutes': 'Length of the window',
  'rollout': 'Order of the targets', 'rollout.mode': 'Order of the targets', 'rollout.canary': 'Canary', 'rollout.waves': 'Waves', 'rollout.stopAfterFailures': 'Stop after failures', 'rollout.onStop': 'When it stops',
  'rollout.gate': 'Between the waves', 'rollout.gate.soakSeconds': 'Watch each wave for', 'rollout.gate.approval': 'A person lets it go on', 'rollout.gate.httpCheck': 'Page of each target', 'rollout.gate.httpCheck.url': 'Address of the page', 'rollout.gate.httpCheck.status': 'Answer of the page', 'rollout.gate.httpCheck.timeoutSeconds': 'Time limit of the page',
}
const numbered: readonly (readonly [RegExp, string])[] = [
  [/^targets\.(\d+)(?:\.(?:fields|secrets|reach))*/, 'Target'], [/^csr\.names\.(\d+)/, 'Name'], [/^deployment\.freezes\.(\d+)/, 'Freeze period'], [/^rollout\.waves\.(\d+)/, 'Wave'], [/^fallbackAuthorityIds\.(\d+)/, 'Further authority'], [/^validation\.notify\.(\d+)/, 'E-mail address'],
]

/** "privateKey" as "private key", "jumps.0.host" as "jump host 1, host". */
const plain = (rest: string): string => rest.replace(/^\.+/, '').replace(/jumps\.(\d+)/, (_, at: string) => `jump host ${Number(at) + 1}`).replaceAll('.', ', ').replace(/([a-z])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`)

/** A path as people know the field. */
export function fieldWords(path: string): string {
  const known = words[path]
  if (known !== undefined) return known
  for (const [pattern, word] of numbered) {
    const match = pattern.exec(path)
    if (!match) continue
    const rest = plain(path.slice(match[0].length))
    return `${word} ${Number(match[1]) + 1}${rest === '' ? '' : `: ${rest}`}`
  }
  return plain(path)
}
