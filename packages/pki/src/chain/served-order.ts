import { error, notice, warning, type LinkFinding } from './findings.ts'
import { authorityDiffers, isSelfSignedLink, type SignatureChecks } from './issuing.ts'
import { titleOf, type Link } from './link.ts'

/** A served list with the path that was chosen in it. */
export interface Judged { served: readonly Link[]; leaf: Link; path: readonly Link[]; isTrusted: boolean | null; checks: SignatureChecks; anchors: readonly Link[] }

/** What RFC 8446, 4.4.2 says on the list itself: leaf first, each signed by the next, nothing else. */
export function orderFindings(judged: Judged): LinkFinding[] {
  const { served, leaf } = judged
  const first = served[0]
  const different = [...new Map(served.map((link) => [link.facts.fingerprint, link])).values()]
  return [
    ...(first && first.facts.fingerprint !== leaf.facts.fingerprint ? [error('LEAF_NOT_FIRST', leaf, `${titleOf(leaf)} is not the first in the list. Clients take the first for the server's own certificate: put it first.`)] : []),
    ...repeated(served), ...superfluous(different, judged), ...misordered(different, judged),
  ]
}

function repeated(served: readonly Link[]): LinkFinding[] {
  const seen = new Set<string>()
  return served.flatMap((link, index) => {
    const isAgain = seen.has(link.facts.fingerprint)
    seen.add(link.facts.fingerprint)
    return isAgain ? [warning('DUPLICATE', link, `${titleOf(link)} is in the list more than once (again as certificate ${index + 1}). Leave the repeated one out.`)] : []
  })
}

function superfluous(different: readonly Link[], judged: Judged): LinkFinding[] {
  const { leaf, checks } = judged
  const connected = connectedTo(judged)
  return different.flatMap((link) => {
    if (!connected.has(link.facts.fingerprint)) return checks.isSpent ? [] : [warning('UNRELATED', link, `${titleOf(link)} has nothing to do with this chain. Leave it out.`)]
    if (link.facts.fingerprint === leaf.facts.fingerprint || !isSelfSignedLink(link, checks)) return []
    return [notice('ROOT_INCLUDED', link, `The root ${titleOf(link)} is sent along. Clients use their own copy, so it can be left out.`)]
  })
}

/** Fingerprints of all in the list that the leaf leads to, over any path. */
function connectedTo({ served, leaf, checks, path }: Judged): Set<string> {
  const connected = new Set([leaf.facts.fingerprint])
  const queue = [leaf, ...path]
  for (const link of queue) {
    for (const issuer of served) {
      if (connected.has(issuer.facts.fingerprint) || issuer.subjectKey !== link.issuerKey) continue
      const answer = checks.check(link, issuer)
      // An issuer by name whose key does not fit has a finding of its own, unless it is plainly another's.
      if (answer === 'no' && authorityDiffers(link, issuer)) continue
      connected.add(issuer.facts.fingerprint)
      if (answer !== 'no') queue.push(issuer)
    }
  }
  return connected
}

function misordered(different: readonly Link[], { path }: Judged): LinkFinding[] {
  const places = new Map(path.map(({ facts }, place) => [facts.fingerprint, place]))
  const inPath = different.filter(({ facts }) => places.has(facts.fingerprint))
  const placeOf = ({ facts }: Link) => places.get(facts.fingerprint) ?? 0
  const early = inPath.find((link, i) => { const before = inPath[i - 1]; return before !== undefined && placeOf(link) < placeOf(before) })
  if (!early) return []
  return [warning('MISORDERED', early, `The list is not in order: ${inPath.toSorted((a, b) => placeOf(a) - placeOf(b)).map(titleOf).join(', then ')} would be right. Some clients refuse it as it is.`)]
}
