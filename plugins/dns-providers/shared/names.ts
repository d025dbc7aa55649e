import { CertloopError } from '@certloop/contract'

/** The name as its zone's provider wants it: "_acme-challenge.www" in example.com; the zone itself is the apex. */
export function relativeName({ zone, name }: { zone: string; name: string }, apex = '@'): string {
  if (name === zone) return apex
  if (!name.endsWith(`.${zone}`)) throw new CertloopError('DNS_RECORD_FAILED', `${name} does not lie in the zone ${zone}.`)
  return name.slice(0, -(zone.length + 1))
}

/** All names that could be the zone of this one, the longest first; never a top-level domain. */
export function possibleZones(name: string): string[] {
  const labels = name.split('.')
  return labels.slice(0, -1).map((_, index) => labels.slice(index).join('.'))
}

export function longestZone(zones: readonly string[], name: string): string | undefined {
  const there = new Set(zones)
  return possibleZones(name).find((zone) => there.has(zone))
}

export const withoutDot = (name: string): string => name.replace(/\.$/, '').toLowerCase()
