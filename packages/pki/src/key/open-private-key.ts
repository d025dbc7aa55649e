import type { KeyObject } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { IterationBudget } from '../container/iteration-budget.ts'
import { defaultReadLimits, type ReadLimits } from '../container/keystore.ts'
import { PasswordForms } from '../container/pkcs12-password.ts'
import { isOldProtection, isSequence, openSealed, type Sealed } from '../container/pkcs12-protection.ts'
import { DerError } from '../der/der-reader.ts'
import { bytesSeemToBe, recogniseKey, seemsToBe, type KeyForm } from './key-form.ts'
import { keyOfForm } from './key-parts.ts'
import { decodeText, keyBlocks } from './key-text.ts'
import { decryptPbes } from './pbes.ts'
import { isTraditionallyEncrypted, openTraditional } from './traditional-encryption.ts'

/** The one private key that was found, maybe encrypted still. */
type Found =
  | { kind: 'plain'; form: KeyForm; curve: string | undefined }
  | { kind: 'traditional'; headers: Map<string, string>; der: Buffer; curve: string | undefined }

const invalid = (reason: string, cause?: unknown): CertloopError => new CertloopError('KEY_INVALID', `The private key can not be read: ${reason}.`, {}, cause)
const wrongPassword = (cause: unknown): CertloopError => new CertloopError('PASSWORD_WRONG', 'The password does not open the private key, or it is damaged.', {}, cause)

/**
 * Reads a private key of any usual form: PKCS#8 (RFC 5208, 5958), also encrypted, SEC1 (RFC 5915), PKCS#1 (RFC 8017),
 * OpenSSL's old encrypted PEM; PEM, DER or bare base64, whatever label it bears and whatever stands around it. RSA, EC
 * on named curves, Ed25519, Ed448 and ML-DSA (RFC 9881). Its parts are checked against each other.
 * Password iterations are done beside the event loop. A password that was not needed is passed over; an empty one counts as one.
 * @throws CertloopError KEY_INVALID (says what it seems to be instead), PASSWORD_NEEDED, PASSWORD_WRONG,
 *   KEY_ALGORITHM_UNSUPPORTED (an encryption that is not known), LIMIT_EXCEEDED
 */
export async function openPrivateKey(input: string | Uint8Array, password?: string | Buffer, limits: ReadLimits = defaultReadLimits): Promise<KeyObject> {
  const found = findKey(input, limits)
  if (found.kind === 'plain' && found.form.kind !== 'encrypted') return keyOfPlain(found.form, found.curve)
  if (password === undefined) throw new CertloopError('PASSWORD_NEEDED', 'The private key is encrypted, and no password came with it.')
  const decrypted = await decrypt(found, password, limits)
  let form: KeyForm
  try {
    form = recogniseKey(decrypted)
  } catch (error) {
    throw wrongPassword(error) // one wrong password in 256 looks right until here
  }
  if (form.kind === 'other' || form.kind === 'encrypted' || form.kind === 'curve') throw wrongPassword(undefined)
  return keyOfPlain(form, found.kind === 'traditional' ? found.curve : undefined)
}

/** The same for a key that is not encrypted, without waiting. @throws CertloopError KEY_INVALID, LIMIT_EXCEEDED */
export function openPlainKey(input: string | Uint8Array, limits: ReadLimits = defaultReadLimits): KeyObject {
  const found = findKey(input, limits)
  if (found.kind === 'traditional' || found.form.kind === 'encrypted') throw invalid('it is encrypted')
  return keyOfPlain(found.form, found.curve)
}

function keyOfPlain(form: KeyForm, curve: string | undefined): KeyObject {
  try {
    return keyOfForm(form, curve)
  } catch (error) {
    if (error instanceof DerError) throw invalid(error.message, error)
    throw error
  }
}

async function decrypt(found: Found, password: string | Buffer, limits: ReadLimits): Promise<Buffer> {
  try {
    if (found.kind === 'traditional') return openTraditional(found.headers, found.der, Buffer.from(password))
    if (found.form.kind !== 'encrypted') throw new DerError('it is not encrypted')
    return isOldProtection(found.form) ? await decryptOld(found.form, password.toString(), limits) : await decryptPbes(found.form.algorithm, found.form.encrypted, password, limits)
  } catch (error) {
    if (error instanceof DerError) throw invalid(error.message, error)
    throw error
  }
}

/** PKCS#8 with the password encryption of PKCS#12, as Windows, GnuTLS and OpenSSL have written it. */
async function decryptOld(sealed: Sealed, password: string, limits: ReadLimits): Promise<Buffer> {
  const plain = await openSealed(sealed, new PasswordForms(password), { limits, budget: new IterationBudget(limits.maxIterations) }, isSequence)
  if (!plain) throw wrongPassword(undefined)
  return plain
}

function findKey(input: string | Uint8Array, limits: ReadLimits): Found {
  if (input.length > limits.maxBytes) throw new CertloopError('LIMIT_EXCEEDED', `The key file is longer than ${limits.maxBytes} bytes.`)
  if (typeof input === 'string') return findInText(input.charCodeAt(0) === 0xfeff ? input.slice(1) : input, limits)
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength)
  if (bytes[0] === 0x30) {
    const form = tryRecognise(bytes)
    if (form instanceof DerError) throw invalid(form.message, form)
    return { kind: 'plain', form, curve: undefined }
  }
  const seems = bytesSeemToBe(bytes)
  if (seems !== undefined) throw invalid(`this is ${seems}`)
  return findInText(decodeText(bytes), limits)
}

function findInText(text: string, limits: ReadLimits): Found {
  const keys: Found[] = []
  let curve: string | undefined
  let reason: string | undefined
  for (const { headers, der } of keyBlocks(text, limits)) {
    if (isTraditionallyEncrypted(headers)) {
      keys.push({ kind: 'traditional', headers, der, curve })
      continue
    }
    const form = tryRecognise(der)
    if (form instanceof DerError) reason ??= form.message
    else if (form.kind === 'curve') curve = form.curve
    else if (form.kind === 'other') reason ??= `this is ${form.title}`
    else keys.push({ kind: 'plain', form, curve })
  }
  const [key, second] = keys
  if (second) throw invalid('the text holds more than one; give one at a time')
  if (!key) throw invalid(seemsToBe(text) === undefined ? reason ?? 'there is none in what was given' : `this is ${seemsToBe(text)}`)
  return key
}

function tryRecognise(der: Buffer): KeyForm | DerError {
  try {
    return recogniseKey(der)
  } catch (error) {
    if (error instanceof DerError) return error
    throw error
  }
}
