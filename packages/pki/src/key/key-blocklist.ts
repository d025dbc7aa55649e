import { hash } from 'node:crypto'
import { CertloopError } from '@certloop/contract'

/** Broken keys that are known one by one. */
export interface KeyBlocklist {
  readonly size: number
  hasModulus(modulus: bigint): boolean
}

const entryBytes = 10
const maxEntries = 8_000_000

/**
 * A list of broken RSA keys from the files of Debian's package openssl-blacklist (blacklist.RSA-2048 and so on, the
 * predictable keys of CVE-2008-0166): one line for each key, the last 20 hex digits of the SHA-1 over its "Modulus=…"
 * line; "#" begins a comment. Ten bytes are kept for each. With a million entries a sound key is taken for a broken one
 * once in 10^18.
 * @param texts content of the files
 * @throws CertloopError INPUT_INVALID names the line; LIMIT_EXCEEDED
 */
export function readKeyBlocklist(texts: Iterable<string>): KeyBlocklist {
  const lines: string[] = []
  for (const text of texts) {
    let number = 0
    for (const rough of text.split('\n')) {
      const line = rough.trim().toLowerCase()
      number++
      if (line === '' || line.startsWith('#')) continue
      if (!/^[0-9a-f]{20}$/.test(line)) throw new CertloopError('INPUT_INVALID', `Line ${number} of the list of broken keys has no 20 hex digits.`)
      lines.push(line)
      if (lines.length > maxEntries) throw new CertloopError('LIMIT_EXCEEDED', `The list of broken keys has more than ${maxEntries} entries.`)
    }
  }
  const unique = [...new Set(lines)].toSorted()
  const entries = Buffer.from(unique.join(''), 'hex')
  return { size: unique.length, hasModulus: (modulus) => isListed(entries, debianFingerprint(modulus)) }
}

const debianFingerprint = (modulus: bigint): Buffer => Buffer.from(hash('sha1', `Modulus=${modulus.toString(16).toUpperCase()}\n`).slice(20), 'hex')

function isListed(entries: Buffer, wanted: Buffer): boolean {
  let [low, high] = [0, entries.length / entryBytes]
  while (low < high) {
    const middle = (low + high) >> 1
    const order = wanted.compare(entries, middle * entryBytes, (middle + 1) * entryBytes)
    if (order === 0) return true
    if (order < 0) high = middle
    else low = middle + 1
  }
  return false
}
