import { execFileSync } from 'node:child_process'
import { createHash, createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { requireTool } from '../tools.ts'

/** PEM, chain leaf first. */
export interface Identity { key: string; cert: string }
export interface IdentityPlace { path: string; password: string; alias: string; keyPassword: string }

/**
 * The key and chain of one alias of a JKS or PKCS#12 file. JKS is read here by its published form and PKCS#12 by
 * OpenSSL: what the product wrote is not read again by its own code.
 */
export function readIdentity(place: IdentityPlace): Identity {
  const bytes = readFileSync(place.path)
  const identity = bytes.readUInt32BE(0) === 0xfeedfeed ? fromJks(bytes, place) : fromPkcs12(place)
  if (identity === undefined) throw new Error(`no key "${place.alias}" in ${place.path}`)
  return identity
}

const utf16 = (text: string) => Buffer.from(text, 'utf16le').swap16()
const sha1 = (...parts: Uint8Array[]) => createHash('sha1').update(Buffer.concat(parts)).digest()
const pem = (der: Uint8Array) => `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`

function fromJks(bytes: Buffer, { path, password, alias, keyPassword }: IdentityPlace): Identity | undefined {
  const body = bytes.subarray(0, -20)
  if (!sha1(utf16(password), Buffer.from('Mighty Aphrodite'), body).equals(bytes.subarray(-20))) throw new Error(`the passphrase does not open ${path}`)
  let at = 8
  const int = () => { at += 4; return body.readUInt32BE(at - 4) }
  const take = (length: number) => { at += length; return body.subarray(at - length, at) }
  const text = () => { at += 2; return take(body.readUInt16BE(at - 2)).toString('utf8') }
  const certificate = () => { text(); return take(int()) }
  for (let left = int(); left > 0; left--) {
    const tag = int()
    const name = text()
    take(8)
    const sealed = tag === 1 ? take(int()) : undefined
    const chain = Array.from({ length: tag === 1 ? int() : 1 }, certificate)
    if (sealed !== undefined && name === alias.toLowerCase()) return { key: openedKey(sealed, keyPassword), cert: chain.map(pem).join('') }
  }
  return undefined
}

/** The key protection of JKS: salt, key XOR a stream of SHA-1, digest; within an EncryptedPrivateKeyInfo. */
function openedKey(sealed: Buffer, password: string): string {
  // The octet string is the last element: its tag follows the algorithm, whose length is fixed.
  const start = sealed.indexOf(Buffer.from('2b060104012a021101010500', 'hex')) + 12
  const header = sealed[start + 1] ?? 0
  const data = sealed.subarray(start + 2 + (header > 0x80 ? header - 0x80 : 0))
  const [salt, crypted, digest] = [data.subarray(0, 20), data.subarray(20, -20), data.subarray(-20)]
  const plain = Buffer.alloc(crypted.length)
  let stream = salt
  for (let at = 0; at < crypted.length; at++) {
    if (at % 20 === 0) stream = sha1(utf16(password), stream)
    plain[at] = (crypted[at] ?? 0) ^ (stream[at % 20] ?? 0)
  }
  if (!sha1(utf16(password), plain).equals(digest)) throw new Error('the private key passphrase is wrong')
  return createPrivateKey({ key: plain, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' }).toString()
}

function fromPkcs12({ path, password, alias }: IdentityPlace): Identity | undefined {
  const listed = execFileSync(requireTool('openssl'), ['pkcs12', '-in', path, '-nodes', '-passin', 'env:STORE_PASSPHRASE'], { env: { ...process.env, STORE_PASSPHRASE: password }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  const bags = [...listed.matchAll(/(Bag Attributes[^-]*)?-----BEGIN ([A-Z ]+)-----[^]*?-----END \2-----\n/g)].map(([whole, attributes = '', label = '']) => ({
    label, pem: whole.slice(attributes.length), name: /friendlyName: (.*)/.exec(attributes)?.[1]?.trim().toLowerCase(), id: /localKeyID: (.*)/.exec(attributes)?.[1]?.trim(),
  }))
  const key = bags.find(({ label, name }) => label === 'PRIVATE KEY' && name === alias.toLowerCase())
  if (key === undefined) return undefined
  const own = bags.filter(({ label, id }) => label === 'CERTIFICATE' && id !== undefined && id === key.id)
  return { key: key.pem, cert: own.map((bag) => bag.pem).join('') }
}
