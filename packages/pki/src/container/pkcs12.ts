import { IterationBudget } from './iteration-budget.ts'
import { defaultReadLimits, type Keystore, type ReadLimits } from './keystore.ts'
import { entriesOf } from './pkcs12-entries.ts'
import { openPkcs12, readably, type Pkcs12Protection } from './pkcs12-opening.ts'
import type { Pkcs12Password } from './pkcs12-password.ts'

/** A keystore with what its file says about its protection. */
export interface Pkcs12 extends Keystore { protection: Pkcs12Protection }

/**
 * Reads a PKCS#12 file (RFC 7292; PBMAC1: RFC 9579), DER or BER: .p12, .pfx, Java's keystores since version 9. The
 * integrity check is made where there is one. Reads what is encrypted with PBES2, PBES1 and the old schemes of PKCS#12
 * (3DES, RC2, RC4). Keys come with their certificates and issuers; keys that do not open are locked-key entries when
 * the password fits otherwise; CRLs, secret keys and what is not understood are opaque entries.
 *
 * @param password null for none, which opens only files that have none, or lists what is not encrypted; '' for an
 *   empty one. A file without any protection opens with every password. `protection.password` says what the file has.
 * @param limits `maxIterations` is for all parts and forms of the password together; they are counted before the work.
 * @param budget what is left of them, when several passwords are tried on one file
 * @throws CertloopError KEYSTORE_INVALID, PASSWORD_WRONG, PASSWORD_NEEDED, LIMIT_EXCEEDED, and nothing else, whatever the input
 */
export async function readPkcs12(bytes: Uint8Array, password: Pkcs12Password, limits: ReadLimits = defaultReadLimits, budget = new IterationBudget(limits.maxIterations)): Promise<Pkcs12> {
  const { items, protection } = await openPkcs12(bytes, password, limits, budget)
  return readably(async () => ({ entries: await entriesOf(items), protection }))
}
