import { argon2, randomBytes, randomInt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { CertloopError } from '@certloop/contract'

const deriveKey = promisify(argon2)
/** OWASP's second choice for Argon2id: 19 MiB, two passes, one lane (Password Storage Cheat Sheet). */
const parameters = { memory: 19_456, passes: 2, parallelism: 1 } as const
const tagLength = 32
const shortest = 12

// Hashing works in Node's small thread pool: more at once would hold up files and DNS, and each takes 19 MiB.
const mostAtOnce = 2
const mostWaiting = 50
let running = 0
const waiting: (() => void)[] = []

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= mostAtOnce) {
    if (waiting.length >= mostWaiting) throw new CertloopError('TOO_MANY_REQUESTS', 'Too many people sign in at this moment.', { retryAfterSeconds: 5 })
    await new Promise<void>((resolve) => { waiting.push(resolve) }) // whoever ends hands its place on
  } else running++
  try {
    return await work()
  } finally {
    const next = waiting.shift()
    if (next) next()
    else running--
  }
}

const encode = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replaceAll('=', '')
const phc = (salt: Uint8Array, tag: Uint8Array) => `$argon2id$v=19$m=${parameters.memory},t=${parameters.passes},p=${parameters.parallelism}$${encode(salt)}$${encode(tag)}`

/** Argon2id in the PHC text form, with a salt of its own. */
export async function hashPassword(password: string): Promise<string> {
  const nonce = randomBytes(16)
  const tag = await inTurn(() => deriveKey('argon2id', { message: password.normalize('NFKC'), nonce, ...parameters, tagLength }))
  return phc(nonce, tag)
}

/** Checks a password against a text of hashPassword, also one made with other parameters. */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/.exec(hash)
  if (!match) throw new Error('a stored password hash can not be read')
  const [, memory, passes, parallelism, salt = '', tag = ''] = match
  const expected = Buffer.from(tag, 'base64')
  const found = await inTurn(() => deriveKey('argon2id', {
    message: password.normalize('NFKC'), nonce: Buffer.from(salt, 'base64'), memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism), tagLength: expected.length,
  }))
  return timingSafeEqual(found, expected)
}

/** A hash that no password fits, to spend the same time on unknown names. */
export const unknownUserHash = phc(randomBytes(16), randomBytes(tagLength))

/** @throws CertloopError PASSWORD_TOO_WEAK */
export function checkNewPassword(password: string, { current, name }: { current: string; name: string }): void {
  const refuse = (why: string): never => { throw new CertloopError('PASSWORD_TOO_WEAK', why, { fields: [`body.newPassword: ${why}`] }) }
  if ([...password].length < shortest) refuse(`It has fewer than ${shortest} characters.`)
  if (password === current) refuse('It is the present password.')
  if (new Set(password).size < 5) refuse('It repeats a few characters.')
  const without = password.toLowerCase().replaceAll(name, '').replaceAll('certloop', '').replaceAll('password', '')
  if (without.length < shortest / 2) refuse('It is made of the user name, "certloop" or "password".')
}

const readable = 'abcdefghjkmnpqrstuvwxyz23456789' // no characters that look alike
/** A one-time password of 24 characters in groups: about 118 random bits. */
export function generatePassword(): string {
  const group = () => Array.from({ length: 4 }, () => readable[randomInt(readable.length)]).join('')
  return Array.from({ length: 6 }, group).join('-')
}
