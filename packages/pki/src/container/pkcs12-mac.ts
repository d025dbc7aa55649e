import { createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { DerCursor, DerError, readOid, type DerElement } from '../der/der-reader.ts'
import { nullElement, objectIdentifier, octetString, sequence } from '../der/der-writer.ts'
import { pbkdf2Runs } from '../key/pbes.ts'
import { hashByOid, oid } from '../oids.ts'
import type { IterationBudget } from './iteration-budget.ts'
import { pkcs12Kdf, type Pkcs12Digest } from './pkcs12-kdf.ts'
import type { PasswordForms } from './pkcs12-password.ts'
import { checkSalt, count, readIterations } from './pkcs12-protection.ts'

const macSizes = { md5: 16, sha1: 20, sha224: 28, sha256: 32, sha384: 48, sha512: 64 } as const
const digestByOid: Record<string, string> = { ...hashByOid, '1.2.840.113549.2.5': 'md5' }
const hmacByOid: Record<string, string> = {
  '1.2.840.113549.2.7': 'sha1', '1.2.840.113549.2.8': 'sha224', '1.2.840.113549.2.9': 'sha256', '1.2.840.113549.2.10': 'sha384', '1.2.840.113549.2.11': 'sha512',
}
/** A key of a byte or two would fit every password; RFC 9579, 4 and 7 have 20 at least. */
const [minKeyBytes, maxKeyBytes] = [20, 1_024]
const pbkdf2Async = promisify(pbkdf2)

/** What proves with a password that a file is whole. */
export interface Mac {
  /** pkcs12: HMAC with a key of PKCS#12's own derivation; pbmac1: of PBKDF2 (RFC 9579). */
  kind: 'pkcs12' | 'pbmac1'
  digest: string
  value: Buffer
  salt: Buffer
  iterations: number
  /** For PBMAC1: digest of PBKDF2 and bytes of the key. */
  prf: string
  keyBytes: number
}

/** MacData (RFC 7292, 4; RFC 9579, 3). @throws DerError; CertloopError LIMIT_EXCEEDED (salt) */
export function readMac(data: DerElement): Mac {
  const cursor = new DerCursor(data)
  const info = new DerCursor(cursor.take(0x30))
  const algorithm = new DerCursor(info.take(0x30))
  const id = readOid(algorithm.take())
  const value = info.take(0x04).content
  if (id === oid.pbmac1) return { kind: 'pbmac1', value, ...readPbmac1(algorithm.take(0x30)) }
  const digest = digestByOid[id]
  if (!digest) throw new DerError(`its integrity check is of the kind ${id}, which is not known here`)
  const salt = checkSalt(cursor.take(0x04).content)
  const rounds = cursor.takeIf(0x02)
  return { kind: 'pkcs12', digest, value, salt, iterations: rounds ? readIterations(rounds) : 1, prf: '', keyBytes: 0 }
}

function readPbmac1(parameters: DerElement): Omit<Mac, 'kind' | 'value'> {
  const cursor = new DerCursor(parameters)
  const derivation = new DerCursor(cursor.take(0x30))
  const scheme = new DerCursor(cursor.take(0x30))
  const id = readOid(derivation.take())
  if (id !== oid.pbkdf2) throw new DerError(`its integrity check uses the key derivation ${id}, which is not known here`)
  const values = new DerCursor(derivation.take(0x30))
  const salt = checkSalt(values.take(0x04).content)
  const iterations = readIterations(values.take(0x02))
  const size = values.takeIf(0x02)
  // RFC 9579, 4: the length of the key has to be there.
  const keyBytes = size ? readIterations(size) : 0
  if (keyBytes < minKeyBytes || keyBytes > maxKeyBytes) throw new DerError('its integrity check has a key of a length that is missing or not safe')
  const prf = values.takeIf(0x30)
  return { digest: hmacName(readOid(scheme.take())), salt, iterations, keyBytes, prf: prf ? hmacName(readOid(new DerCursor(prf).take())) : 'sha1' }
}

function hmacName(id: string): string {
  const digest = hmacByOid[id]
  if (!digest) throw new DerError(`its integrity check is of the kind ${id}, which is not known here`)
  return digest
}

async function macKey(mac: Mac, password: Buffer): Promise<Buffer> {
  if (mac.kind === 'pbmac1') return pbkdf2Async(password, mac.salt, mac.iterations, mac.keyBytes, mac.prf)
  const digest = mac.digest as Pkcs12Digest
  return pkcs12Kdf({ digest, purpose: 'mac', password, salt: mac.salt, iterations: mac.iterations, size: macSizes[digest] })
}

/** What one try of a password costs. */
export const macCost = (mac: Mac): number => mac.iterations * (mac.kind === 'pbmac1' ? pbkdf2Runs(mac.keyBytes, mac.prf) : 1)

/** The form of the password that the check fits with, undefined when none does. @throws CertloopError LIMIT_EXCEEDED */
export async function fittingForm(mac: Mac, contents: Buffer, passwords: PasswordForms, budget: IterationBudget): Promise<Buffer | undefined> {
  const use = mac.kind === 'pbmac1' ? 'pbes' : 'bmp'
  for (const form of passwords.forms(use)) {
    budget.spend(macCost(mac))
    const value = createHmac(mac.digest, await macKey(mac, form)).update(contents).digest()
    if (value.length === mac.value.length && timingSafeEqual(value, mac.value)) return form
  }
  return undefined
}

const writtenDigests = { sha1: '1.3.14.3.2.26', sha256: '2.16.840.1.101.3.4.2.1' } as const

/** MacData over the contents, DER. @param password as bmpPassword makes it */
export async function makeMac(contents: Buffer, password: Buffer, digest: keyof typeof writtenDigests, iterations: number): Promise<Buffer> {
  const salt = randomBytes(20)
  const key = await pkcs12Kdf({ digest, purpose: 'mac', password, salt, iterations, size: macSizes[digest] })
  const value = createHmac(digest, key).update(contents).digest()
  return sequence(sequence(sequence(objectIdentifier(writtenDigests[digest]), nullElement()), octetString(value)), octetString(salt), count(iterations))
}
