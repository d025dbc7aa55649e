import { isIPv4, isIPv6 } from 'node:net'
import { CertloopError } from '@certloop/contract'
import { classNumbers, nameToWire, recordToWire, typeNumbers } from './wire.ts'

/** What is written in TXT records is joined again by who reads it; a name for CNAME, an address for A and AAAA. */
export type UpdateType = 'TXT' | 'CNAME' | 'A' | 'AAAA'
/** RFC 2136, 2.4. */
export type Prerequisite =
  | { kind: 'name-in-use' | 'name-not-in-use'; name: string }
  | { kind: 'set-exists' | 'set-absent'; name: string; type: UpdateType }
  /** All values of the set, and no others. */
  | { kind: 'set-is'; name: string; type: UpdateType; values: readonly string[] }
/** RFC 2136, 2.5. */
export type Change =
  | { kind: 'add'; name: string; type: UpdateType; ttl: number; value: string }
  | { kind: 'remove'; name: string; type: UpdateType; value: string }
  | { kind: 'remove-set'; name: string; type: UpdateType }
  | { kind: 'remove-name'; name: string }
export interface Update { zone: string; prerequisites?: readonly Prerequisite[]; changes: readonly Change[] }

function textData(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8')
  const parts = Array.from({ length: Math.max(1, Math.ceil(bytes.length / 255)) }, (_, index) => bytes.subarray(index * 255, index * 255 + 255))
  return Buffer.concat(parts.flatMap((part) => [Buffer.from([part.length]), part]))
}

function addressData(type: 'A' | 'AAAA', value: string): Buffer {
  if (type === 'A' && isIPv4(value)) return Buffer.from(value.split('.').map(Number))
  if (type === 'AAAA' && isIPv6(value) && !value.includes('.')) {
    const [head = '', tail] = value.split('::')
    const groups = (text: string | undefined) => (text ? text.split(':') : [])
    const missing = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length
    const bytes = Buffer.alloc(16)
    for (const [index, group] of [...groups(head), ...Array<string>(missing).fill('0'), ...groups(tail)].entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2)
    return bytes
  }
  throw new CertloopError('INPUT_INVALID', `"${value}" is not an address for a record of type ${type}.`)
}

function dataOf(type: UpdateType, value: string): Buffer {
  if (type === 'TXT') return textData(value)
  return type === 'CNAME' ? nameToWire(value) : addressData(type, value)
}

const nothing: Buffer = Buffer.alloc(0)
const entry = (name: string, type: number, klass: number, ttl = 0, data = nothing) => recordToWire({ name, type, class: klass, ttl, data })

function prerequisite(each: Prerequisite): Buffer[] {
  switch (each.kind) {
    case 'name-in-use': return [entry(each.name, typeNumbers.ANY, classNumbers.ANY)]
    case 'name-not-in-use': return [entry(each.name, typeNumbers.ANY, classNumbers.NONE)]
    case 'set-exists': return [entry(each.name, typeNumbers[each.type], classNumbers.ANY)]
    case 'set-absent': return [entry(each.name, typeNumbers[each.type], classNumbers.NONE)]
    case 'set-is': return each.values.map((value) => entry(each.name, typeNumbers[each.type], classNumbers.IN, 0, dataOf(each.type, value)))
  }
}

function change(each: Change): Buffer {
  switch (each.kind) {
    case 'add': return entry(each.name, typeNumbers[each.type], classNumbers.IN, each.ttl, dataOf(each.type, each.value))
    case 'remove': return entry(each.name, typeNumbers[each.type], classNumbers.NONE, 0, dataOf(each.type, each.value))
    case 'remove-set': return entry(each.name, typeNumbers[each.type], classNumbers.ANY)
    case 'remove-name': return entry(each.name, typeNumbers.ANY, classNumbers.ANY)
  }
}

/** @throws CertloopError INPUT_INVALID for a name or an address that is none */
export function encodeUpdate(id: number, { zone, prerequisites = [], changes }: Update): Buffer {
  const [before, after] = [prerequisites.flatMap(prerequisite), changes.map(change)]
  const header = Buffer.alloc(12)
  for (const [index, value] of [id, 5 << 11, 1, before.length, after.length, 0].entries()) header.writeUInt16BE(value, index * 2)
  const question = Buffer.alloc(4)
  question.writeUInt16BE(typeNumbers.SOA, 0)
  question.writeUInt16BE(classNumbers.IN, 2)
  return Buffer.concat([header, nameToWire(zone), question, ...before, ...after])
}
