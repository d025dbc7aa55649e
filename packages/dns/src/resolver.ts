import { CertloopError } from '@certloop/contract'
import type { DnsRecord, Question, QuestionType } from './message.ts'
import { checkName, isWithin } from './names.ts'
import { query, type DnsAnswer } from './query.ts'
import { serverText, type DnsServer } from './transport.ts'

export interface Looked {
  /** nodata: the name is there, but has no such record. */
  outcome: 'found' | 'nodata' | 'nxdomain'
  /** Where the chain of CNAME records ends. */
  name: string
  /** The names that it led through: first the one asked for, last `name`. Empty without a CNAME record. */
  chain: string[]
  /** Of the type asked for, at `name`. */
  records: DnsRecord[]
  answer: DnsAnswer
}

/** Asks recursive servers. All of it throws CertloopError DNS_LOOKUP_FAILED where there is no answer. */
export interface Resolver {
  readonly servers: readonly DnsServer[]
  /**
   * One question as it stands: the first server that gives an answer is believed. NOERROR and NXDOMAIN are answers.
   * @throws CertloopError DNS_LOOKUP_FAILED with facts.problem as query, or facts.rcode; "DNSSEC" in facts.problem where only its signatures are in the way
   */
  ask(question: Question, signal?: AbortSignal): Promise<DnsAnswer>
  /** Follows CNAME and DNAME records. @throws also DNS_DELEGATION_BROKEN: in a circle, or longer than ten */
  look(question: Question, signal?: AbortSignal): Promise<Looked>
  /** All A and AAAA records, IPv6 last. */
  addresses(name: string, signal?: AbortSignal): Promise<{ outcome: Looked['outcome']; name: string; chain: string[]; addresses: string[] }>
}

export interface ResolverOptions { servers: readonly DnsServer[]; /** For one exchange with one server; default 3000. */ timeoutMs?: number }

const longestChain = 10
const broken = (message: string, facts: Record<string, string>): CertloopError => new CertloopError('DNS_DELEGATION_BROKEN', message, facts)
const isProblem = (error: unknown, problem: string): boolean => error instanceof CertloopError && error.facts['problem'] === problem

function refusal(answer: DnsAnswer, { name, type }: Question): CertloopError {
  const [extended] = answer.extendedErrors
  const why = extended ? `, ${extended.text || `extended error ${extended.code}`}` : ''
  return new CertloopError('DNS_LOOKUP_FAILED', `DNS server ${serverText(answer.server)} answers ${answer.rcode} to the question for ${type} of ${name}${why}.`, { server: serverText(answer.server), problem: 'rcode', rcode: answer.rcode })
}

/** The next name of a chain that the answer itself holds. DNAME is taken where the server made no CNAME of it. */
function nextName(records: readonly DnsRecord[], name: string): string | undefined {
  const alias = records.find((each) => each.type === 'CNAME' && each.name === name)
  if (alias?.type === 'CNAME') return alias.data
  const whole = records.find((each) => each.type === 'DNAME' && name !== each.name && isWithin(name, each.name))
  return whole?.type === 'DNAME' ? `${name.slice(0, -whole.name.length)}${whole.data}` : undefined
}

/** Walks on through the answer. @throws CertloopError DNS_DELEGATION_BROKEN */
function walk(answer: DnsAnswer, passed: string[], type: QuestionType): string[] {
  const chain = [...passed]
  for (;;) {
    const at = chain.at(-1) ?? ''
    if (type !== 'CNAME' && answer.answers.some((each) => each.name === at && each.type === type)) return chain
    const next = nextName(answer.answers, at)
    if (next === undefined) return chain
    if (chain.includes(next)) throw broken(`The CNAME records of ${chain[0]} lead in a circle: ${[...chain, next].join(' → ')}.`, { name: chain[0] ?? '', at: next })
    chain.push(next)
    if (chain.length > longestChain + 1) throw broken(`The CNAME records of ${chain[0]} lead through more than ${longestChain} names: ${chain.join(' → ')}.`, { name: chain[0] ?? '' })
  }
}

