import { CertloopError } from '@certloop/contract'
import { certificateParts, createModulusPool, keyProblems, rsaModulus, type KeyBlocklist, type ModulusPool } from '@certloop/pki'
import type { Database } from '../database/database.ts'
import { isKnownWeak, markWeak } from './issued-store.ts'

export interface KeyStrengthDeps { database: Database; now: () => Date; /** Broken keys known one by one. */ blocklist?: KeyBlocklist | undefined }
export interface KeyToCheck { /** SubjectPublicKeyInfo, DER. */ spki: Buffer; spkiDigest: string; keyAlgorithm: string }

/** So many of the newest RSA keys known here are compared with a new one; each costs its size in memory. */
const mostModuli = 20_000
const pageSize = 500

/** Moduli of the RSA keys that were certified here or found by scans, read on from where it stopped. */
function createKnownModuli({ db }: Database) {
  const pool: ModulusPool = createModulusPool()
  const last = { issued: '', version: '' }
  const add = (spki: Buffer) => {
    const modulus = rsaModulus(spki)
    if (modulus !== undefined && pool.size < mostModuli) pool.add(modulus)
  }
  async function readIssued(): Promise<number> {
    const rows = await db.selectFrom('ca_certificate').select(['id', 'spki']).where('id', '>', last.issued as never).orderBy('id').limit(pageSize).execute()
    for (const { spki } of rows) add(Buffer.from(spki, 'base64'))
    last.issued = rows.at(-1)?.id ?? last.issued
    return rows.length
  }
  async function readFound(): Promise<number> {
    const rows = await db.selectFrom('certificateVersion').select(['id', 'chainPem']).where('id', '>', last.version as never).where('keyAlgorithm', 'like', 'rsa-%').orderBy('id').limit(pageSize).execute()
    for (const { chainPem } of rows) {
      const [leaf] = JSON.parse(chainPem) as string[]
      if (leaf !== undefined) add(certificateParts(leaf).spki.raw)
    }
    last.version = rows.at(-1)?.id ?? last.version
    return rows.length
  }
  let reading: Promise<void> | undefined
  return {
    async upToDate(): Promise<ModulusPool> {
      reading ??= (async () => {
        while (await readIssued() === pageSize);
        while (await readFound() === pageSize);
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
      if (pool.sharesPrime(modulus) !== null) await refuse(spkiDigest, 'The key shares a prime factor with another key that is known here, so both can be broken. The tool that made it has too little randomness; make a new key elsewhere, and replace the other one too.')
    },
  }
}
export type KeyStrength = ReturnType<typeof createKeyStrength>
