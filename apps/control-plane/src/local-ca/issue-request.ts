import { createPublicKey } from 'node:crypto'
import { CertloopError, keyAlgorithms, type KeyAlgorithm } from '@certloop/contract'
import { checkNames, keyAlgorithmOfSpki, readCsr, sha256Hex, spkiOfKey, type CsrFacts } from '@certloop/pki'
import type { Profile } from './local-ca-store.ts'
import { profiles } from './profiles.ts'

export interface IssueOptions {
  /** The order, bot or other thing the certificate is for. One reference, one certificate, for ever. */
  reference: string
  csrPem?: string
  /** Instead of a CSR, for profile bot-identity: the joining bot proves by its signatures that it holds the key. */
  publicKeyPem?: string
  /** Have to be those of the CSR, in any order. Empty only for profile bot-identity. */
  names: readonly string[]
  /** Has to be that of the CSR; for the server profiles also one of the names. */
  commonName: string | null
  /** When given, the key of the CSR has to be of this kind. */
  keyAlgorithm?: KeyAlgorithm
  /** null: the default of the profile (server 90, control-plane 30, bot-identity 365). */
  validityDays: number | null
  profile: Profile
}
/** What was asked, after its CSR was found to be just that. */
export interface IssueRequest { csr: CsrFacts; names: string[] }

const mismatch = (what: string) => new CertloopError('CSR_MISMATCH', `The CSR ${what}.`)

/** What a stranger wrote is quoted and cut. */
const shown = (text: string | null) => (text === null ? 'none' : JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text))

/**
 * Compares the CSR with what was asked, at the last moment before signing.
 * @throws CertloopError CSR_INVALID, CSR_MISMATCH, NAME_INVALID, TOO_MANY_NAMES, INPUT_INVALID, KEY_ALGORITHM_UNSUPPORTED
 */
export function checkRequest(options: IssueOptions): IssueRequest {
  checkValidity(options.validityDays)
  const names = askedNames(options)
  const csr = askedKey(options, names)
  checkKey(csr.keyAlgorithm, options.keyAlgorithm)
  if (csr.commonName !== options.commonName) throw mismatch(`has the common name ${shown(csr.commonName)}, asked was ${shown(options.commonName)}`)
  const extra = csr.names.filter((name) => !names.includes(name)).map((name) => `${shown(name)} is too many`)
  const missing = names.filter((name) => !csr.names.includes(name)).map((name) => `${shown(name)} is missing`)
  const differences = [...extra, ...missing]
  if (differences.length > 0) throw mismatch(`has other names than asked: ${differences.slice(0, 10).join(', ')}`)
  return { csr, names }
}

function askedKey({ csrPem, publicKeyPem, profile, commonName }: IssueOptions, names: string[]): CsrFacts {
  if (csrPem !== undefined) return readCsr(csrPem)
  if (publicKeyPem === undefined || profile !== 'bot-identity') throw new CertloopError('CSR_INVALID', 'There is no certificate request.')
  const publicKeySpki = spkiOfKey(createPublicKey(publicKeyPem))
  return { commonName, names, publicKeySpki, spkiDigest: sha256Hex(publicKeySpki), keyAlgorithm: keyAlgorithmOfSpki(publicKeySpki) }
}

function checkValidity(days: number | null): void {
  if (days === null || (Number.isInteger(days) && days >= 1 && days <= 3650)) return
  throw new CertloopError('INPUT_INVALID', `A lifetime of ${days} days is not possible; give 1 to 3650 whole days.`, { fields: ['validityDays: has to be 1 to 3650 whole days'] })
}

function askedNames({ names: asked, commonName, profile }: IssueOptions): string[] {
  if (asked.length === 0 && !profiles[profile].needsNames) {
    if (commonName === null) throw new CertloopError('NAME_INVALID', 'Without names the certificate needs a common name.', { fields: ['commonName: is needed where there are no names'] })
    return []
  }
  const names = checkNames(asked)
  if (commonName !== null && profiles[profile].needsNames && !names.includes(commonName.toLowerCase())) {
    throw new CertloopError('NAME_INVALID', `The common name ${shown(commonName)} is not among the names.`, { fields: ['commonName: has to be one of the names'] })
  }
  return names
}

function checkKey(found: string, asked: KeyAlgorithm | undefined): void {
  if (!keyAlgorithms.some((known) => known === found)) throw new CertloopError('KEY_ALGORITHM_UNSUPPORTED', `The built-in CA does not issue for keys of the kind ${found}.`, { keyAlgorithm: found })
  if (asked !== undefined && found !== asked) throw mismatch(`has a key of the kind ${found}, asked was ${asked}`)
}
