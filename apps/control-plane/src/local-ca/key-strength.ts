import { CertloopError } from '@certloop/contract'
import type { Db } from '../database/database.ts'
import { isKnownWeak } from './issued-store.ts'

/** @throws CertloopError KEY_WEAK */
export async function checkKeyStrength(db: Db, { spkiDigest }: { spkiDigest: string }): Promise<void> {
  const known = await isKnownWeak(db, spkiDigest)
  if (known !== undefined) throw new CertloopError('KEY_WEAK', `The key is known to be weak: ${known}`, { spkiDigest })
}
