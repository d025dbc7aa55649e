import { CertloopError } from '@certloop/contract'
import { readExtensions } from '../certificate/certificate.ts'
import { DerCursor, DerError, readBits, readChildren, readElement, readOid, type DerElement } from '../der/der-reader.ts'
import { bitString, explicit, objectIdentifier, octetString, sequence, setOf, smallInteger } from '../der/der-writer.ts'
import { commonNameOf, nameOfCommonName, readName } from '../name/distinguished-name.ts'
import { readPrivateKey } from '../key/key.ts'
import { checkNames } from '../name/names.ts'
import { oid } from '../oids.ts'
import { splitPem, toPem } from '../pem.ts'
import { keySigner, signatureFits } from '../key/signature.ts'
import { keyAlgorithmOfSpki, sha256Hex, spkiOfKey } from '../key/spki.ts'
import { generalNames, readGeneralNames } from '../name/general-names.ts'

export interface CsrRequest { privateKeyPem: string; commonName: string | null; names: readonly string[] }

/**
 * A PKCS#10 request (RFC 2986) with an optional common name and DNS and IP names, PEM.
 * @throws CertloopError NAME_INVALID, KEY_INVALID, KEY_ALGORITHM_UNSUPPORTED
 */
export async function createCsr({ privateKeyPem, commonName, names }: CsrRequest): Promise<string> {
  const key = readPrivateKey(privateKeyPem)
  const signer = keySigner(key)
  const spki = spkiOfKey(key)
  const attributes = names.length === 0 ? [] : [sequence(objectIdentifier(oid.extensionRequest), setOf(sequence(
    sequence(objectIdentifier(oid.subjectAltName), octetString(generalNames(checkNames(names, Number.POSITIVE_INFINITY)))),
  )))]
  const info = sequence(smallInteger(0), nameOfCommonName(commonName), spki, explicit(0, ...attributes))
  return toPem('CERTIFICATE REQUEST', sequence(info, signer.algorithm, bitString(await signer.sign(info))))
}

/** What a request asks for. Its other wishes (usages, other attributes) are not read: profiles decide those. */
export interface CsrFacts {
  commonName: string | null
  /** DNS names (lower case) and IP addresses (canonical), in order. */
  names: string[]
  /** SubjectPublicKeyInfo, DER. */
  publicKeySpki: Uint8Array
  /** SHA-256 of publicKeySpki, lower-case hex. */
  spkiDigest: string
  keyAlgorithm: string
}

/** Longest request that is read, in characters of PEM. */
export const maxCsrLength = 200_000

/**
 * Reads a PKCS#10 request and checks that it was signed by its own key.
 * @throws CertloopError CSR_INVALID, and nothing else, whatever the input
 */
export function readCsr(pem: string): CsrFacts {
  try {
    return readChecked(pem)
  } catch (error) {
    if (error instanceof DerError || (error instanceof CertloopError && error.code === 'PEM_INVALID')) {
      throw new CertloopError('CSR_INVALID', `The certificate request can not be read: ${error.message.replace(/\.$/, '')}.`, {}, error)
    }
    throw error
  }
}

function readChecked(pem: string): CsrFacts {
  if (pem.length > maxCsrLength) throw new DerError(`it is longer than ${maxCsrLength} characters`)
  const blocks = splitPem(pem).filter(({ label }) => label === 'CERTIFICATE REQUEST' || label === 'NEW CERTIFICATE REQUEST')
  const block = blocks[0]
  if (!block || blocks.length > 1) throw new DerError('the text has to have one block "CERTIFICATE REQUEST"')
  const whole = readElement(block.der)
  if (whole.raw.length !== block.der.length) throw new DerError('something follows after its end')
  const outer = new DerCursor(whole)
  const info = outer.take(0x30)
  const algorithm = outer.take(0x30)
  const signature = readBits(outer.take(0x03))
  const inner = new DerCursor(info)
  inner.take(0x02)
  const subject = readName(inner.take(0x30))
  const spki = inner.take(0x30)
  const attributes = inner.takeIf(0xa0)
  const fits = signatureFits({ signed: info.raw, algorithm, signature }, spki.raw)
  if (fits === undefined) throw new CertloopError('CSR_INVALID', 'The key or signature algorithm of the certificate request is not known here.')
  if (!fits) throw new CertloopError('CSR_INVALID', 'The signature of the certificate request does not fit its key.')
  return {
    commonName: commonNameOf(subject), names: requestedNames(attributes),
    publicKeySpki: spki.raw, spkiDigest: sha256Hex(spki.raw), keyAlgorithm: keyAlgorithmOfSpki(spki.raw),
  }
}

function requestedNames(attributes: DerElement | undefined): string[] {
  for (const attribute of attributes ? readChildren(attributes) : []) {
    const cursor = new DerCursor(attribute)
    const id = readOid(cursor.take())
    if (id !== oid.extensionRequest && id !== oid.microsoftExtensionRequest) continue
    const value = readExtensions(cursor.take(0x31)).get(oid.subjectAltName)
    if (value) return readGeneralNames(readElement(value))
  }
  return []
}
