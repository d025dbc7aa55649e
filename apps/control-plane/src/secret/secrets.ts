import { createHmac, randomBytes } from 'node:crypto'
import { CertloopError, newId } from '@certloop/contract'
import { iso } from '../database/columns.ts'
import type { Database } from '../database/database.ts'
import { decrypt, encrypt } from './aead.ts'
import { insertDataKey, listDataKeys, rewrapDataKey, type DataKeyTable } from './data-key-store.ts'

/**
 * Seals what is stored. Data keys seal secrets (AES-256-GCM); the master key, which is never stored in the
 * database, wraps data keys. So the master key can change without touching a single secret.
 */
export interface Secrets {
  /** @param binding the row and column the secret belongs to, such as "issuer:iss_…:key"; it is not kept in the text */
  seal(plaintext: Uint8Array | string, binding: string): string
  /** @throws CertloopError SECRET_UNREADABLE: altered, or sealed for another binding or database */
  open(sealed: string, binding: string): Buffer
  /** Wraps all data keys with another master key; sealed texts stay as they are. @throws CertloopError CONFLICT when another rotation won */
  rotateMasterKey(newKey: Uint8Array): Promise<void>
}

export interface SecretsDeps { database: Database; masterKey: Uint8Array; now: () => Date }

const prefix = 's1'

/** Tells master keys apart without revealing anything of them. */
export const masterKeyIdOf = (masterKey: Uint8Array): string => createHmac('sha256', masterKey).update('certloop master key id').digest('hex').slice(0, 32)

const wrapBinding = (id: string) => `certloop data key ${id}`

function unwrap(row: DataKeyTable, masterKey: Uint8Array): Buffer {
  const key = decrypt(masterKey, row.wrapped, wrapBinding(row.id))
  if (!key) throw new CertloopError('MASTER_KEY_MISSING', 'The master key given is not the one that sealed the secrets in this database.', { dataKey: row.id })
  return key
}

/**
 * Opens the data keys of the database, making the first one in an empty database.
 * @param masterKey 32 bytes
 * @throws CertloopError MASTER_KEY_MISSING when the data keys are wrapped by another master key
 */
export async function createSecrets({ database, masterKey, now }: SecretsDeps): Promise<Secrets> {
  const { db } = database
  if ((await listDataKeys(db)).length === 0) {
    const id = newId('sec', now())
    await insertDataKey(db, { position: 1, id, masterKeyId: masterKeyIdOf(masterKey), wrapped: encrypt(masterKey, randomBytes(32), wrapBinding(id)), createdAt: iso(now()) })
  }
  const rows = await listDataKeys(db)
  const keys = new Map(rows.map((row) => [row.id as string, unwrap(row, masterKey)]))
  const current = rows.at(-1)?.id ?? ''
  let presentMasterKey = masterKey

  return {
    seal(plaintext, binding) {
      const bytes = typeof plaintext === 'string' ? Buffer.from(plaintext) : plaintext
      return `${prefix}.${current}.${encrypt(keyNamed(keys, current), bytes, `${prefix}.${current}.${binding}`)}`
    },
    open(sealed, binding) {
      const [form, id = '', body = '', ...rest] = sealed.split('.')
      if (form !== prefix || rest.length > 0) throw unreadable('it is not in the form of a sealed secret')
      const plaintext = decrypt(keyNamed(keys, id), body, `${prefix}.${id}.${binding}`)
      if (!plaintext) throw unreadable('it was altered or belongs to another row')
      return plaintext
    },
    async rotateMasterKey(newKey) {
      if (newKey.length !== 32) throw new CertloopError('SETTINGS_INVALID', `A master key has 32 bytes; this one has ${newKey.length}.`)
      await database.transaction(async (tx) => {
        for (const row of await listDataKeys(tx)) {
          const wrapped = encrypt(newKey, unwrap(row, presentMasterKey), wrapBinding(row.id))
          if (!await rewrapDataKey(tx, row, masterKeyIdOf(newKey), wrapped)) throw new CertloopError('CONFLICT', 'The master key was changed by somebody else at the same time.')
        }
      })
      presentMasterKey = Buffer.from(newKey)
    },
  }
}

const unreadable = (why: string) => new CertloopError('SECRET_UNREADABLE', `A stored secret can not be opened: ${why}.`)

function keyNamed(keys: ReadonlyMap<string, Buffer>, id: string): Buffer {
  const key = keys.get(id)
  if (!key) throw unreadable('it was sealed by a data key that is not in this database')
  return key
}
