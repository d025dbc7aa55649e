import { isIP } from 'node:net'
import { CertloopError } from '@certloop/contract'
import { directoryText, isOneElement, type GeneralName } from './general-names.ts'
import { isDottedOid } from './attribute-types.ts'
import { normalisedName, type Outcome } from './names.ts'
import { shown } from './problems.ts'

/** The normal form of a name, or what is wrong with it, worded to follow the name. */
type GeneralOutcome = GeneralName | { problem: string }

/**
 * Checks and normalises names of all kinds, as checkNames does for host names: hosts in lower case as A-labels, e-mail
 * addresses with such a host (RFC 5280, 4.2.1.6), URIs with scheme and host in lower case and escaped to ASCII
 * (RFC 3987, 3.1), duplicates dropped, order kept.
 * @param max how many different names are allowed
 * @param field what the names are called in `fields`
 * @throws CertloopError NAME_INVALID, whose fact `fields` has one line "names[2]: problem" per bad name; TOO_MANY_NAMES
 */
export function checkGeneralNames(names: readonly GeneralName[], max = 250, field = 'names'): GeneralName[] {
  if (names.length === 0) throw new CertloopError('NAME_INVALID', 'At least one name is needed.', { fields: [`${field}: at least one name is needed`] })
  const given = new Set(names.map(nameKey)).size
  if (given > max) throw new CertloopError('TOO_MANY_NAMES', `${given} names were given; at most ${max} are allowed.`, { given, allowed: max })
  const good = new Map<string, GeneralName>()
  const bad: string[] = []
  names.forEach((name, index) => {
    const result = normalGeneralName(name)
    if ('problem' in result) bad.push(`${field}[${index}]: ${shown(name.value)} ${result.problem}`)
    else if (!good.has(nameKey(result))) good.set(nameKey(result), result)
  })
  if (bad.length > 0) {
    throw new CertloopError('NAME_INVALID', bad.length === 1 ? `The name ${bad[0]?.replace(/^\w+\[\d+\]: /, '')}.` : `${bad.length} names are not valid.`, { fields: bad })
  }
  return [...good.values()]
}

/** A text that two names share when they are the same name in the same form. */
export function nameKey(name: GeneralName): string {
  if (name.type === 'directory') return `directory:${name.der.toLowerCase()}`
  return name.type === 'other' ? `other:${name.oid ?? ''}:${name.value.toLowerCase()}` : `${name.type}:${name.value}`
}

/** One name of any kind in its normal form, or what is wrong with it. */
export function normalGeneralName(name: GeneralName): GeneralOutcome {
  switch (name.type) {
    case 'dns': return isIP(name.value) === 0 ? withValue(name, normalisedName(name.value)) : { problem: 'is an IP address, not a DNS name' }
    case 'ip': return isIP(name.value) === 0 ? { problem: 'is not an IP address' } : withValue(name, normalisedName(name.value))
    case 'email': return withValue(name, normalEmail(name.value))
    case 'uri': return withValue(name, normalUri(name.value))
    case 'upn': return withValue(name, normalUpn(name.value))
    case 'registered-id': return isDottedOid(name.value) ? name : { problem: 'is not a dotted object identifier' }
    case 'directory': return normalDirectory(name.der)
    case 'other': return normalOther(name.oid, name.value)
  }
}

type TextName = Extract<GeneralName, { type: 'dns' | 'ip' | 'email' | 'uri' | 'upn' | 'registered-id' }>
const withValue = (name: TextName, outcome: Outcome): GeneralOutcome => (typeof outcome === 'string' ? { type: name.type, value: outcome } : outcome)

/** A host without wildcard. */
function plainHost(host: string): Outcome {
  return host.startsWith('*') ? { problem: 'has a wildcard, which only DNS names can have' } : normalisedName(host)
}

/** Mailbox of RFC 5321, 4.1.2 with a dot-string before the @: what CAs issue for. */
function normalEmail(value: string): Outcome {
  if (value.length > 1000) return { problem: 'is too long' }
  const at = value.lastIndexOf('@')
  if (at < 1 || at === value.length - 1) return { problem: 'is not an e-mail address such as name@example.com' }
  const local = value.slice(0, at)
  if (/[^\x20-\x7e]/.test(local)) return { problem: 'has a character before the @ that certificates can not carry; only ASCII is possible there' }
  if (!/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/.test(local)) return { problem: 'has a part before the @ that is not allowed in an e-mail address' }
  if (local.length > 64) return { problem: 'has more than 64 characters before the @' }
  const domain = value.slice(at + 1)
  if (isIP(domain) !== 0) return { problem: 'has an IP address after the @; give a host name' }
  const host = plainHost(domain)
  if (typeof host !== 'string') return host
  return local.length + host.length + 1 > 254 ? { problem: 'is longer than 254 characters' } : `${local}@${host}`
}

