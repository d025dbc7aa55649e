import { isIP } from 'node:net'
import { CertloopError } from '@certloop/contract'
import { readChildren, type DerElement } from './der-reader.ts'
import { implicit, sequence } from './der-writer.ts'

function ipv6Bytes(address: string): Buffer {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1) // hex groups only
  const [head = '', tail] = canonical.split('::')
  const groups = (part: string) => part.split(':').filter((group) => group !== '').map((group) => Number.parseInt(group, 16))
  const before = groups(head)
  const after = tail === undefined ? [] : groups(tail)
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]))
}

function ipText(bytes: Buffer): string | undefined {
  if (bytes.length === 4) return [...bytes].join('.')
  if (bytes.length !== 16) return undefined
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

/** GeneralNames of DNS names and IP addresses (RFC 5280, 4.2.1.6). Names have passed checkNames. */
export function generalNames(names: readonly string[]): Buffer {
  return sequence(...names.map((name) => {
    const kind = isIP(name)
    if (kind === 4) return implicit(7, Buffer.from(name.split('.').map(Number)))
    if (kind === 6) return implicit(7, ipv6Bytes(name))
    if (!/^[\x21-\x7e]+$/.test(name)) throw new CertloopError('NAME_INVALID', `The name ${JSON.stringify(name)} is not in its ASCII form.`)
    return implicit(2, Buffer.from(name, 'latin1'))
  }))
}

/** DNS names (lower case) and IP addresses (canonical) of GeneralNames, in order; other kinds are left out. */
export function readGeneralNames(element: DerElement): string[] {
  return readChildren(element).flatMap((name) => {
    if (name.tag === 0x82) return [name.content.toString('latin1').toLowerCase()]
    const ip = name.tag === 0x87 ? ipText(name.content) : undefined
    return ip === undefined ? [] : [ip]
  })
}
