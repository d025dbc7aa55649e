import { isIP } from 'node:net'
import { DerCursor, DerError, readChildren, readElement, type DerElement } from '../der/der-reader.ts'
import { readName } from '../name/distinguished-name.ts'
import { ipBytes, readGeneralName, type GeneralName } from '../name/general-names.ts'
import { canonical } from './canonical-name.ts'

/** One GeneralSubtree; `kind` is the tag of its GeneralName. */
type Subtree =
  | { kind: 'dns' | 'email' | 'uri'; value: string }
  | { kind: 'ip'; address: Buffer; mask: Buffer }
  | { kind: 'directory'; name: readonly string[] }
  | { kind: 'unsupported'; tag: number }

/** Name constraints of one certificate (RFC 5280, 4.2.1.10). */
export interface Constraints { permitted: readonly Subtree[]; excluded: readonly Subtree[] }

const maxSubtrees = 10_000

/** @throws DerError */
export function readConstraints(element: DerElement): Constraints {
  const cursor = new DerCursor(element)
  const subtrees = (list: DerElement | undefined) => (list ? readChildren(list) : []).map(readSubtree)
  const made = { permitted: subtrees(cursor.takeIf(0xa0)), excluded: subtrees(cursor.takeIf(0xa1)) }
  if (made.permitted.length + made.excluded.length === 0) throw new DerError('name constraints are empty')
  if (made.permitted.length + made.excluded.length > maxSubtrees) throw new DerError('there are too many name constraints')
  return made
}

function readSubtree(element: DerElement): Subtree {
  const [base, ...bounds] = element.tag === 0x30 ? readChildren(element) : []
  if (!base) throw new DerError('a name constraint has no name')
  // RFC 5280 allows minimum 0 and no maximum; a certificate with others can't be judged.
  if (bounds.some(({ tag, content }) => tag !== 0x80 || content.some((byte) => byte !== 0))) throw new DerError('a name constraint has a distance')
  if (base.tag === 0x87) return readNetwork(base.content)
  if (base.tag === 0xa4) return { kind: 'directory', name: canonical(readName(readElement(base.content))) }
  const name = readGeneralName(base)
  if (name.type === 'dns' || name.type === 'email' || name.type === 'uri') return { kind: name.type, value: name.value }
  return { kind: 'unsupported', tag: base.tag }
}

function readNetwork(bytes: Buffer): Subtree {
  if (bytes.length !== 8 && bytes.length !== 32) throw new DerError('a network has neither 8 nor 32 bytes')
  return { kind: 'ip', address: bytes.subarray(0, bytes.length / 2), mask: bytes.subarray(bytes.length / 2) }
}

/** A name that constraints are held against. */
type Judged = { kind: 'dns' | 'email' | 'uri'; value: string } | { kind: 'ip'; bytes: Buffer; value: string } | { kind: 'directory'; name: readonly string[]; value: string } | { kind: 'unsupported'; tag: number; value: string }
  /** Of a kind that is known, and not of its form. */
  | { kind: 'damaged'; of: Subtree['kind']; value: string }

const kinds: Record<number, Subtree['kind']> = { 0x81: 'email', 0x82: 'dns', 0x86: 'uri', 0x87: 'ip', 0xa4: 'directory' }
const tags: Partial<Record<GeneralName['type'], number>> = { 'upn': 0xa0, 'registered-id': 0x88 }

function judgedName(name: GeneralName): Judged {
  switch (name.type) {
    case 'dns': case 'email': case 'uri': return { kind: name.type, value: name.value }
    case 'ip': return { kind: 'ip', bytes: ipBytes(name.value) ?? Buffer.alloc(0), value: name.value }
    case 'directory': return { kind: 'directory', name: canonical(readName(readElement(Buffer.from(name.der, 'hex')))), value: name.value }
    default: return unusualName(name, name.value.slice(0, 60))
  }
}

function unusualName(name: GeneralName, value: string): Judged {
  const tag = tags[name.type] ?? (name.type === 'other' && name.oid === null ? Number.parseInt(name.value.slice(0, 2), 16) : 0xa0)
  const of = kinds[tag]
  return of === undefined ? { kind: 'unsupported', value, tag } : { kind: 'damaged', of, value }
}

/** A certificate as far as its names go; see Link. */
interface Named { names: readonly GeneralName[]; subject: readonly string[]; emails: readonly string[]; facts: { subject: string } }

/** All names of a certificate that constraints apply to, subject and e-mail attributes of the subject included. */
function judgedNames(link: Named): Judged[] {
  const judged: Judged[] = link.names.map(judgedName)
  if (link.subject.length > 0) judged.push({ kind: 'directory', name: link.subject, value: link.facts.subject })
  for (const value of link.emails) judged.push({ kind: 'email', value })
  return judged
}

