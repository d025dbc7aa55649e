import { randomInt } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { decodeMessage, encodeQuery, type DnsMessage, type Question } from './message.ts'
import { checkName } from './names.ts'
import { overTcp, overUdp, serverText, type DnsServer } from './transport.ts'
import { signMessage, verifyMessage, type TsigKey, type TsigResult } from './tsig.ts'
import { encodeUpdate, type Update } from './update.ts'
import { classNumbers, readName, typeNumbers } from './wire.ts'

export interface AskOptions {
  /** Milliseconds for one exchange; default 3000. */
  timeoutMs?: number
  /** At once over TCP. Otherwise only when the answer over UDP was cut. */
  tcp?: boolean
  signal?: AbortSignal | undefined
  /** Signs what is asked and checks the signature of the answer. */
  tsig?: { key: TsigKey; now: () => Date }
}
export interface QueryOptions extends AskOptions { /** Ask the server to look elsewhere; default true. */ recursion?: boolean; /** It is not to check DNSSEC. */ checkingDisabled?: boolean }

export interface DnsAnswer extends DnsMessage {
  server: DnsServer
  over: 'udp' | 'tcp'
  /** Of a signed question. An answer with NOERROR is always verified. */
  tsig: TsigResult | null
}

const rawHeader = (answer: Buffer, id: number) => answer.length >= 12 && answer.readUInt16BE(0) === id && (answer.readUInt16BE(2) & 0x8000) !== 0

/** Id and question are those asked. An answer that is an error may come without the question. */
function fitsQuestion(id: number, name: string, type: number): (answer: Buffer) => boolean {
  return (answer) => {
    if (!rawHeader(answer, id)) return false
    const rcode = answer.readUInt16BE(2) & 0xf
    if (answer.readUInt16BE(4) === 0) return rcode !== 0 && rcode !== 3
    try {
      const asked = readName(answer, 12)
      return answer.readUInt16BE(4) === 1 && asked.name === name && answer.length >= asked.end + 4 && answer.readUInt16BE(asked.end) === type && answer.readUInt16BE(asked.end + 2) === classNumbers.IN
    } catch {
      return false // no answer to what was asked: passed over like any other
    }
  }
}

const isTruncated = (answer: Buffer) => (answer.readUInt16BE(2) & 0x0200) !== 0

function checked(answer: Buffer, server: DnsServer, options: AskOptions, requestMac: Buffer | undefined): { message: DnsMessage; tsig: TsigResult | null } {
  try {
    const message = decodeMessage(answer)
    if (!options.tsig || !requestMac) return { message, tsig: null }
    const tsig = verifyMessage(answer, options.tsig.key, { now: options.tsig.now(), requestMac })
    // Whoever refuses may do so without a signature; whoever says yes may not.
    if (!tsig.verified && message.rcode === 'NOERROR') throw new CertloopError('DNS_LOOKUP_FAILED', `The answer of DNS server ${serverText(server)} can not be trusted: ${tsig.problem}.`, { server: serverText(server), problem: 'signature' })
    return { message, tsig }
  } catch (error) {
    if (error instanceof CertloopError && error.facts['server'] === undefined) throw new CertloopError(error.code, `DNS server ${serverText(server)}: ${error.message}`, { ...error.facts, server: serverText(server) }, error)
    throw error
  }
}

async function exchange(server: DnsServer, unsigned: Buffer, fits: (answer: Buffer) => boolean, options: AskOptions): Promise<DnsAnswer> {
  const signed = options.tsig && signMessage(unsigned, options.tsig.key, { now: options.tsig.now() })
  const carried = { server, message: signed?.message ?? unsigned, fits, timeoutMs: options.timeoutMs ?? 3000, signal: options.signal }
  let over: DnsAnswer['over'] = options.tcp ? 'tcp' : 'udp'
  let answer = await (options.tcp ? overTcp(carried) : overUdp(carried))
  if (over === 'udp' && isTruncated(answer)) {
    over = 'tcp'
    answer = await overTcp(carried)
  }
  const { message, tsig } = checked(answer, server, options, signed?.mac)
  return { ...message, server, over, tsig }
}

/**
 * Asks one server one question; any rcode is an answer. A server that does not know EDNS is asked again without it.
 * @throws CertloopError DNS_LOOKUP_FAILED with facts.server and facts.problem: "timeout", "unreachable", "malformed", "signature" or "aborted"
 */
export async function query(server: DnsServer, question: Question, options: QueryOptions = {}): Promise<DnsAnswer> {
  const [name, type] = [checkName(question.name), typeNumbers[question.type]]
  const ask = (edns: boolean) => {
    const id = randomInt(65_536)
    return exchange(server, encodeQuery(id, question, { recursion: options.recursion ?? true, checkingDisabled: options.checkingDisabled ?? false, edns }), fitsQuestion(id, name, type), options)
  }
  const answer = await ask(true)
  return (answer.rcode === 'FORMERR' || answer.rcode === 'NOTIMP') && !answer.hasEdns ? ask(false) : answer
}

/**
 * Sends an UPDATE (RFC 2136); any rcode is an answer. Over UDP it is sent twice where no answer comes, so it should bear repeating.
 * @throws CertloopError as query; INPUT_INVALID for what can't be written
 */
export async function sendUpdate(server: DnsServer, update: Update, options: AskOptions = {}): Promise<DnsAnswer> {
  const id = randomInt(65_536)
  const message = encodeUpdate(id, update)
  const fits = (answer: Buffer) => rawHeader(answer, id) && ((answer.readUInt16BE(2) >> 11) & 0xf) === 5
  return exchange(server, message, fits, { ...options, tcp: options.tcp ?? message.length > 1200 })
}
