import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import { getDomain } from 'tldts'
import type { AuthorityUseTable } from './authority-store.ts'

export interface Use { kind: AuthorityUseTable['kind']; subject: string }

/** The first 64 bits of an IPv6 address: one network counts as one. */
function networkOf(address: string): string {
  if (isIP(address) !== 6) return address
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const [before, after] = [head.split(':').filter(Boolean), (tail ?? '').split(':').filter(Boolean)]
  const groups = tail === undefined ? before : [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
  return `${groups.slice(0, 4).join(':')}::/64`
}

const plain = (name: string) => name.toLowerCase().replace(/^\*\./, '')
/** As authorities count: by the Public Suffix List with its private part. What has no registered domain counts by itself. */
export const registeredDomain = (name: string): string => (isIP(name) === 0 ? getDomain(plain(name), { allowPrivateDomains: true }) ?? plain(name) : networkOf(name))

const longest = 200
/** The same for the same names in whatever order; short enough for an index, with the first name to be known by. */
export function setOfNames(names: readonly string[]): string {
  const sorted = [...new Set(names.map((name) => name.toLowerCase()))].toSorted()
  const text = sorted.join(', ')
  return text.length <= longest ? text : `${sorted[0]?.slice(0, 100)} and ${sorted.length - 1} more (${createHash('sha256').update(text).digest('hex')})`
}

/** What one order uses up. */
export const usesOf = (names: readonly string[]): Use[] => [
  { kind: 'order', subject: '' },
  ...[...new Set(names.map(registeredDomain))].map((subject) => ({ kind: 'domain' as const, subject })),
  { kind: 'same-names', subject: setOfNames(names) },
]
/** What is looked at besides: names whose validation failed too often are not ordered again at once. */
export const failuresOf = (names: readonly string[]): Use[] => [...new Set(names.map(plain))].map((subject) => ({ kind: 'failure', subject }))
