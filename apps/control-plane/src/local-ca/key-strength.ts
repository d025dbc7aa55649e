import { setImmediate } from 'node:timers/promises'
import { CertloopError } from '@certloop/contract'
import { certificateParts, createModulusPool, keyProblems, rsaModulus, type KeyBlocklist, type ModulusPool } from '@certloop/pki'
import type { Database } from '../database/database.ts'
import { isKnownWeak, markWeak } from './issued-store.ts'

export interface KeyStrengthDeps { database: Database; now: () => Date; /** Broken keys known one by one. */ blocklist?: KeyBlocklist | undefined }
export interface KeyToCheck { /** SubjectPublicKeyInfo, DER. */ spki: Buffer; spkiDigest: string; keyAlgorithm: string }

/** So many of the newest keys are read at first, of those certified here and of those found; and no more than `mostKept` with what comes later. Each look costs some 10 ms for 1,000 RSA keys. */
const mostModuli = 2500
const mostKept = 7500
const pageSize = 250

/** Moduli of the RSA keys that were certified here or found by scans, read on from where it stopped. */
function createKnownModuli({ db }: Database) {
  const pool: ModulusPool = createModulusPool()
  let last: { issued: string; version: string } | undefined
  const add = (spki: Buffer) => {
    const modulus = rsaModulus(spki)
    if (modulus !== undefined && pool.size < mostKept) pool.add(modulus)
  }
  /** Where reading begins. */
  async function begin(): Promise<{ issued: string; version: string }> {
    const issued = await db.selectFrom('ca_certificate').select('id').orderBy('id', 'desc').offset(mostModuli).limit(1).executeTakeFirst()
    const version = await db.selectFrom('certificateVersion').select('id').orderBy('id', 'desc').offset(mostModuli).limit(1).executeTakeFirst()
    return { issued: issued?.id ?? '', version: version?.id ?? '' }
  }
  async function readIssued(from: { issued: string }): Promise<number> {
    const rows = await db.selectFrom('ca_certificate').select(['id', 'spki']).where('id', '>', from.issued as never).orderBy('id').limit(pageSize).execute()
    for (const { spki } of rows) add(Buffer.from(spki, 'base64'))
    from.issued = rows.at(-1)?.id ?? from.issued
    await setImmediate()
    return rows.length
  }
  async function readFound(from: { version: string }): Promise<number> {
    const rows = await db.selectFrom('certificateVersion').select(['id', 'chainPem']).where('id', '>', from.version as never).where('keyAlgorithm', 'like', 'rsa-%').orderBy('id').limit(pageSize).execute()
    for (const { chainPem } of rows) {
      const [leaf] = JSON.parse(chainPem) as string[]
      if (leaf !== undefined) add(certificateParts(leaf).spki.raw)
    }
    from.version = rows.at(-1)?.id ?? from.version
    await setImmediate()
    return rows.length
  }
  let reading: Promise<void> | undefined
  return {
    async upToDate(): Promise<ModulusPool> {
      reading ??= (async () => {
        last ??= await begin()
        while (await readIssued(last) === pageSize);
        while (await readFound(last) === pageSize);
      })().finally(() => { reading = undefined })
      await reading
      return pool
    },
  }
}

/** Looks at keys before they are certified (Baseline Requirements 6.1.1.3): sizes, ROCA, known ones, primes shared with keys known here. */
export function createKeyStrength({ database, now, blocklist }: KeyStrengthDeps) {
  const { db } = database
  const moduli = createKnownModuli(database)

  async function refuse(digest: string, problem: string): Promise<never> {
    await markWeak(db, digest, problem, now())
    throw new CertloopError('KEY_WEAK', problem, { spkiDigest: digest, fields: [`csrPem: ${problem}`] })
  }

  return {
    /** @throws CertloopError KEY_WEAK */
    async check({ spki, spkiDigest, keyAlgorithm }: KeyToCheck): Promise<void> {
      const known = await isKnownWeak(db, spkiDigest)
      if (known !== undefined) throw new CertloopError('KEY_WEAK', known, { spkiDigest, fields: [`csrPem: ${known}`] })
      const [problem] = keyProblems(spki, blocklist ? { known: blocklist } : {})
      if (problem) await refuse(spkiDigest, problem.message)
      const modulus = keyAlgorithm.startsWith('rsa') ? rsaModulus(spki) : undefined
      if (modulus === undefined) return
      const pool = await moduli.upToDate()
      const factor = pool.sharesPrime(modulus)
      // All of it shared: somebody published a multiple of this key, which says nothing about the key.
      if (factor !== null && factor !== modulus) await refuse(spkiDigest, 'The key shares a prime factor with another key that is known here, so both can be broken. The tool that made it has too little randomness; make a new key elsewhere, and replace the other one too.')
    },
  }
}
export type KeyStrength = ReturnType<typeof createKeyStrength>
