/**
 * RC2 and RC4, which node:crypto has no more without OpenSSL's legacy provider: for reading what Windows, Java and
 * OpenSSL wrote for decades. Nothing is encrypted with them here.
 */

/** A permutation of 0..255 made from the digits of pi (RFC 2268, 2). */
const pi = Buffer.from(
  'd978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2' +
  '179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82' +
  '54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626' +
  '6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7' +
  '08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec' +
  'c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731' +
  '2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9' +
  '0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad', 'hex')

/** 64 key words of 16 bits (RFC 2268, 2), with all bits of the key effective. */
function expandKey(key: Uint8Array): Uint16Array {
  const bytes = new Uint8Array(128)
  bytes.set(key)
  for (let i = key.length; i < 128; i++) bytes[i] = pi[((bytes[i - 1] ?? 0) + (bytes[i - key.length] ?? 0)) & 0xff] ?? 0
  bytes[128 - key.length] = pi[bytes[128 - key.length] ?? 0] ?? 0
  for (let i = 127 - key.length; i >= 0; i--) bytes[i] = pi[(bytes[i + 1] ?? 0) ^ (bytes[i + key.length] ?? 0)] ?? 0
  return Uint16Array.from({ length: 64 }, (_, i) => (bytes[2 * i] ?? 0) | ((bytes[2 * i + 1] ?? 0) << 8))
}

const shifts = [1, 2, 3, 5]
const at = (list: ArrayLike<number>, index: number): number => list[index] ?? 0

/** One block of four words, in place (RFC 2268, 4). */
function decryptBlock(words: Uint16Array, keys: Uint16Array): void {
  for (let round = 15; round >= 0; round--) {
    for (let i = 3; i >= 0; i--) {
      const [a, b, c] = [at(words, (i + 3) & 3), at(words, (i + 2) & 3), at(words, (i + 1) & 3)] as const
      const shift = at(shifts, i)
      const turned = (at(words, i) >> shift) | (at(words, i) << (16 - shift))
      words[i] = turned - at(keys, 4 * round + i) - (a & b) - (~a & c)
    }
    // The two mashing rounds come after the fifth and the eleventh mixing round.
    if (round === 11 || round === 5) for (let i = 3; i >= 0; i--) words[i] = at(words, i) - at(keys, at(words, (i + 3) & 3) & 63)
  }
}

const breath = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })
const bytesPerTurn = 32_768

/**
 * RC2 in CBC mode with all bits of the key effective (40 for 5 bytes, 128 for 16), padding taken off.
 * The event loop gets a turn every few milliseconds.
 * @returns undefined when the padding is not as it should be: another key, or damaged
 */
export async function decryptRc2Cbc(key: Uint8Array, iv: Uint8Array, encrypted: Uint8Array): Promise<Buffer | undefined> {
  if (encrypted.length === 0 || encrypted.length % 8 !== 0) return undefined
  const keys = expandKey(key)
  const plain = Buffer.alloc(encrypted.length)
  const view = new DataView(encrypted.buffer, encrypted.byteOffset, encrypted.length)
  const words = new Uint16Array(4)
  let before = new DataView(iv.buffer, iv.byteOffset, 8)
  for (let place = 0; place < encrypted.length; place += 8) {
    for (let i = 0; i < 4; i++) words[i] = view.getUint16(place + 2 * i, true)
    decryptBlock(words, keys)
    for (let i = 0; i < 4; i++) plain.writeUInt16LE((words[i] ?? 0) ^ before.getUint16(2 * i, true), place + 2 * i)
    before = new DataView(encrypted.buffer, encrypted.byteOffset + place, 8)
    if (place % bytesPerTurn === bytesPerTurn - 8) await breath()
  }
  return withoutPadding(plain)
}

function withoutPadding(plain: Buffer): Buffer | undefined {
  const padding = plain.at(-1) ?? 0
  const isPadded = padding >= 1 && padding <= 8 && plain.subarray(-padding).every((byte) => byte === padding)
  return isPadded ? plain.subarray(0, plain.length - padding) : undefined
}

/** RC4; the same way back and forth. */
export function rc4(key: Uint8Array, input: Uint8Array): Buffer {
  const state = Uint8Array.from({ length: 256 }, (_, i) => i)
  const swap = (a: number, b: number): void => {
    const kept = at(state, a)
    state[a] = at(state, b)
    state[b] = kept
  }
  for (let i = 0, j = 0; i < 256; i++) {
    j = (j + at(state, i) + at(key, i % key.length)) & 0xff
    swap(i, j)
  }
  const output = Buffer.alloc(input.length)
  for (let place = 0, i = 0, j = 0; place < input.length; place++) {
    i = (i + 1) & 0xff
    j = (j + at(state, i)) & 0xff
    swap(i, j)
    output[place] = at(input, place) ^ at(state, (at(state, i) + at(state, j)) & 0xff)
  }
  return output
}
