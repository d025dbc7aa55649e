import { CertloopError } from '@certloop/contract'
import { DerCursor, DerError, readBits, readElement, readIntegerHex } from '../der/der-reader.ts'
import { isBrokenDigest, signatureDigest, signatureFits, signatureName } from '../key/signature.ts'
import { keyAlgorithmOfSpki, sha256Hex } from '../key/spki.ts'
import { commonNameOf, nameText, readName, type NameAttribute } from '../name/distinguished-name.ts'
import { toPem } from '../pem.ts'
import { csrInput } from './csr-input.ts'
import { readWishes, type CsrWishes, type WishProblem } from './csr-wishes.ts'

/** What a request says, and what it asks for. Only wishes: what is granted is for profiles to decide. */
export interface CsrFacts extends CsrWishes {
  /** RFC 4514, most specific part first; empty for an empty subject. */
  subject: string
  /** The subject in its own order, one list per relative name. */
  subjectAttributes: NameAttribute[][]
  commonName: string | null
  /** DNS names (lower case) and IP addresses (canonical) of alternativeNames, in order. */
  names: string[]
  /** SubjectPublicKeyInfo, DER. */
  publicKeySpki: Uint8Array
  /** SHA-256 of publicKeySpki, lower-case hex. */
  spkiDigest: string
  /** A KeyAlgorithm, or a word like it for other keys. */
  keyAlgorithm: string
  /** As openssl writes it: "ecdsa-with-SHA256". */
  signatureAlgorithm: string
  /** The whole request, DER. */
  der: Uint8Array
  pem: string
}

/** signatureFits is undefined when key or signature algorithm is not known here. */
export interface CsrReading { facts: CsrFacts; problems: WishProblem[]; signatureFits: boolean | undefined; hasBrokenDigest: boolean; otherBlocks: string[] }

/**
 * Reads a PKCS#10 request (RFC 2986) and checks that it was signed by its own key. Takes DER; PEM with either label,
 * text around, any line ends; or base64 without PEM lines. A request that asks for something twice is refused.
 * @throws CertloopError CSR_INVALID, and nothing else, whatever the input
 */
export function readCsr(pemOrDer: string | Uint8Array): CsrFacts {
  const { facts, problems, signatureFits: fits, hasBrokenDigest } = readUnjudged(pemOrDer)
  const [problem] = problems
  if (problem) throw new CertloopError('CSR_INVALID', problem.message)
  if (fits === undefined) throw new CertloopError('CSR_INVALID', unsupported(facts))
  if (!fits) throw new CertloopError('CSR_INVALID', wrongSignature)
  if (hasBrokenDigest) throw new CertloopError('CSR_INVALID', brokenDigest(facts))
  return facts
}

export const wrongSignature = 'The signature of the certificate request does not fit its key.'
export const unsupported = ({ keyAlgorithm, signatureAlgorithm }: CsrFacts): string =>
  `The signature of the certificate request can not be checked: its key (${keyAlgorithm}) or signature algorithm (${signatureAlgorithm}) is not known here.`

export const brokenDigest = ({ signatureAlgorithm }: CsrFacts): string => `The certificate request is signed with ${signatureAlgorithm}, which anybody can forge. Make it again with SHA-256.`

/** All there is to know of a request, before anything is judged. @throws CertloopError CSR_INVALID when it is no request */
export function readUnjudged(pemOrDer: string | Uint8Array): CsrReading {
  try {
    const { der, otherBlocks } = csrInput(pemOrDer)
    return { ...readOutline(der), otherBlocks }
  } catch (error) {
    if (error instanceof DerError || (error instanceof CertloopError && error.code === 'PEM_INVALID')) {
      throw new CertloopError('CSR_INVALID', `The certificate request can not be read: ${error.message.replace(/\.$/, '')}.`, {}, error)
    }
    throw error
  }
}

const outlineProblem = (what: string): WishProblem => ({ code: 'outline-unusual', message: `The certificate request is not of its form: ${what} (RFC 2986, 4.1).` })

function readOutline(der: Buffer): Omit<CsrReading, 'otherBlocks'> {
  const outer = new DerCursor(readElement(der))
  const info = outer.take(0x30)
  const algorithm = outer.take(0x30)
  const signature = readBits(outer.take(0x03))
  const inner = new DerCursor(info)
  const version = readIntegerHex(inner.take(0x02))
  const subject = readName(inner.take(0x30))
  const spki = inner.take(0x30).raw
  const { wishes, problems } = readWishes(inner.takeIf(0xa0))
  if (version !== '00') problems.unshift(outlineProblem('its version is not the only one that there is'))
  if (!inner.isAtEnd) problems.unshift(outlineProblem('more follows its attributes, which programs may or may not read'))
  const facts: CsrFacts = {
    ...wishes, subject: nameText(subject), subjectAttributes: subject, commonName: commonNameOf(subject),
    names: wishes.alternativeNames.filter(({ type }) => type === 'dns' || type === 'ip').map(({ value }) => value),
    publicKeySpki: spki, spkiDigest: sha256Hex(spki), keyAlgorithm: keyAlgorithmOfSpki(spki),
    signatureAlgorithm: signatureName(algorithm), der, pem: toPem('CERTIFICATE REQUEST', der),
  }
  return { facts, problems, hasBrokenDigest: isBrokenDigest(signatureDigest(algorithm)), signatureFits: signatureFits({ signed: info.raw, algorithm, signature }, spki) }
}