/** Comparisons of names with constraints that may be made for one path. */
export const maxComparisons = 250_000
/** Counts comparisons over a whole path. */
export interface ComparisonCount { made: number }

export type ConstraintBreach = { kind: 'excluded' | 'not-permitted' | 'unsupported'; name: string } | { kind: 'too-many' }

/** The first name of a certificate that these constraints don't allow; undefined when all are allowed. */
export function constraintBreach(link: Named, { permitted, excluded }: Constraints, count: ComparisonCount): ConstraintBreach | undefined {
  for (const name of judgedNames(link)) {
    count.made += permitted.length + excluded.length
    if (count.made > maxComparisons) return { kind: 'too-many' }
    const kind = breachOf(name, permitted, excluded)
    if (kind) return { kind, name: name.value }
  }
  return undefined
}

function breachOf(name: Judged, permitted: readonly Subtree[], excluded: readonly Subtree[]): 'excluded' | 'not-permitted' | 'unsupported' | undefined {
  const kind = name.kind === 'damaged' ? name.of : name.kind
  const about = (subtree: Subtree) => subtree.kind === kind && (subtree.kind !== 'unsupported' || name.kind !== 'unsupported' || subtree.tag === name.tag)
  const [allowed, barred] = [permitted.filter(about), excluded.filter(about)]
  if (allowed.length + barred.length === 0) return undefined
  if (name.kind === 'unsupported') return 'unsupported'
  if (!canBeJudged(name)) return 'not-permitted'
  if (barred.some((subtree) => covers(subtree, name) || wildcardReaches(subtree, name))) return 'excluded'
  return allowed.length > 0 && !allowed.some((subtree) => covers(subtree, name)) ? 'not-permitted' : undefined
}

/** A URI without a host name, an address without "@" and what is damaged fit no constraint and escape none (RFC 5280, 4.2.1.10). */
function canBeJudged(name: Judged): boolean {
  if (name.kind === 'damaged') return false
  if (name.kind === 'email') return name.value.includes('@')
  return name.kind !== 'uri' || hostOfUri(name.value) !== undefined
}

function covers(subtree: Subtree, name: Judged): boolean {
  switch (subtree.kind) {
    case 'dns': return name.kind === 'dns' && dnsCovers(subtree.value, name.value)
    case 'email': return name.kind === 'email' && emailCovers(subtree.value, name.value)
    case 'uri': return name.kind === 'uri' && hostCovers(subtree.value, hostOfUri(name.value) ?? '')
    case 'ip': return name.kind === 'ip' && name.bytes.length === subtree.mask.length && name.bytes.every((byte, i) => ((byte ^ (subtree.address[i] ?? 0)) & (subtree.mask[i] ?? 0)) === 0)
    case 'directory': return name.kind === 'directory' && subtree.name.every((part, i) => part === name.name[i])
    case 'unsupported': return false
  }
}

/** "example.com" covers itself and all below; ".example.com" only what is below; "" everything. */
function dnsCovers(constraint: string, name: string): boolean {
  const base = constraint.toLowerCase()
  const host = name.toLowerCase()
  if (base === '' || host === base) return true
  return host.endsWith(base.startsWith('.') ? base : `.${base}`) && host.length > base.length
}

/** "*.example.com" may stand for an excluded "www.example.com". */
function wildcardReaches(subtree: Subtree, name: Judged): boolean {
  if (subtree.kind !== 'dns' || name.kind !== 'dns' || !name.value.startsWith('*.')) return false
  const base = subtree.value.toLowerCase()
  const dot = base.indexOf('.')
  return dot > 0 && base.slice(dot) === name.value.slice(1).toLowerCase()
}

/** "example.com" is that host alone, ".example.com" every host below (RFC 5280, 4.2.1.10, e-mail and URI). */
function hostCovers(constraint: string, host: string): boolean {
  const base = constraint.toLowerCase()
  return base === '' || (base.startsWith('.') ? host.toLowerCase().endsWith(base) && host.length > base.length : host.toLowerCase() === base)
}

function emailCovers(constraint: string, address: string): boolean {
  const at = address.lastIndexOf('@')
  const host = address.slice(at + 1)
  const mark = constraint.lastIndexOf('@')
  if (mark < 0) return hostCovers(constraint, host)
  return constraint.slice(0, mark) === address.slice(0, at) && constraint.slice(mark + 1).toLowerCase() === host.toLowerCase()
}

/** The host name of a URI with an authority; undefined without, or with an IP address there. */
function hostOfUri(uri: string): string | undefined {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:@]*)(?::\d*)?(?:[/?#]|$)/i.exec(uri)?.[1]
  if (authority === undefined || authority === '' || authority.startsWith('[') || isIP(authority) !== 0) return undefined
  return authority
}
