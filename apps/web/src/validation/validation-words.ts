import type { AttemptState, ValidationMethod, ValidationState } from '@certloop/api-client'

const words: Record<ValidationMethod, string> = {
  'none': 'none needed', 'file': 'file placed by the bot', 'http': 'answered by Certloop', 'dns': 'DNS record', 'dns-persist': 'lasting DNS record', 'tls-alpn': 'TLS handshake', 'manual': 'by a person',
}
export const validationWord = (method: ValidationMethod): string => words[method]

/** The ways that an authority takes, as a sentence: that some need no proof is said only where none does. */
export function validationsText(methods: readonly ValidationMethod[]): string {
  const ways = methods.filter((method) => method !== 'none')
  const text = (ways.length === 0 ? methods : ways).map(validationWord).join(', ')
  return text.charAt(0).toUpperCase() + text.slice(1)
}

interface Look { color: string; label: string }
export const validationLooks: Record<ValidationState, Look> = {
  planned: { color: 'gray', label: 'Not begun' }, placing: { color: 'blue', label: 'Being placed' }, waiting: { color: 'violet', label: 'Waits for a person' }, checking: { color: 'blue', label: 'Looked for' }, asked: { color: 'blue', label: 'Authority looks' },
  valid: { color: 'teal', label: 'Valid' }, failed: { color: 'red.9', label: 'Failed' }, cancelled: { color: 'gray', label: 'Cancelled' },
}
export const attemptLooks: Record<AttemptState, Look> = {
  intended: { color: 'gray', label: 'About to be asked' }, submitted: { color: 'blue', label: 'Asked' }, uncertain: { color: 'orange', label: 'Uncertain' }, issued: { color: 'teal', label: 'Issued' }, failed: { color: 'red.9', label: 'Failed' }, cancelled: { color: 'gray', label: 'Cancelled' },
}
