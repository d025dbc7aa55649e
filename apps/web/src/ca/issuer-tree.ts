import type { Issuer } from '@certloop/api-client'

/** A line of the tree: an issuer here, or a CA outside that signed some of them. */
export interface TreeLine { key: string; depth: number; issuer: Issuer | null; /** Subject of a CA outside. */ outside: string | null; /** Of the line above it in the tree; null at the top. */ below: string | null }

interface Place { parent: Issuer | null; outside: string | null }

/** Who signed the certificate that goes into chains. */
function placeOf(issuer: Issuer, byId: ReadonlyMap<string, Issuer>): Place {
  const preferred = issuer.certificates.find(({ id }) => id === issuer.certificateId)
  if (preferred === undefined || preferred.signedBy === issuer.id) return { parent: null, outside: null }
  const parent = preferred.signedBy === null ? undefined : byId.get(preferred.signedBy)
  return parent ? { parent, outside: null } : { parent: null, outside: preferred.issuer }
}

const rank = ({ slot, status }: Issuer): number => (slot !== null ? 0 : status === 'active' ? 1 : status === 'pending' ? 2 : 3)
/** Those in use first, then by name. */
const inOrder = (issuers: readonly Issuer[]): Issuer[] => [...issuers].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name, 'en'))

/**
 * All issuers, each below the one that signed its preferred certificate; those signed outside below a line for the
 * signer. Every issuer is there once, also where cross-certificates were preferred in a circle.
 */
export function issuerTree(issuers: readonly Issuer[]): TreeLine[] {
  const byId = new Map<string, Issuer>(issuers.map((issuer) => [issuer.id, issuer]))
  const places = new Map(issuers.map((issuer) => [issuer.id, placeOf(issuer, byId)]))
  const lines: TreeLine[] = []
  const shown = new Set<string>()
  const add = (issuer: Issuer, depth: number, below: string | null) => {
    if (shown.has(issuer.id)) return
    shown.add(issuer.id)
    lines.push({ key: issuer.id, depth, issuer, outside: null, below })
    for (const child of inOrder(issuers.filter(({ id }) => places.get(id)?.parent?.id === issuer.id))) add(child, depth + 1, issuer.name)
  }
  const tops = issuers.filter(({ id }) => places.get(id)?.parent === null)
  for (const issuer of inOrder(tops.filter(({ id }) => places.get(id)?.outside === null))) add(issuer, 0, null)
  for (const outside of [...new Set(tops.map(({ id }) => places.get(id)?.outside ?? null))].filter((name) => name !== null).sort()) {
    lines.push({ key: `outside:${outside}`, depth: 0, issuer: null, outside, below: null })
    for (const issuer of inOrder(tops.filter(({ id }) => places.get(id)?.outside === outside))) add(issuer, 1, outside)
  }
  for (const issuer of inOrder(issuers)) add(issuer, 0, null)
  return lines
}
