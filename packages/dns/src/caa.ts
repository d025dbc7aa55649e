import type { CaaData } from './message.ts'
import { plainName, upwards } from './names.ts'
import type { Resolver } from './resolver.ts'

/** The records that count for a name (RFC 8659, 3): of the name, else of the nearest name above it that has some. */
export interface CaaFound { /** null: there are none, so everybody may issue. */ at: string | null; records: CaaData[] }

/** Each name is asked with its CNAME records, up to the top-level domain. @throws CertloopError DNS_LOOKUP_FAILED: then no authority may issue */
export async function findCaa(resolver: Resolver, name: string, signal?: AbortSignal): Promise<CaaFound> {
  for (const at of upwards(name)) {
    const { records } = await resolver.look({ name: at, type: 'CAA' }, signal)
    if (records.length > 0) return { at, records: records.flatMap((each) => (each.type === 'CAA' ? [each.data] : [])) }
  }
  return { at: null, records: [] }
}

export interface CaaAsked {
  wildcard: boolean
  /** What the records have to name for this authority. */
  identities: readonly string[]
  /** null: not known. */
  accountUri: string | null
  /** As RFC 8657 names it: "http-01", "dns-01", …; null: not known. */
  method: string | null
}
export interface CaaVerdict {
  /** unsure: it depends on what is not known here. */
  allowed: 'yes' | 'no' | 'unsure'
  /** A sentence. */
  why: string
}

const parameter = /^\s*([a-z0-9]+)\s*=\s*([!-:<-~]*)\s*$/i // RFC 8659, 4.2

/** What one value of issue or issuewild says; undefined: it is malformed and lets nobody issue. */
function readIssue(value: string): { domain: string; parameters: Map<string, string> } | undefined {
  const [domain = '', ...rest] = value.split(';')
  const parts = rest.filter((part, index) => part.trim() !== '' || index < rest.length - 1).map((part) => parameter.exec(part))
  const parameters = new Map(parts.map((part) => [part?.[1]?.toLowerCase() ?? '', part?.[2] ?? '']))
  const isFit = /^\s*(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*)?\s*$/i.test(domain)
  return isFit && parts.every((part) => part !== null) && parameters.size === parts.length ? { domain: plainName(domain.trim()), parameters } : undefined
}

/** Whether one record lets the authority issue, by its parameters. undefined: it depends on what is not known. */
function lets({ parameters }: { parameters: Map<string, string> }, { accountUri, method }: CaaAsked): boolean | undefined {
  const [account, methods] = [parameters.get('accounturi'), parameters.get('validationmethods')?.split(',')]
  if ((account !== undefined && accountUri !== null && account !== accountUri) || (methods && method !== null && !methods.includes(method))) return false
  return (account !== undefined && accountUri === null) || (methods && method === null) ? undefined : true
}

const known = new Set(['issue', 'issuewild', 'iodef', 'issuemail', 'issuevmc', 'contactemail', 'contactphone'])
const shown = ({ tag, value }: CaaData): string => `${tag} "${value}"`

/** Whether the records let this authority issue (RFC 8659, 4; RFC 8657). Pure. */
export function judgeCaa({ at, records }: CaaFound, asked: CaaAsked): CaaVerdict {
  if (at === null) return { allowed: 'yes', why: 'There is no CAA record, so every authority may issue.' }
  const unknown = records.find(({ critical, tag }) => critical && !known.has(tag))
  if (unknown) return { allowed: 'no', why: `The CAA record ${shown(unknown)} of ${at} is marked as critical, and authorities do not know its tag.` }
  const wild = records.filter(({ tag }) => tag === 'issuewild')
  const counting = asked.wildcard && wild.length > 0 ? wild : records.filter(({ tag }) => tag === 'issue')
  if (counting.length === 0) return { allowed: 'yes', why: `The CAA records of ${at} limit nobody in issuing for this name.` }
  const text = counting.map(shown).join(', ')
  if (asked.identities.length === 0) return { allowed: 'unsure', why: `CAA of ${at} says ${text}. The authority does not say by which name it goes there.` }
  const own = counting.flatMap(({ value }) => readIssue(value) ?? []).filter(({ domain }) => asked.identities.some((identity) => plainName(identity) === domain))
  if (own.length === 0) return { allowed: 'no', why: `CAA of ${at} says ${text}, which does not name ${asked.identities.join(' or ')}.` }
  const verdicts = own.map((each) => lets(each, asked))
  if (verdicts.includes(true)) return { allowed: 'yes', why: `CAA of ${at} says ${text}, which lets this authority issue.` }
  if (verdicts.includes(undefined)) return { allowed: 'unsure', why: `CAA of ${at} says ${text}. Account or way of validation of this order are not known yet.` }
  return { allowed: 'no', why: `CAA of ${at} says ${text}. It names another account or another way of validation than this order has (${[asked.accountUri, asked.method].filter(Boolean).join(', ')}).` }
}