/** A resolver that asks these servers in turn; one that failed is asked last from then on. */
export function createResolver({ servers, timeoutMs = 3000 }: ResolverOptions): Resolver {
  let order = [...servers]

  const askOne = async (server: DnsServer, question: Question, signal: AbortSignal | undefined): Promise<DnsAnswer> => {
    const answer = await query(server, question, { timeoutMs, signal })
    if (answer.rcode === 'NOERROR' || answer.rcode === 'NXDOMAIN') return answer
    if (answer.rcode !== 'SERVFAIL') throw refusal(answer, question)
    const unchecked = await query(server, question, { timeoutMs, signal, checkingDisabled: true }).catch(() => undefined)
    if (unchecked?.rcode !== 'NOERROR' && unchecked?.rcode !== 'NXDOMAIN') throw refusal(answer, question)
    throw new CertloopError('DNS_LOOKUP_FAILED', `DNS server ${serverText(server)} refuses the answer for ${question.type} of ${question.name} because its DNSSEC signatures are not valid. Authorities refuse it as well.`, { server: serverText(server), problem: 'DNSSEC', rcode: 'SERVFAIL' })
  }

  const ask: Resolver['ask'] = async (question, signal) => {
    let last: unknown = new CertloopError('DNS_LOOKUP_FAILED', 'No DNS server is known to ask: this machine has none, and the setting dns-servers is empty.', { problem: 'unreachable' })
    for (const server of order) {
      try {
        return await askOne(server, question, signal)
      } catch (error) {
        if (!(error instanceof CertloopError) || error.code !== 'DNS_LOOKUP_FAILED') throw error
        // What DNSSEC refuses is not to be had from a server that does not look.
        if (isProblem(error, 'DNSSEC') || isProblem(error, 'aborted')) throw error
        if (isProblem(error, 'timeout') || isProblem(error, 'unreachable')) order = [...order.filter((each) => each !== server), server]
        last = error
      }
    }
    throw last
  }

  /** CNAME by CNAME, so that a circle shows where a server answers SERVFAIL for it. */
  const chainOf = async (name: string, signal: AbortSignal | undefined): Promise<{ chain: string[]; answer: DnsAnswer }> => {
    let chain = [name]
    for (;;) {
      const answer = await ask({ name: chain.at(-1) ?? '', type: 'CNAME' }, signal)
      const walked = walk(answer, chain, 'CNAME')
      if (walked.length === chain.length) return { chain, answer }
      chain = walked
    }
  }

  const look: Resolver['look'] = async (question, signal) => {
    let chain = [checkName(question.name)]
    for (;;) {
      const answer = await ask({ name: chain.at(-1) ?? '', type: question.type }, signal).catch(async (error: unknown) => {
        if (error instanceof CertloopError && error.facts['rcode'] === 'SERVFAIL' && error.facts['problem'] !== 'DNSSEC') await chainOf(chain[0] ?? '', signal)
        throw error
      })
      const walked = walk(answer, chain, question.type)
      const name = walked.at(-1) ?? ''
      const records = answer.answers.filter((each) => each.name === name && each.type === question.type)
      const isEnd = records.length > 0 || walked.length === chain.length || answer.rcode === 'NXDOMAIN'
      chain = walked
      if (isEnd) return { outcome: records.length > 0 ? 'found' : answer.rcode === 'NXDOMAIN' ? 'nxdomain' : 'nodata', name, chain: chain.length > 1 ? chain : [], records, answer }
    }
  }

  return {
    servers, ask,
    look: async (question, signal) => {
      if (question.type !== 'CNAME') return look(question, signal)
      const { chain, answer } = await chainOf(checkName(question.name), signal)
      return { outcome: answer.rcode === 'NXDOMAIN' ? 'nxdomain' : 'nodata', name: chain.at(-1) ?? '', chain: chain.length > 1 ? chain : [], records: [], answer }
    },
    addresses: async (name, signal) => {
      const [v4, v6] = await Promise.all([look({ name, type: 'A' }, signal), look({ name, type: 'AAAA' }, signal)])
      const addresses = [...v4.records, ...v6.records].flatMap((each) => (each.type === 'A' || each.type === 'AAAA' ? [each.data] : []))
      const best = v4.outcome === 'found' ? v4 : v6.outcome === 'nxdomain' ? v4 : v6
      return { outcome: addresses.length > 0 ? 'found' : best.outcome, name: best.name, chain: best.chain, addresses: [...new Set(addresses)] }
    },
  }
}
