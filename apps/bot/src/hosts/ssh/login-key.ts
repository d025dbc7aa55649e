import { createPrivateKey, type KeyObject } from 'node:crypto'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import ssh2, { type ParsedKey } from 'ssh2'

/** Private keys are a few kilobytes. */
const keyFileLimit = 100_000

/**
 * A private key as OpenSSH, PKCS#1, SEC1 or PKCS#8 write it, with or without passphrase.
 * @returns the key, or in words why it can't be used. The parsers' own words are left out: they could quote the key.
 */
export function readLoginKey(text: string, passphrase: string | undefined): ParsedKey | string {
  const asItIs = firstKey(text, passphrase)
  if (asItIs !== undefined) return asItIs
  const converted = /-----BEGIN (ENCRYPTED )?PRIVATE KEY-----/.test(text) ? fromPkcs8(text, passphrase) : undefined
  if (converted !== undefined) return converted
  const locked = /ENCRYPTED|bcrypt/.test(text) || isLockedOpenSsh(text)
  if (!locked) return 'the private key can not be read; OpenSSH, PKCS#1 and PKCS#8 keys are known'
  return passphrase === undefined ? 'the private key is encrypted and no passphrase is given' : 'the passphrase does not open the private key, or the key is damaged'
}

function firstKey(text: string, passphrase: string | undefined): ParsedKey | undefined {
  const parsed = ssh2.utils.parseKey(text, passphrase)
  const key = Array.isArray(parsed) ? parsed[0] : parsed
  return key === undefined || key instanceof Error || !key.isPrivateKey() ? undefined : key
}

function isLockedOpenSsh(text: string): boolean {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*)-----END/.exec(text)?.[1] ?? ''
  return body !== '' && !Buffer.from(body, 'base64').subarray(0, 64).includes('none')
}

function fromPkcs8(text: string, passphrase: string | undefined): ParsedKey | undefined {
  try {
    const key = createPrivateKey({ key: text, ...(passphrase === undefined ? {} : { passphrase }) })
    if (key.asymmetricKeyType === 'rsa') return firstKey(key.export({ type: 'pkcs1', format: 'pem' }).toString(), undefined)
    if (key.asymmetricKeyType === 'ec') return firstKey(key.export({ type: 'sec1', format: 'pem' }).toString(), undefined)
    if (key.asymmetricKeyType === 'ed25519') return firstKey(openSshEd25519(key), undefined)
  } catch {
    // wrong passphrase or no key at all: said by the caller
  }
  return undefined
}

/** openssh-key-v1 without encryption (OpenSSH, PROTOCOL.key). */
function openSshEd25519(key: KeyObject): string {
  const { d = '', x = '' } = key.export({ format: 'jwk' })
  const [secret, point] = [Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')]
  const publicBlob = Buffer.concat([field('ssh-ed25519'), field(point)])
  const check = Buffer.alloc(8) // twice the same number; it tells a wrong passphrase, and there is none
  const inner = Buffer.concat([check, publicBlob, field(Buffer.concat([secret, point])), field('')])
  const padded = Buffer.concat([inner, Buffer.from(Array.from({ length: (8 - inner.length % 8) % 8 }, (_, i) => i + 1))])
  const whole = Buffer.concat([Buffer.from('openssh-key-v1\0'), field('none'), field('none'), field(''), Buffer.from([0, 0, 0, 1]), field(publicBlob), field(padded)])
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${whole.toString('base64').replace(/(.{70})/g, '$1\n').trimEnd()}\n-----END OPENSSH PRIVATE KEY-----\n`
}

function field(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** A key file on the bot's machine. @returns its text, or in words why it is not used */
export async function readKeyFile(path: string | undefined): Promise<{ text: string } | string> {
  if (path === undefined || !isAbsolute(path)) return 'no absolute path of a key file on the machine of the bot is given'
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const facts = await handle.stat()
      const { mode, size, uid } = facts
      if (!facts.isFile() || size > keyFileLimit) return `${path} on the machine of the bot is not a key file`
      if ((mode & 0o077) !== 0) return `the key file ${path} on the machine of the bot can be read by others (mode ${(mode & 0o7777).toString(8).padStart(4, '0')}); take that right away with: chmod 600 ${path}`
      const own = process.getuid?.()
      if (own !== undefined && uid !== own && uid !== 0) return `the key file ${path} on the machine of the bot belongs to user ${uid}, who could put another there`
      return { text: await handle.readFile('utf8') }
    } finally {
      await handle.close()
    }
  } catch (error) {
    return `the key file ${path} on the machine of the bot can not be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`
  }
}
