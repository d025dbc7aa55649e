import { CertloopError } from '@certloop/contract'
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { readIfThere, writeDurably } from '../durable-file.ts'

/** Seals what a deployment leaves in the bot's folder. `about` binds a text to its place: it opens nowhere else. */
export interface Sealer {
  seal(about: string, text: string): Promise<string>
  /** @throws CertloopError BACKUP_FAILED when it was altered, or sealed elsewhere */
  open(about: string, sealed: string): Promise<string>
}

/** AES-256-GCM under <folder>/seal.key, which is made at the first use and never leaves the host. */
export function createSealer(folder: string): Sealer {
  let loading: Promise<Buffer> | undefined
  const key = () => (loading ??= loadKey(folder).catch((error: unknown) => {
    loading = undefined
    throw error
  }))
  return {
    async seal(about, text) {
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', await key(), nonce).setAAD(Buffer.from(about))
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64')
    },
    async open(about, sealed) {
      const bytes = Buffer.from(sealed, 'base64')
      try {
        const decipher = createDecipheriv('aes-256-gcm', await key(), bytes.subarray(0, 12)).setAAD(Buffer.from(about))
        decipher.setAuthTag(bytes.subarray(12, 28))
        return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8')
      } catch (error) {
        throw new CertloopError('BACKUP_FAILED', `What was sealed for ${about} can not be opened with ${join(folder, 'seal.key')}.`, { folder }, error)
      }
    },
  }
}

async function loadKey(folder: string): Promise<Buffer> {
  const path = join(folder, 'seal.key')
  const text = await readIfThere(path)
  if (text === undefined) {
    const made = randomBytes(32)
    await writeDurably(path, `${made.toString('base64')}\n`)
    return made
  }
  const key = Buffer.from(text, 'base64')
  if (key.length !== 32) throw new CertloopError('BACKUP_FAILED', `${path} is not a key of 32 bytes.`, { path })
  return key
}
