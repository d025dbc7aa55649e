import { hash as digestOf } from 'node:crypto'

/** Digests that the key derivation of PKCS#12 is defined for, with the size of their output and input block in bytes. */
const digestSizes = {
  md5: { output: 16, block: 64 }, sha1: { output: 20, block: 64 }, sha224: { output: 28, block: 64 }, sha256: { output: 32, block: 64 },
  sha384: { output: 48, block: 128 }, sha512: { output: 64, block: 128 },
} as const
export type Pkcs12Digest = keyof typeof digestSizes

export interface Pkcs12KdfOptions {
  digest: Pkcs12Digest
  purpose: 'key' | 'iv' | 'mac'
  /** As bmpPassword makes it, or empty for no password at all. */
  password: Uint8Array
  salt: Uint8Array
  /** At least 1. */
  iterations: number
  /** Bytes wanted. */
  size: number
}

const purposeBytes = { key: 1, iv: 2, mac: 3 } as const
/** Digests between two turns of the event loop: about two milliseconds. */
const digestsPerTurn = 2_000

/** A password as PKCS#12 takes it: UTF-16, big-endian, with two zero bytes at its end (RFC 7292, B.1). */
export function bmpPassword(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'utf16le').swap16()
}

/**
 * Key, start value or MAC key of a password (RFC 7292, B.2). node:crypto has no such function; the event loop gets a
 * turn every few milliseconds. Callers check the number of iterations first.
 */
export async function pkcs12Kdf({ digest, purpose, password, salt, iterations, size }: Pkcs12KdfOptions): Promise<Buffer> {
  const { output, block } = digestSizes[digest]
  const diversifier = Buffer.alloc(block, purposeBytes[purpose])
  const input = Buffer.concat([repeated(salt, block), repeated(password, block)])
  const parts: Buffer[] = []
  let sinceTurn = 0
  for (let made = 0; made < size; made += output) {
    let value = digestOf(digest, Buffer.concat([diversifier, input]), 'buffer')
    for (let round = 1; round < iterations; round++) {
      value = digestOf(digest, value, 'buffer')
      if (++sinceTurn >= digestsPerTurn) {
        sinceTurn = 0
        await new Promise((resolve) => { setImmediate(resolve) })
      }
    }
    parts.push(value)
    for (let at = 0; at < input.length; at += block) addWithOne(input.subarray(at, at + block), value)
  }
  return Buffer.concat(parts).subarray(0, size)
}

/** Repeated up to whole blocks; nothing stays nothing. */
const repeated = (bytes: Uint8Array, block: number): Buffer => (bytes.length === 0 ? Buffer.alloc(0) : Buffer.alloc(Math.ceil(bytes.length / block) * block, bytes))

/** number = number + addend + 1, big-endian, the addend repeated to its length, overflow dropped. */
function addWithOne(number: Buffer, addend: Buffer): void {
  let carry = 1
  for (let at = number.length - 1; at >= 0; at--) {
    carry += (number[at] ?? 0) + (addend[at % addend.length] ?? 0)
    number[at] = carry & 0xff
    carry >>= 8
  }
}
