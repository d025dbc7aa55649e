/** A certificate as one bind line has it. */
export interface Candidate {
  /** Server names; "*.example.com" for one label more. Lower case. */
  names: readonly string[]
  /** Names that it is not for, from crt-list filters with "!". */
  excluded: readonly string[]
  keyType: string | null
}

const parentOf = (name: string) => name.slice(name.indexOf('.') + 1)
const isWildcard = (name: string) => name.startsWith('*.')

/**
 * Who answers for a name, by kind of key: the first that has it, else the first whose wildcard has it. Exact names count
 * before wildcards within a kind only (ssl_sock_switchctx_cbk of HAProxy).
 */
export function answerers<C extends Candidate>(name: string, candidates: readonly C[]): C[] {
  const found = new Map<string | null, C>()
  const wildcard = `*.${parentOf(name)}`
  for (const wanted of [name, wildcard]) {
    for (const candidate of candidates) {
      if (found.has(candidate.keyType) || !candidate.names.includes(wanted)) continue
      if (!candidate.excluded.some((out) => out === '*' || out === name || (isWildcard(out) && out === wildcard))) found.set(candidate.keyType, candidate)
    }
  }
  return [...found.values()]
}

const labels = ['certloop-proof', 'certloop-proof-2', 'certloop-proof-3', 'certloop-proof-4']

/** A name that a client can send to reach a name of a certificate; undefined when none is free. */
export function sample(name: string, candidates: readonly Candidate[]): string | undefined {
  if (!isWildcard(name)) return name
  const taken = new Set(candidates.flatMap(({ names, excluded }) => [...names, ...excluded]))
  return labels.map((label) => `${label}.${name.slice(2)}`).find((one) => !taken.has(one))
}

/** What a certificate is for on one line of a crt-list: its filters, or without any the names in the certificate. */
export function namesFor(filters: readonly string[], own: readonly string[]): string[] {
  return [...new Set((filters.length > 0 ? filters : own).map((name) => name.toLowerCase()))]
}