const longestUri = 2048

/** Absolute URI (RFC 3986, 4.3, with or without a fragment); an authority has a host name or address (RFC 5280, 4.2.1.6). */
function normalUri(value: string): Outcome {
  if (value.length > longestUri) return { problem: `is longer than ${longestUri} characters` }
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*(?=:.)/s.exec(value)?.[0]
  if (scheme === undefined) return { problem: 'is not a URI; it has to begin with a scheme such as https:' }
  const rest = escapedUri(value.slice(scheme.length + 1))
  if (typeof rest !== 'string') return rest
  const whole = `${scheme.toLowerCase()}:${rest}`
  return whole.length > longestUri ? { problem: `is longer than ${longestUri} characters` } : whole
}

function escapedUri(rest: string): Outcome {
  const authority = /^\/\/[^/?#]*/.exec(rest)?.[0] ?? ''
  const normal = authority === '' ? '' : normalAuthority(authority.slice(2))
  if (typeof normal !== 'string') return normal
  const path = rest.slice(authority.length)
  if (!path.isWellFormed()) return { problem: 'contains half a character' }
  if (/[^\x21-\x7e\u00a0-\u{10ffff}]/u.test(path)) return { problem: 'contains a space or control character' }
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return { problem: 'has a % without two hex digits after it' }
  if (/["<>\\^`{|}]/.test(path)) return { problem: 'contains a character that has to be escaped in a URI' }
  return normal + path.replace(/[^\x21-\x7e]+/gu, encodeURIComponent)
}

function normalAuthority(text: string): Outcome {
  const parts = /^(?:(?<user>[A-Za-z0-9._~!$&'()*+,;=:%-]*)@)?(?<host>\[[0-9A-Fa-f:.]+\]|[^:@[\]]*)(?::(?<port>\d{0,5}))?$/u.exec(text)?.groups
  if (!parts) return { problem: 'has no readable host after the //' }
  const { user, host = '', port } = parts
  if (user?.includes(':')) return { problem: 'contains a password' }
  const normal = normalUriHost(host)
  if (typeof normal !== 'string') return normal
  return `//${user === undefined ? '' : `${user}@`}${normal}${port ? `:${port}` : ''}`
}

function normalUriHost(host: string): Outcome {
  if (host === '') return { problem: 'has no host after the //' }
  const inBrackets = host.startsWith('[')
  const bare = inBrackets ? host.slice(1, -1) : host
  if (inBrackets && isIP(bare) !== 6) return { problem: 'has an address in brackets that is not IPv6' }
  const normal = plainHost(bare)
  if (typeof normal !== 'string') return { problem: `has a host that ${normal.problem}` }
  return inBrackets ? `[${normal}]` : normal
}

/** User principal name of Active Directory: a name, @ and a suffix, which need not be a DNS name. */
function normalUpn(value: string): Outcome {
  if (value.length > 1024) return { problem: 'is longer than 1024 characters' }
  if (!value.isWellFormed()) return { problem: 'contains half a character' }
  // oxlint-disable-next-line no-control-regex -- control characters are refused here
  if (/[\s\u0000-\u001f\u007f-\u009f]/.test(value)) return { problem: 'contains a space or control character' }
  return /^[^@]+@[^@]+$/.test(value) ? value : { problem: 'is not a user principal name such as name@example.com' }
}

function normalDirectory(der: string): GeneralOutcome {
  const text = directoryText(der)
  if (text === undefined || text === '') return { problem: text === '' ? 'is an empty directory name' : 'is not the DER of a name' }
  return { type: 'directory', value: text, der: der.toLowerCase() }
}

function normalOther(id: string | null, value: string): GeneralOutcome {
  if (id === null) return { problem: 'is of a kind that can not be asked for' }
  if (!isDottedOid(id)) return { problem: 'has a kind that is not a dotted object identifier' }
  return isOneElement(value) ? { type: 'other', oid: id, value: value.toLowerCase() } : { problem: 'has a value that is not one DER element in hex' }
}
