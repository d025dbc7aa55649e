import { CertloopError } from '@certloop/contract'
import { basicConstraints, extendedKeyUsage, keyUsage, keyUsageBits, mustStaple, purposes, subjectAltName, subjectKeyIdentifier, type KeyUsage } from '../certificate/extensions.ts'
import { signTbs } from '../certificate/certificate-builder.ts'
import { DerCursor, DerError, readBits, readElement } from '../der/der-reader.ts'
import { element, explicit, objectIdentifier, sequence, setOf, smallInteger, utf8String } from '../der/der-writer.ts'
import { readPrivateKey } from '../key/key.ts'
import { keySigner, signatureProves, type Signer, type SignerOptions } from '../key/signature.ts'
import { keyIdOfSpki, spkiOfKey } from '../key/spki.ts'
import { isDottedOid } from '../name/attribute-types.ts'
import { checkGeneralNames, nameKey } from '../name/check-general-names.ts'
import { nameOfCommonName } from '../name/distinguished-name.ts'
import { hostName, type GeneralName } from '../name/general-names.ts'
import { checkNames } from '../name/names.ts'
import { isPrintable, subjectName, withCommonName, type SubjectPart } from '../name/subject.ts'
import { oid } from '../oids.ts'
import { toPem } from '../pem.ts'
import { maxCsrBytes } from './csr-input.ts'

/** What a request is to say. */
export interface CsrContent {
  /** Put after the attributes of `subject` when it has no common name itself. */
  commonName?: string | null
  /** In the order in which it is written, usually from country to common name. */
  subject?: readonly SubjectPart[]
  /** DNS names and IP addresses. */
  names?: readonly string[]
  /** Names of any kind, after `names`. */
  alternativeNames?: readonly GeneralName[]
  keyUsage?: readonly KeyUsage[]
  /** "serverAuth", …, or dotted identifiers. */
  extendedKeyUsage?: readonly string[]
  /** TLS feature status_request (RFC 7633). */
  mustStaple?: boolean
  /** 1 to 255 characters, readable by all who see the request (RFC 2985, 5.4.1). */
  challengePassword?: string
  /** Asks for a CA certificate; a path length of null asks for no limit. */
  certificateAuthority?: { pathLength: number | null }
  /** Whether the identifier of the key is asked for (RFC 7093, method 1). */
  subjectKeyIdentifier?: boolean
}
/** Hash and padding: as for `keySigner`. */
export interface CsrRequest extends CsrContent, SignerOptions { privateKeyPem: string }

/**
 * A PKCS#10 request (RFC 2986), PEM, signed with its own key.
 * @throws CertloopError NAME_INVALID, INPUT_INVALID (both with the fact `fields`), TOO_MANY_NAMES, KEY_INVALID, KEY_ALGORITHM_UNSUPPORTED
 */
export async function createCsr({ privateKeyPem, hash, pss, ...content }: CsrRequest): Promise<string> {
  const key = readPrivateKey(privateKeyPem)
  const signer = keySigner(key, { ...(hash === undefined ? {} : { hash }), ...(pss === undefined ? {} : { pss }) })
  return buildCsr(content, { signer, spki: spkiOfKey(key) })
}

/**
 * The same for a key that stays where it is, such as in a token.
 * @param key the signer, and the SubjectPublicKeyInfo (DER) of the same key
 * @throws CertloopError NAME_INVALID, INPUT_INVALID, TOO_MANY_NAMES, KEY_INVALID; KEY_MISMATCH when the signer has another key;
 *   KEY_ALGORITHM_UNSUPPORTED when that can't be checked
 */
export async function buildCsr(content: CsrContent, { signer, spki }: { signer: Signer; spki: Uint8Array }): Promise<string> {
  const info = sequence(smallInteger(0), subjectOf(content), spki, explicit(0, ...attributesOf(content, spki)))
  const csr = await signTbs(info, signer)
  if (csr.length > maxCsrBytes) throw invalid('names', `make it ${csr.length} bytes long; at most ${maxCsrBytes} are possible`)
  const fits = provesKey(csr, Buffer.from(spki))
  if (fits === undefined) throw new CertloopError('KEY_ALGORITHM_UNSUPPORTED', 'The signature of the request can not be checked here: its key or algorithm is not known.')
  if (!fits) throw new CertloopError('KEY_MISMATCH', 'The request was signed with another key than the one it is for.')
  return toPem('CERTIFICATE REQUEST', csr)
}

