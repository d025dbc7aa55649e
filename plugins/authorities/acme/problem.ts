import { CertloopError, type ErrorCode, type ErrorFacts } from '@certloop/contract'
import { isText, partsOf } from './reading.ts'

/** A problem document of ACME (RFC 8555, 6.7), as far as it could be read. */
export interface Problem {
  /** Without the prefix; "" when it is not of ACME. */
  type: string
  detail: string
  identifier: string | undefined
  instance: string | undefined
  subproblems: Problem[]
}
/** What was asked: the same words mean different things. */
export type Doing = 'account' | 'order' | 'finalize' | 'validation' | 'other'

const prefix = 'urn:ietf:params:acme:error:'
/** Text of others for people: one line, bounded. */
export const plainText = (value: unknown, most = 1000): string => (isText(value) ? value.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim().slice(0, most) : '')

/** undefined: it is none. */
export function readProblem(value: unknown, depth = 0): Problem | undefined {
  const { type: kind, detail, title, identifier, instance, subproblems } = partsOf(value)
  if (!isText(kind) && !isText(detail)) return undefined
  const type = plainText(kind, 200)
  return {
    type: type.startsWith(prefix) ? type.slice(prefix.length) : '',
    detail: [plainText(detail), plainText(title), type].find((text) => text !== '') ?? 'no reason given',
    identifier: plainText(partsOf(identifier)['value'], 300) || undefined,
    instance: plainText(instance, 500) || undefined,
    subproblems: Array.isArray(subproblems) && depth < 2 ? subproblems.slice(0, 200).flatMap((one) => readProblem(one, depth + 1) ?? []) : [],
  }
}

const ofAccount: Readonly<Record<string, ErrorCode>> = {
  accountDoesNotExist: 'AUTHORITY_ACCOUNT_REFUSED', unauthorized: 'AUTHORITY_ACCOUNT_REFUSED', externalAccountRequired: 'AUTHORITY_ACCOUNT_REFUSED',
  invalidContact: 'AUTHORITY_ACCOUNT_REFUSED', unsupportedContact: 'AUTHORITY_ACCOUNT_REFUSED', badPublicKey: 'AUTHORITY_ACCOUNT_REFUSED', badSignatureAlgorithm: 'AUTHORITY_ACCOUNT_REFUSED',
}
const ofRequest: Readonly<Record<string, ErrorCode>> = {
  rejectedIdentifier: 'NAME_REFUSED', unsupportedIdentifier: 'NAME_REFUSED', caa: 'CAA_FORBIDS', invalidProfile: 'PROFILE_REFUSED', userActionRequired: 'AUTHORITY_TERMS_NOT_AGREED',
  dns: 'VALIDATION_REFUSED', connection: 'VALIDATION_REFUSED', tls: 'VALIDATION_REFUSED', incorrectResponse: 'VALIDATION_REFUSED',
}
const codes: Readonly<Record<Doing, Readonly<Record<string, ErrorCode>>>> = {
  account: { ...ofRequest, ...ofAccount },
  order: { ...ofRequest, ...ofAccount },
  finalize: { ...ofRequest, accountDoesNotExist: 'AUTHORITY_ACCOUNT_REFUSED', badPublicKey: 'KEY_ALGORITHM_UNSUPPORTED' },
  validation: { rejectedIdentifier: 'NAME_REFUSED', unsupportedIdentifier: 'NAME_REFUSED', caa: 'CAA_FORBIDS' },
  other: { ...ofRequest, ...ofAccount },
}

