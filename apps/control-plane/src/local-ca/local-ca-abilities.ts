import { CertloopError } from '@certloop/contract'
import type { Authority, IssuedBefore } from '../authority/authority.ts'
import type { Db, Tx } from '../database/database.ts'
import { findIssued, type IssuedRow } from './issued-store.ts'
import type { LocalCa } from './local-ca.ts'

/** What it says no to is the answer of an authority to whoever asked. */
async function asAuthority(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const isRefusal = error instanceof CertloopError && (error.code === 'ACTION_NOT_POSSIBLE' || error.code === 'INPUT_INVALID')
    throw isRefusal ? new CertloopError('AUTHORITY_REJECTED', `The built-in CA refused. ${error.message}`, error.facts, error) : error
  }
}

/** revoke, suspend and resume of the built-in CA. Asked for what is so already, they do nothing: the answer to the first may have been lost. */
export function revocationAbilities({ revocation }: Pick<LocalCa, 'revocation'>, db: Db | Tx): Required<Pick<Authority, 'revoke' | 'suspend' | 'resume'>> {
  const rowOf = async ({ reference, fingerprint }: IssuedBefore): Promise<IssuedRow> => {
    const row = reference === null ? undefined : await findIssued(db, reference)
    if (row?.fingerprint !== fingerprint) throw new CertloopError('AUTHORITY_REJECTED', 'The built-in CA did not issue this certificate.', { fingerprint })
    return row
  }
  return {
    async revoke(certificate, reason) {
      const row = await rowOf(certificate)
      const isSo = row.status === 'revoked' && (reason !== 'keyCompromise' || row.revocationReason === 'keyCompromise')
      if (!isSo) await asAuthority(() => revocation.revoke(row.id, { reason }))
    },
    async suspend(certificate) {
      const row = await rowOf(certificate)
      if (row.status !== 'held') await asAuthority(() => revocation.suspend(row.id))
    },
    async resume(certificate) {
      const row = await rowOf(certificate)
      if (row.status !== 'good') await asAuthority(() => revocation.resume(row.id))
    },
  }
}
