import type { OptionSpecs } from '../command.ts'

/** Which option sets a field of a configuration; the longest path that fits counts. */
const optionOfPath: Readonly<Record<string, string>> = {
  'authorityId': 'authority', 'deployAfterRenewal': 'deploy-after-renewal', 'rollback': 'rollback', 'approval': 'approval',
  'renewal/enabled': 'renewal', 'renewal/method': 'renew-by', 'renewal/trigger': 'renew-trigger', 'renewal/daysBefore': 'renew-days', 'renewal/date': 'renew-on',
  'renewal/frequency': 'check', 'renewal/weekday': 'check', 'renewal/dayOfMonth': 'check', 'renewal/time': 'at', 'renewal/zone': 'zone',
  'deployment/zone': 'zone', 'deployment/freezes': 'freeze', 'deployment/beforeExpiryDays': 'deploy-before-expiry', 'deployment': 'deploy',
  'rollout/mode': 'rollout', 'rollout/canary': 'canary', 'rollout/waves': 'wave', 'rollout/stopAfterFailures': 'stop-after-failures', 'rollout/onStop': 'on-stop',
  'rollout/gate/soakSeconds': 'soak', 'rollout/gate/approval': 'approve-first-wave', 'rollout/gate/httpCheck/status': 'check-status', 'rollout/gate/httpCheck/timeoutSeconds': 'check-timeout', 'rollout/gate/httpCheck': 'check-url',
  'validation/path': 'validation-path', 'validation/botId': 'validation-bot', 'validation/listenOn': 'listen-on', 'validation/dnsProviderId': 'dns-provider', 'validation/place': 'validation-place', 'validation/notify': 'notify', 'validation/leaveOut': 'leave-out',
  'validation': 'validation', 'fallbackAuthorityIds': 'fallback-authority', 'limits': 'limit', 'concurrency': 'at-a-time',
  'csr/names': 'name', 'csr/commonName': 'common-name', 'csr/mode': 'csr-mode', 'csr/templateId': 'template', 'csr/templateVersion': 'template-version', 'csr/keyAlgorithm': 'key', 'csr/keyReuse': 'reuse-key',
  'csr/signatureAlgorithm': 'signature', 'csr/subject': 'subject', 'csr/certificateType': 'type', 'csr/profile': 'profile', 'csr/validityDays': 'validity-days',
  'limits/total': 'at-a-time',
}
const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/**
 * What a person wrote where the API names a field: "body.deployment/zone" is "--zone", if the command has that option.
 * Undefined when it has none for it.
 */
export function optionOfField(field: string, options: OptionSpecs): string | undefined {
  const words = field.replace(/^body[./]/, '').replace(/^parts[./]/, '').split(/[./]/)
  const [group, name] = words
  // The fields of an authority or a DNS provider, which are the plug-in's own.
  const typed = group === 'fields' ? 'field' : group === 'secrets' ? 'secret' : undefined
  if (typed !== undefined && name !== undefined && typed in options) return `--${typed} ${name}`
  const paths = words.map((_, i) => words.slice(0, words.length - i).join('/'))
  const known = paths.map((path) => optionOfPath[path]).find((option) => option !== undefined && option in options)
  const own = kebab(words.at(-1) ?? '')
  const option = known ?? (words.length === 1 && own in options ? own : undefined)
  return option === undefined ? undefined : `--${option}`
}