function codeOf(problem: Problem, doing: Doing): ErrorCode {
  const own = codes[doing][problem.type]
  // "unauthorized" with names is about these names, not about the account.
  if (own === 'AUTHORITY_ACCOUNT_REFUSED' && doing === 'order' && problem.type === 'unauthorized' && identifiersOf(problem).length > 0) return 'NAME_REFUSED'
  if (own) return own
  if (problem.type === 'rateLimited') return 'AUTHORITY_RATE_LIMITED'
  if (doing === 'validation') return 'VALIDATION_REFUSED'
  if (problem.type === 'serverInternal') return 'AUTHORITY_UNREACHABLE'
  const [first] = problem.subproblems.map((one) => codeOf(one, doing)).filter((code) => code !== 'AUTHORITY_REJECTED')
  return first ?? 'AUTHORITY_REJECTED'
}
const identifiersOf = (problem: Problem): string[] => [...new Set([problem, ...problem.subproblems].flatMap(({ identifier }) => identifier ?? []))]

/** What it says, with what it says of each name. */
export function wordsOf(problem: Problem): string {
  const parts = problem.subproblems.slice(0, 20).map(({ identifier, detail }) => (identifier === undefined ? detail : `${identifier}: ${detail}`)).filter((part) => !problem.detail.includes(part))
  const kind = problem.type === '' ? '' : ` (${problem.type})`
  return [`${problem.detail.replace(/\.$/, '')}${kind}`, ...parts].join('; ')
}

export interface ProblemContext {
  /** Of the configured authority. */
  authority: string
  doing: Doing
  /** The names that were asked for: those that the text mentions are taken where it names none in form. */
  names?: readonly string[]
  retryAt?: Date | undefined
  termsUrl?: string | undefined
  /** Whether what was asked for may have been done all the same. */
  sent?: 'no' | 'maybe'
}

const saysWhat: Partial<Record<ErrorCode, (authority: string) => string>> = {
  NAME_REFUSED: (authority) => `${authority} does not issue for a name`,
  CAA_FORBIDS: (authority) => `${authority} may not issue by the CAA records`,
  PROFILE_REFUSED: (authority) => `${authority} refused the profile`,
  AUTHORITY_ACCOUNT_REFUSED: (authority) => `${authority} refused the account`,
  AUTHORITY_TERMS_NOT_AGREED: (authority) => `${authority} wants its terms of service to be agreed to`,
  VALIDATION_REFUSED: (authority) => `${authority} looked for the proof and did not accept it`,
  AUTHORITY_RATE_LIMITED: (authority) => `${authority} takes no more requests for now`,
  AUTHORITY_UNREACHABLE: (authority) => `${authority} has a fault of its own`,
}

/** A problem document in our words: code, message and facts. */
export function errorOfProblem(problem: Problem, context: ProblemContext): CertloopError {
  const { authority, doing, retryAt } = context
  const code = codeOf(problem, doing)
  const terms = code === 'AUTHORITY_TERMS_NOT_AGREED' ? context.termsUrl ?? problem.instance : undefined
  const head = saysWhat[code]?.(authority) ?? `${authority} refused the request`
  const until = code === 'AUTHORITY_RATE_LIMITED' && retryAt ? ` It is asked again at ${retryAt.toISOString()}.` : ''
  const where = terms && !wordsOf(problem).includes(terms) ? ` The terms: ${terms}` : ''
  return new CertloopError(code, `${head}: ${wordsOf(problem)}.${until}${where}`, { ...factsOf(problem, context), ...(terms ? { termsUrl: terms } : {}), ...(code === 'AUTHORITY_UNREACHABLE' ? { sent: context.sent ?? 'maybe' } : {}) })
}

function factsOf(problem: Problem, { names = [], retryAt }: ProblemContext): ErrorFacts {
  const inForm = identifiersOf(problem)
  const named = inForm.length > 0 ? inForm : names.filter((name) => mentions(problem.detail, name))
  return { ...(problem.type === '' ? {} : { acmeError: problem.type }), ...(named.length > 0 ? { names: named.join(',') } : {}), ...(retryAt ? { retryAt: retryAt.toISOString() } : {}) }
}

/** As a word of its own: "example.com" is not mentioned by "www.example.com". */
const mentions = (text: string, name: string): boolean => text.toLowerCase().split(/[^a-z0-9.*:-]+/).some((word) => word.replace(/[.:]+$/, '') === name.toLowerCase())
