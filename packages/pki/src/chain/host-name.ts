import { domainToASCII } from 'node:url'
import { ipBytes, type GeneralName } from '../name/general-names.ts'

// oxlint-disable-next-line no-control-regex -- the range is ASCII
const isAscii = (text: string): boolean => /^[\u0000-\u007f]*$/.test(text)

/** The A-label form of a host name as people write it, without the root dot; undefined when it is none. */
function referenceName(host: string): string | undefined {
  if (host.length > 1000) return undefined
  const ascii = isAscii(host) ? host.toLowerCase() : domainToASCII(host)
  const name = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii
  return name.length > 253 || !/^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/.test(name) ? undefined : name
}

function patternFits(pattern: string, name: string): boolean {
  const presented = pattern.toLowerCase()
  if (!presented.startsWith('*.')) return presented === name
  const below = presented.slice(1)
  const dot = name.indexOf('.')
  // The wildcard is the whole first label, stands for exactly one, and two labels or more follow it.
  return dot > 0 && name.slice(dot) === below && below.indexOf('.', 1) > 0 && !below.includes('*')
}

/**
 * Whether one of the names of a certificate is this host (RFC 9525, 6). Names of the subject alternative name only:
 * the common name is not looked at. International names may come in either form, IPv6 addresses with or without
 * brackets. An IP address has to be there as such, and no wildcard stands for one.
 */
export function hostIsCovered(names: readonly GeneralName[], host: string): boolean {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
  const address = ipBytes(bare)
  if (address) return names.some(({ type, value }) => type === 'ip' && (ipBytes(value)?.equals(address) ?? false))
  const wanted = referenceName(host)
  return wanted !== undefined && names.some(({ type, value }) => type === 'dns' && patternFits(value, wanted))
}
