import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CertloopError, checkShape, JoinResponse, readDecryptionKey, sha256Hex } from '@certloop/contract'
import { readIfThere, renameDurably, writeDurably } from './durable-file.ts'

/** identity.json: who this bot is, and to whom. Holds no secret; the key lies beside it in identity.key. */
interface IdentityFile {
  format: 1
  url: string
  /** The only certificate trusted for TLS; null: the system's roots decide. */
  anchorPem: string | null
  /** SHA-256 of the SPKI of the key that belongs to it. */
  keyDigest: string
  /** What the control plane answered to joining. */
  joined: JoinResponse
}

export interface Identity extends IdentityFile { key: KeyObject }

const files = (folder: string) => ({ json: join(folder, 'identity.json'), key: join(folder, 'identity.key'), nextKey: join(folder, 'identity-next.key'), encryptionKey: join(folder, 'encryption.key') })

export const spkiDigest = (key: KeyObject): string => sha256Hex(createPublicKey(key).export({ type: 'spki', format: 'der' }))

async function readKey(path: string): Promise<KeyObject | undefined> {
  const text = await readIfThere(path)
  return text === undefined ? undefined : createPrivateKey(text)
}

/**
 * The key a joining is tried with: on disk before it is used, and the same at the next try, so that an answer
 * lost on the network leaves no second key behind.
 */
export async function keyForJoining(folder: string): Promise<KeyObject> {
  const { nextKey } = files(folder)
  const present = await readKey(nextKey)
  if (present) return present
  const { privateKey } = generateKeyPairSync('ed25519')
  await writeDurably(nextKey, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  return privateKey
}

/** The moment of joining is the writing of identity.json; the key takes its name afterwards. */
export async function storeIdentity(folder: string, key: KeyObject, { url, anchorPem }: { url: string; anchorPem: string | null }, answer: JoinResponse): Promise<Identity> {
  const identity = { format: 1 as const, url, anchorPem, keyDigest: spkiDigest(key), joined: answer }
  await writeDurably(files(folder).json, `${JSON.stringify(identity, null, 2)}\n`)
  await renameDurably(files(folder).nextKey, files(folder).key)
  await rm(files(folder).encryptionKey, { force: true }) // another bot now: what was sealed for the earlier one is not for it
  return { ...identity, key }
}

/** @returns undefined when the folder never joined. @throws CertloopError BOT_NOT_JOINED when what is there can't be used. */
export async function loadIdentity(folder: string): Promise<Identity | undefined> {
  const { json, key, nextKey } = files(folder)
  const text = await readIfThere(json)
  if (text === undefined) return undefined
  const stored = parseIdentity(text, json)
  for (const path of [key, nextKey]) {
    const candidate = await readKey(path)
    if (!candidate || spkiDigest(candidate) !== stored.keyDigest) continue
    if (path === nextKey) await renameDurably(nextKey, key) // stopped between the two writes of joining
    return { ...stored, key: candidate }
  }
  throw new CertloopError('BOT_NOT_JOINED', `The key that belongs to ${json} is not in ${folder}. Put identity.key back, or join again with --replace.`, { folder })
}

function parseIdentity(text: string, path: string): IdentityFile {
  try {
    const { format, url, anchorPem, keyDigest, joined } = JSON.parse(text) as Record<string, unknown>
    if (format !== 1) throw new Error('It was written by another version of the bot.')
    if (typeof url !== 'string' || !URL.canParse(url)) throw new Error('It names no usable address.')
    if (anchorPem !== null && typeof anchorPem !== 'string') throw new Error('Its trust anchor is missing.')
    if (typeof keyDigest !== 'string') throw new Error('It names no key.')
    return { format, url, anchorPem, keyDigest, joined: checkShape(JoinResponse, joined, { what: 'What the control plane answered' }) }
  } catch (error) {
    throw new CertloopError('BOT_NOT_JOINED', `${path} can not be used: ${(error as Error).message} Put it back from a backup, or join again with --replace.`, { path }, error)
  }
}

/** Gives up a key that no control plane took. */
export const forgetKeyForJoining = (folder: string): Promise<void> => rm(files(folder).nextKey, { force: true })

/**
 * The X25519 key that secrets of targets are sealed for: made at the first start, mode 0600. A damaged one is replaced:
 * its public half is told at each start, and what waits is then sealed again.
 */
export async function loadEncryptionKey(folder: string): Promise<KeyObject> {
  const path = files(folder).encryptionKey
  const present = readDecryptionKey(await readIfThere(path) ?? '')
  if (present) return present
  const { privateKey } = generateKeyPairSync('x25519')
  await writeDurably(path, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  return privateKey
}

/** What the control plane is told of it. */
export const encryptionKeyPem = (key: KeyObject): string => createPublicKey(key).export({ type: 'spki', format: 'pem' })