/** Nothing leaves here that its reader would refuse; undefined when nothing can be said. */
function provesKey(csr: Buffer, spki: Buffer): boolean | undefined {
  const outer = new DerCursor(readElement(csr))
  const info = outer.take(0x30)
  const algorithm = outer.take(0x30)
  return signatureProves({ signed: info.raw, algorithm, signature: readBits(outer.take(0x03)) }, spki)
}

const subjectOf = ({ commonName = null, subject }: CsrContent): Buffer =>
  (subject === undefined ? nameOfCommonName(commonName) : subjectName(withCommonName(subject, commonName)))

/** SET OF: sorted as DER wants it. */
function attributesOf(content: CsrContent, spki: Uint8Array): Buffer[] {
  const extensions = extensionsOf(content, spki)
  const attributes = [
    ...(content.challengePassword === undefined ? [] : [sequence(objectIdentifier(oid.challengePassword), setOf(passwordText(content.challengePassword)))]),
    ...(extensions.length === 0 ? [] : [sequence(objectIdentifier(oid.extensionRequest), setOf(sequence(...extensions)))]),
  ]
  return attributes.toSorted((a, b) => Buffer.compare(a, b))
}

function extensionsOf(content: CsrContent, spki: Uint8Array): Buffer[] {
  const names = namesOf(content)
  const { certificateAuthority, keyUsage: usages = [], extendedKeyUsage: wanted = [], subject = [], commonName = null } = content
  return [
    ...(certificateAuthority ? [basicConstraints(true, pathLengthOf(certificateAuthority))] : []),
    ...(usages.length > 0 ? [keyUsage(checkUsages(usages))] : []),
    ...(wanted.length > 0 ? [extendedKeyUsage(...checkPurposes(wanted))] : []),
    ...(names.length > 0 ? [subjectAltName(names, subject.length === 0 && commonName === null)] : []),
    ...otherExtensions(content, spki),
  ]
}

const otherExtensions = (content: CsrContent, spki: Uint8Array): Buffer[] => [
  ...(content.subjectKeyIdentifier ? [subjectKeyIdentifier(keyIdOf(spki))] : []),
  ...(content.mustStaple ? [mustStaple()] : []),
]

/** A request with more could not be read again. */
const mostNames = 5_000

function namesOf({ names = [], alternativeNames = [] }: CsrContent): GeneralName[] {
  const hosts = names.length === 0 ? [] : checkNames(names, mostNames).map(hostName)
  const others = alternativeNames.length === 0 ? [] : checkGeneralNames(alternativeNames, mostNames, 'alternativeNames')
  return [...new Map([...hosts, ...others].map((name) => [nameKey(name), name])).values()]
}

const invalid = (field: string, problem: string) => new CertloopError('INPUT_INVALID', `The request can not be made: ${field} ${problem}.`, { fields: [`${field}: ${problem}`] })

function pathLengthOf({ pathLength }: { pathLength: number | null }): number | undefined {
  if (pathLength === null) return undefined
  if (!Number.isInteger(pathLength) || pathLength < 0 || pathLength > 100) throw invalid('pathLength', 'has to be a whole number from 0 to 100')
  return pathLength
}

function checkUsages(usages: readonly KeyUsage[]): readonly KeyUsage[] {
  usages.forEach((usage, index) => { if (!Object.hasOwn(keyUsageBits, usage)) throw invalid(`keyUsage[${index}]`, `is not one of ${Object.keys(keyUsageBits).join(', ')}`) })
  return usages
}

function checkPurposes(wanted: readonly string[]): string[] {
  wanted.forEach((purpose, index) => {
    if (!Object.hasOwn(purposes, purpose) && !isDottedOid(purpose)) throw invalid(`extendedKeyUsage[${index}]`, `is neither one of ${Object.keys(purposes).join(', ')} nor a dotted object identifier`)
  })
  return [...new Set(wanted)]
}

function passwordText(password: string): Buffer {
  // oxlint-disable-next-line no-control-regex -- control characters are refused here
  if (password === '' || [...password].length > 255 || !password.isWellFormed() || /[\u0000-\u001f\u007f]/.test(password)) throw invalid('challengePassword', 'has to have 1 to 255 characters and no control characters')
  return isPrintable(password) ? element(0x13, Buffer.from(password, 'latin1')) : utf8String(password)
}

function keyIdOf(spki: Uint8Array): Buffer {
  try {
    return keyIdOfSpki(spki)
  } catch (error) {
    if (error instanceof DerError) throw new CertloopError('KEY_INVALID', `The public key can not be read: ${error.message}.`, {}, error)
    throw error
  }
}
