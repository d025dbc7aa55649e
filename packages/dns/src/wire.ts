import { CertloopError } from '@certloop/contract'
import { checkName } from './names.ts'

/** Numbers of the types that are asked for, written or looked into. */
export const typeNumbers = { A: 1, NS: 2, CNAME: 5, SOA: 6, MX: 15, TXT: 16, AAAA: 28, DNAME: 39, OPT: 41, DS: 43, DNSKEY: 48, TSIG: 250, ANY: 255, CAA: 257 } as const
export const classNumbers = { IN: 1, NONE: 254, ANY: 255 } as const

export interface WireQuestion { name: string; type: number; class: number }
/** One record and where it lies in the message. */
export interface WireRecord { section: 1 | 2 | 3; offset: number; name: string; type: number; class: number; ttl: number; dataStart: number; dataEnd: number }
export interface WireMessage { id: number; flags: number; questions: WireQuestion[]; records: WireRecord[] }

export const malformed = (what: string): CertloopError => new CertloopError('DNS_LOOKUP_FAILED', `The DNS message can not be read: ${what}.`, { problem: 'malformed' })

/** Uncompressed, in lower case, as signatures want it. */
export function nameToWire(name: string): Buffer {
  const labels = checkName(name).split('.').filter(Boolean)
  return Buffer.concat([...labels.map((each) => Buffer.from(`${String.fromCharCode(each.length)}${each}`, 'latin1')), Buffer.alloc(1)])
}

/** One step of reading a name: a label, a pointer or the end. */
function nameStep(message: Buffer, at: number): { label: string } | { pointer: number } | 'end' {
  const first = message[at]
  if (first === undefined) throw malformed('a name runs over its end')
  if (first === 0) return 'end'
  if (first >= 0xc0) return { pointer: ((first & 0x3f) << 8) | (message[at + 1] ?? 0xff) }
  if (first > 63) throw malformed('a name has a label of an unknown kind')
  const label = message.toString('latin1', at + 1, at + 1 + first).toLowerCase()
  // A dot inside a label would make another name of it once it is text.
  if (label.length < first || label.includes('.')) throw malformed('a label is cut off or has a dot inside')
  return { label }
}

/** @returns the name in lower case and where what follows it begins */
export function readName(message: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = []
  let end: number | undefined
  // A pointer has to lead backwards, so the way is finite.
  for (let at = start, before = start, length = 1; ;) {
    const step = nameStep(message, at)
    if (step === 'end') return { name: labels.join('.'), end: end ?? at + 1 }
    if ('pointer' in step) {
      if (step.pointer >= before || at + 2 > message.length) throw malformed('a name points forwards')
      end ??= at + 2
      before = at = step.pointer
    } else {
      length += step.label.length + 1
      if (length > 255) throw malformed('a name is too long')
      labels.push(step.label)
      at += step.label.length + 1
    }
  }
}

const holdsOneName = new Set<number>([typeNumbers.NS, typeNumbers.CNAME, typeNumbers.DNAME])

function readRecord(message: Buffer, offset: number, section: WireRecord['section']): WireRecord {
  const { name, end } = readName(message, offset)
  if (end + 10 > message.length) throw malformed('a record is cut off')
  const [type, dataStart] = [message.readUInt16BE(end), end + 10]
  const dataEnd = dataStart + message.readUInt16BE(end + 8)
  if (dataEnd > message.length) throw malformed('a record is longer than the message')
  if (holdsOneName.has(type) && dataEnd > dataStart && readName(message, dataStart).end !== dataEnd) throw malformed('a name does not end where its record ends')
  return { section, offset, name, type, class: message.readUInt16BE(end + 2), ttl: message.readUInt32BE(end + 4), dataStart, dataEnd }
}

/**
 * Where everything lies in a message.
 * @throws CertloopError DNS_LOOKUP_FAILED (facts.problem "malformed") unless counts, names and lengths fit to the last byte
 */
export function readLayout(message: Buffer): WireMessage {
  if (message.length < 12) throw malformed('it is shorter than a header')
  const questions: WireQuestion[] = []
  const records: WireRecord[] = []
  let at = 12
  for (let left = message.readUInt16BE(4); left > 0; left--) {
    const { name, end } = readName(message, at)
    if (end + 4 > message.length) throw malformed('a question is cut off')
    questions.push({ name, type: message.readUInt16BE(end), class: message.readUInt16BE(end + 2) })
    at = end + 4
  }
  for (const section of [1, 2, 3] as const) {
    for (let left = message.readUInt16BE(4 + 2 * section); left > 0; left--) {
      const record = readRecord(message, at, section)
      records.push(record)
      at = record.dataEnd
    }
  }
  if (at !== message.length) throw malformed('bytes follow its end')
  return { id: message.readUInt16BE(0), flags: message.readUInt16BE(2), questions, records }
}

/** One record in wire format. */
export function recordToWire({ name, type, class: klass, ttl, data }: { name: string; type: number; class: number; ttl: number; data: Buffer }): Buffer {
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(type, 0)
  fixed.writeUInt16BE(klass, 2)
  fixed.writeUInt32BE(ttl, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([nameToWire(name), fixed, data])
}
