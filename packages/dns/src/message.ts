import { CertloopError } from '@certloop/contract'
import { decode, encode, type Answer, type DecodedPacket } from 'dns-packet'
import { checkName, plainName } from './names.ts'
import { malformed, readLayout, typeNumbers, type WireMessage } from './wire.ts'

export type QuestionType = 'A' | 'AAAA' | 'NS' | 'CNAME' | 'DNAME' | 'SOA' | 'TXT' | 'CAA'
export interface Question { /** With or without a dot at the end. */ name: string; type: QuestionType }
export interface SoaData { primary: string; serial: number; minimum: number }
export interface CaaData { /** Bit 128 (RFC 8659, 4.1); 1 is meant so often that authorities take it for the same. */ critical: boolean; /** In lower case. */ tag: string; value: string }
/** Names are in lower case without a dot at the end, "" is the root. The strings of a TXT record are joined. */
export type DnsRecord = { name: string; ttl: number } & (
  | { type: 'A' | 'AAAA' | 'NS' | 'CNAME' | 'DNAME' | 'TXT'; data: string }
  | { type: 'SOA'; data: SoaData }
  | { type: 'CAA'; data: CaaData }
)

const rcodes: Readonly<Record<number, string>> = {
  0: 'NOERROR', 1: 'FORMERR', 2: 'SERVFAIL', 3: 'NXDOMAIN', 4: 'NOTIMP', 5: 'REFUSED', 6: 'YXDOMAIN', 7: 'YXRRSET', 8: 'NXRRSET', 9: 'NOTAUTH', 10: 'NOTZONE', 16: 'BADVERS', 23: 'BADCOOKIE',
}

export interface DnsMessage {
  id: number
  isResponse: boolean
  /** "NOERROR", "NXDOMAIN", …; a number as text for one without a name. */
  rcode: string
  authoritative: boolean
  truncated: boolean
  recursionAvailable: boolean
  /** The server checked the signatures of DNSSEC. */
  authenticData: boolean
  questions: { name: string; type: number; class: number }[]
  /** Those of the types above; others are left out. */
  answers: DnsRecord[]
  authorities: DnsRecord[]
  /** RFC 8914, such as 6 (DNSSEC bogus). */
  extendedErrors: { code: number; text: string }[]
  hasEdns: boolean
}

/** A query with EDNS, so that answers up to 1232 bytes come in one piece over UDP. */
export function encodeQuery(id: number, question: Question, { recursion = true, edns = true, checkingDisabled = false } = {}): Buffer {
  const name = checkName(question.name)
  const flags = (recursion ? 0x0100 : 0) | (checkingDisabled ? 0x0010 : 0)
  const opt = { type: 'OPT', name: '.', udpPayloadSize: 1232, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] } as const
  return encode({ type: 'query', id, flags, questions: [{ name: name || '.', type: question.type }], additionals: edns ? [{ ...opt, options: [] }] : [] })
}

function toRecord(answer: Answer): DnsRecord | undefined {
  const common = { name: plainName(answer.name === '.' ? '' : answer.name), ttl: 'ttl' in answer ? answer.ttl ?? 0 : 0 }
  switch (answer.type) {
    case 'A': case 'AAAA':
      return { ...common, type: answer.type, data: answer.data }
    case 'NS': case 'CNAME': case 'DNAME':
      return { ...common, type: answer.type, data: plainName(answer.data) }
    case 'TXT':
      return { ...common, type: 'TXT', data: Buffer.concat(answer.data as Buffer[]).toString('utf8') }
    case 'SOA':
      return { ...common, type: 'SOA', data: { primary: plainName(answer.data.mname), serial: answer.data.serial ?? 0, minimum: answer.data.minimum ?? 0 } }
    case 'CAA':
      return { ...common, type: 'CAA', data: { critical: ((answer.data.flags ?? 0) & 129) !== 0, tag: answer.data.tag.toLowerCase(), value: answer.data.value } }
    default:
      return undefined
  }
}

const records = (answers: readonly Answer[] | undefined): DnsRecord[] => (answers ?? []).flatMap((each) => toRecord(each) ?? [])

/** dns-packet reads some records past their end; where the layout was checked before, that shows in the length. */
function decodeRecords(message: Buffer, layout: WireMessage): DecodedPacket {
  const fixed: Record<number, number> = { [typeNumbers.A]: 4, [typeNumbers.AAAA]: 16 }
  for (const { type, dataStart, dataEnd } of layout.records) {
    if (dataEnd - dataStart !== (fixed[type] ?? dataEnd - dataStart)) throw malformed('an address has a wrong length')
  }
  try {
    const packet = decode(message)
    if (decode.bytes !== message.length) throw malformed('a record does not end where it should')
    return packet
  } catch (error) {
    if (error instanceof CertloopError) throw error
    throw malformed(error instanceof Error ? error.message : String(error))
  }
}

function extendedErrors(additionals: readonly Answer[] | undefined): DnsMessage['extendedErrors'] {
  const options = (additionals ?? []).flatMap((each) => (each.type === 'OPT' ? each.options as { code: number; data?: Buffer }[] : []))
  return options.flatMap(({ code, data }) => (code === 15 && data && data.length >= 2 ? [{ code: data.readUInt16BE(0), text: data.toString('utf8', 2) }] : []))
}

/** @throws CertloopError DNS_LOOKUP_FAILED (facts.problem "malformed") for what is no DNS message */
export function decodeMessage(message: Buffer): DnsMessage {
  const layout = readLayout(message)
  const packet = decodeRecords(message, layout)
  const { id, flags, questions } = layout
  const opt = packet.additionals?.find((each) => each.type === 'OPT')
  const rcode = (flags & 0xf) | (opt === undefined ? 0 : opt.extendedRcode << 4)
  return {
    id, questions, isResponse: (flags & 0x8000) !== 0, rcode: rcodes[rcode] ?? String(rcode),
    authoritative: (flags & 0x0400) !== 0, truncated: (flags & 0x0200) !== 0, recursionAvailable: (flags & 0x0080) !== 0, authenticData: (flags & 0x0020) !== 0,
    answers: records(packet.answers), authorities: records(packet.authorities), extendedErrors: extendedErrors(packet.additionals), hasEdns: opt !== undefined,
  }
}
