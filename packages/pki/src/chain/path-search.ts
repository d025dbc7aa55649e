import { hasEnded } from '../certificate/validity.ts'
import { Heap } from './heap.ts'
import type { Link } from './link.ts'
import { authorityDiffers, hasWeakKey, isSelfSignedLink, notAnIssuer, type SignatureChecks } from './issuing.ts'

export interface SearchOptions {
  leaf: Link
  pool: readonly Link[]
  anchors: readonly Link[]
  at: Date
  /** Ends after so many paths. */
  maxPaths: number
  /** Certificates in a path, leaf and anchor included. */
  maxLength: number
  /** Paths that lead nowhere are wanted too: they end where no issuer is found. */
  deadEnds: boolean
  checks: SignatureChecks
}

export interface SearchResult {
  /** Leaf first. In the order found: what is wrong with no certificate by itself first, then the shorter, then the newer. */
  paths: Link[][]
  /** Not everything was looked at. */
  truncated: boolean
}

/** Steps taken in one search; what is put aside for later counts for a fiftieth, so at most some 200,000 wait and the pool's own. */
const maxSteps = 4_000

interface Step {
  link: Link
  below: Step | undefined
  length: number
  /** What is wrong with its certificates, weighted. */
  cost: number
  /** Certificates that the path has at least when it ends. */
  estimate: number
  /** Issuers not yet looked at, and whether one fitted. */
  open: number
  grew: boolean
}

/**
 * Looks for paths best first: by what is wrong with the certificates themselves, then by the fewest certificates.
 * Name and key together come once in a path, so loops and mutual cross-signing end; a signature is checked once
 * however many paths go over it, and only when its turn has come. The order of the pool makes no difference.
 */
export function searchPaths(options: SearchOptions): SearchResult {
  const { checks, deadEnds } = options
  const anchored = new Set(options.anchors.map(({ facts }) => facts.fingerprint))
  const issuers = issuerIndex(options, anchored)
  const isGoal = ({ link }: Step) => anchored.has(link.facts.fingerprint) || (deadEnds && isSelfSignedLink(link, checks))
  const issuersAbove = (step: Step) => (step.length < options.maxLength ? issuers(step.link).filter(({ link }) => !contains(step, link)) : [])
  const isOver = () => left <= 0 || paths.length >= options.maxPaths
  const waiting = new Heap<Step>(before)
  const paths: Link[][] = []
  let left = maxSteps
  waiting.push({ link: options.leaf, below: undefined, length: 1, cost: 0, estimate: 1, open: 0, grew: false })
  while (!isOver()) {
    const step = waiting.pop()
    if (!step) return { paths, truncated: checks.isSpent }
    left--
    const fits = fitsBelow(step, checks)
    const isEnd = fits && isGoal(step)
    const next = fits && !isEnd ? issuersAbove(step) : []
    step.open = next.length
    if (isEnd) paths.push(pathOf(step))
    else if (deadEnds) paths.push(...brokenOff(fits ? step : step.below))
    left -= next.length / 50
    for (const issuer of next) waiting.push(stepTo(issuer, step))
  }
  return { paths, truncated: waiting.size > 0 || checks.isSpent }
}

const stepTo = (issuer: Issuer, below: Step): Step =>
  ({ link: issuer.link, below, length: below.length + 1, cost: below.cost + issuer.cost, estimate: below.length + 1 + issuer.distance, open: 0, grew: false })

/** Whether the key of this step made the signature below it. */
function fitsBelow(step: Step, checks: SignatureChecks): boolean {
  const { below } = step
  if (!below) return true
  below.open--
  const answer = checks.check(below.link, step.link)
  if (answer !== 'yes' && answer !== 'unknown') return false
  below.grew = true
  return true
}
/** The path to a step that has nothing above it. */
const brokenOff = (step: Step | undefined): Link[][] => (step && step.open === 0 && !step.grew ? [pathOf(step)] : [])

function contains(step: Step, link: Link): boolean {
  for (let at: Step | undefined = step; at; at = at.below) if (at.link.identity === link.identity) return true
  return false
}

function pathOf(step: Step): Link[] {
  const path: Link[] = []
  for (let at: Step | undefined = step; at; at = at.below) path.unshift(at.link)
  return path
}

interface Issuer { link: Link; cost: number; distance: number }

/** Gives the possible issuers of a certificate by name. Only those of names that are asked for are looked at: anchors are many. */
function issuerIndex({ pool, anchors, at, deadEnds }: SearchOptions, anchored: ReadonlySet<string>): (link: Link) => Issuer[] {
  const all = [...new Map([...pool, ...anchors].map((link) => [link.facts.fingerprint, link])).values()]
  const bySubject = Map.groupBy(all, ({ subjectKey }) => subjectKey)
  const distances = deadEnds ? undefined : distancesFrom(anchors, all)
  const known = new Map<string, Issuer[]>()
  const prepared = (name: string) => (bySubject.get(name) ?? []).flatMap((link) => {
    const isAnchor = anchored.has(link.facts.fingerprint)
    const distance = isAnchor || !distances ? 0 : distances.get(link.issuerKey)
    return distance === undefined ? [] : [{ link, distance, cost: costOf(link, at, isAnchor) }]
  })
  return (link) => {
    const issuers = known.get(link.issuerKey) ?? prepared(link.issuerKey)
    known.set(link.issuerKey, issuers)
    return issuers.map((issuer) => (authorityDiffers(link, issuer.link) ? { ...issuer, cost: issuer.cost + 4 } : issuer))
  }
}

/** How many certificates are above one whose issuer has this name, going by names alone. Names from which no anchor is reached are absent. */
function distancesFrom(anchors: readonly Link[], all: readonly Link[]): Map<string, number> {
  const byIssuer = Map.groupBy(all, ({ issuerKey }) => issuerKey)
  const distances = new Map(anchors.map(({ subjectKey }) => [subjectKey, 1]))
  const queue = [...distances.keys()]
  for (let next = 0; next < queue.length; next++) {
    const name = queue[next] ?? ''
    for (const { subjectKey } of byIssuer.get(name) ?? []) {
      if (distances.has(subjectKey)) continue
      distances.set(subjectKey, (distances.get(name) ?? 0) + 1)
      queue.push(subjectKey)
    }
  }
  return distances
}

function costOf(link: Link, at: Date, isAnchor: boolean): number {
  const isOff = at < link.facts.notBefore || hasEnded(at, link.facts.notAfter)
  const isUnfit = notAnIssuer(link, isAnchor) !== undefined || (link.keyUsage !== null && !link.keyUsage.has(5)) || hasWeakKey(link) || link.damaged.length + link.repeated.length + link.criticalUnknown.length > 0
  return (isOff ? 2 : 0) + (isUnfit ? 2 : 0) + (link.hasWeakHash && !isAnchor ? 1 : 0)
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
export const newerFirst = (a: Link, b: Link): number =>
  b.facts.notBefore.getTime() - a.facts.notBefore.getTime() || b.facts.notAfter.getTime() - a.facts.notAfter.getTime() || byText(a.facts.fingerprint, b.facts.fingerprint)

const before = (a: Step, b: Step): number => a.cost - b.cost || a.estimate - b.estimate || b.length - a.length || newerFirst(a.link, b.link)
