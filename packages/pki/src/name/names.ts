import { isIP, isIPv4 } from 'node:net'
import { domainToASCII, domainToUnicode } from 'node:url'
import { CertloopError } from '@certloop/contract'
import { shown } from './problems.ts'

/**
 * Checks and normalises the names of a certificate: lower case, A-labels, IP addresses in their one canonical
 * form (RFC 5952), duplicates dropped, order kept.
 *
 * Host names follow RFC 1123 and 1034: letters, digits and hyphens, labels up to 63 and names up to 253
 * characters. A wildcard is "*" as the whole first label with two labels or more after it (RFC 9525, 6.3).
 * @param max how many different names are allowed
 * @throws CertloopError NAME_INVALID, whose fact `fields` has one line "names[2]: problem" per bad name; TOO_MANY_NAMES
 */
export function checkNames(names: readonly string[], max = 250): string[] {
  if (names.length === 0) throw new CertloopError('NAME_INVALID', 'At least one name is needed.', { fields: ['names: at least one name is needed'] })
  const different = new Set(names)
  if (different.size > max) throw new CertloopError('TOO_MANY_NAMES', `${different.size} names were given; at most ${max} are allowed.`, { given: different.size, allowed: max })
  const good = new Set<string>()
  const bad: string[] = []
  names.forEach((name, index) => {
    const result = normalisedName(name)
    if (typeof result === 'string') good.add(result)
    else bad.push(`names[${index}]: ${shown(name)} ${result.problem}`)
  })
  if (bad.length > 0) {
    throw new CertloopError('NAME_INVALID', bad.length === 1 ? `The name ${bad[0]?.replace(/^names\[\d+\]: /, '')}.` : `${bad.length} names are not valid.`, { fields: bad })
  }
  return [...good]
}

/** The normal form, or what is wrong, worded to follow the name. */
export type Outcome = string | { problem: string }

/** One DNS name or IP address, as checkNames has them. */
export function normalisedName(name: string): Outcome {
  const kind = isIP(name)
  if (kind === 4) return name
  if (kind === 6) return name.includes('%') ? { problem: 'is an IP address with a zone' } : new URL(`http://[${name}]`).hostname.slice(1, -1)
  const problem = problemOfText(name)
  if (problem) return { problem }
  const wildcard = name.startsWith('*.')
  const host = toAscii(wildcard ? name.slice(2) : name)
  if (typeof host !== 'string') return host
  const wrong = problemOfHost(host, wildcard)
  return wrong ? { problem: wrong } : `${wildcard ? '*.' : ''}${host}`
}

/** What can be said before the name is taken apart; the messages name the usual slips. */
function problemOfText(name: string): string | undefined {
  if (name === '') return 'is empty'
  if (name.length > 1000) return 'is too long'
  // oxlint-disable-next-line no-control-regex -- control characters are refused here
  if (/[\s\u0000-\u001f\u007f]/.test(name)) return 'contains a space or control character'
  if (name.includes('/')) return 'is an address with a scheme or path; give the host name alone'
  if (name.includes(':')) return 'contains a port or is not an IPv6 address; give the host name alone'
  if (/[%@?#[\]\\|^<>"`{}]/.test(name)) return 'contains a character that host names can not have'
  if (/[.。．｡]$/.test(name)) return 'ends with a dot'
  if (name.includes('*') && !/^\*\.[^*]+$/.test(name)) return 'has a wildcard elsewhere than as the whole first label'
  return undefined
}

// oxlint-disable-next-line no-control-regex -- the range is ASCII
const isAscii = (text: string) => /^[\u0000-\u007f]*$/.test(text)

function toAscii(text: string): Outcome {
  // Plain ASCII is not handed to the URL rules: they would read "1.2.3" as an IP address.
  if (isAscii(text)) return text.toLowerCase()
  const host = domainToASCII(text)
  if (host === '') return { problem: 'is not a valid international name' }
  return isIPv4(host) ? { problem: 'is an IP address in an unusual form' } : host
}

/** An A-label has to stand for a U-label and be the one way of writing it (RFC 5890, 2.3.2.1). */
function isValidALabel(label: string): boolean {
  const unicode = domainToUnicode(label)
  return unicode !== label && domainToASCII(unicode) === label
}

function problemOfHost(host: string, wildcard: boolean): string | undefined {
  const labels = host.split('.')
  if (host.length + (wildcard ? 2 : 0) > 253) return 'is longer than 253 characters'
  if (wildcard && labels.length < 2) return 'has a wildcard with fewer than two labels after it'
  if (/^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) return 'is not a valid IP address'
  return labels.map(problemOfLabel).find((problem) => problem !== undefined)
}

function problemOfLabel(label: string): string | undefined {
  if (label === '') return 'has an empty label'
  if (label.length > 63) return 'has a label longer than 63 characters'
  if (label.includes('_')) return 'contains an underscore'
  if (!/^[a-z0-9-]+$/.test(label)) return 'contains a character that host names can not have'
  if (label.startsWith('xn--') && !isValidALabel(label)) return 'is not a valid international name'
  if (label.startsWith('-') || label.endsWith('-')) return 'has a label that begins or ends with a hyphen'
  return undefined
}

/** Longer ones are no DNS names, and not worth converting. */
const longestForm = 1000

/**
 * A DNS name in A-label and U-label form, for people: "xn--bcher-kva.example" and "bücher.example". Labels that do
 * not convert there and back stay as they are. Never throws, whatever the text.
 */
export function nameForms(name: string): { ascii: string; unicode: string } {
  if (name.length > longestForm) return { ascii: name, unicode: name }
  const labels = name.split('.')
  return { ascii: labels.map(aLabel).join('.'), unicode: labels.map(uLabel).join('.') }
}

/** In ASCII, or as it is when it can not be. One label that becomes several was an address in unusual digits. */
function aLabel(label: string): string {
  const ascii = isAscii(label) ? label : domainToASCII(label)
  return ascii === '' || ascii.includes('.') ? label : ascii
}

function uLabel(label: string): string {
  const ascii = aLabel(label)
  const lower = ascii.toLowerCase()
  return lower.startsWith('xn--') && isValidALabel(lower) ? domainToUnicode(lower) : ascii
}
