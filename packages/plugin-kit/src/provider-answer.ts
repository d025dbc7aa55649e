import { CertloopError } from '@certloop/contract'
import type { OutboundResponse } from './outbound.ts'

/** When a service that has no time wants to be asked again (Retry-After: seconds or an HTTP date), as UTC ISO 8601. */
export function retryAtOf({ headers }: Pick<OutboundResponse, 'headers'>, now: Date): string | undefined {
  const given = headers['retry-after']?.trim()
  if (given === undefined || given === '') return undefined
  const at = /^\d{1,9}$/.test(given) ? now.getTime() + Number(given) * 1000 : Date.parse(given)
  return Number.isNaN(at) ? undefined : new Date(at).toISOString()
}

/** What a service said, fit to be shown: secrets taken out in every form they are sent in, one line, 300 characters at most. */
export function shownAnswer(text: string, secrets: readonly string[]): string {
  const forms = secrets.filter((secret) => secret.length > 3).flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('base64url')])
  // The longest first: one may be a part of another.
  const clean = [...new Set(forms)].toSorted((a, b) => b.length - a.length).reduce((left, form) => left.replaceAll(form, '…'), text)
  const line = clean.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim()
  return line.length > 300 ? `${line.slice(0, 299)}…` : line
}

export interface AnswerReading {
  /** Of the provider, for messages: 'PowerDNS at "dns1.example.net"'. */
  who: string
  /** Values that must not be repeated, also derived ones such as "user:password" and tokens. */
  secrets: readonly string[]
  now: Date
  /** What the answer says of its reason; default: its whole body. */
  said?: string
}
/** The error for an answer of a DNS provider whose HTTP status says that it went wrong. Where a provider uses codes of its own, look at these first. */
export function dnsProviderFailure(answer: OutboundResponse, { who, secrets, now, said = answer.text() }: AnswerReading): CertloopError {
  const words = shownAnswer(said, secrets)
  const message = `${who} answered with status ${answer.status}${words === '' ? '' : `: ${words}`}`
  const facts = { status: answer.status }
  if (answer.status === 401 || answer.status === 403) return new CertloopError('DNS_PROVIDER_REFUSED', message, facts)
  if (answer.status !== 408 && answer.status !== 429 && answer.status < 500) return new CertloopError('DNS_RECORD_FAILED', message, facts)
  const retryAt = retryAtOf(answer, now)
  return new CertloopError('DNS_PROVIDER_UNREACHABLE', message, { ...facts, ...(retryAt === undefined ? {} : { retryAt }) })
}

/** The body as JSON. @throws CertloopError DNS_PROVIDER_UNREACHABLE: something else answered, a proxy perhaps */
export function jsonAnswer(answer: OutboundResponse, { who, secrets }: Pick<AnswerReading, 'who' | 'secrets'>): unknown {
  try {
    return JSON.parse(answer.text())
  } catch (error) {
    throw new CertloopError('DNS_PROVIDER_UNREACHABLE', `${who} answered with something that is no JSON: ${shownAnswer(answer.text().slice(0, 200), secrets)}`, { status: answer.status }, error)
  }
}
