import { titleOf, type Link } from './link.ts'

/** What can be wrong with a chain. Codes are stored and never renamed. */
export const chainFindingCodes = [
  'INTERMEDIATE_MISSING', 'ROOT_NOT_TRUSTED', 'LEAF_SELF_SIGNED', 'LEAF_IS_CA', 'LEAF_NOT_FIRST', 'MISORDERED', 'DUPLICATE', 'UNRELATED', 'ROOT_INCLUDED',
  'EXPIRED', 'NOT_YET_VALID', 'EXPIRES_BEFORE_LEAF', 'SIGNATURE_WRONG', 'SIGNATURE_NOT_CHECKED', 'SIGNATURE_WEAK', 'KEY_WEAK', 'KEY_ID_MISMATCH',
  'NOT_A_CA', 'KEY_CERT_SIGN_MISSING', 'PATH_LENGTH_EXCEEDED', 'NAME_CONSTRAINT_VIOLATED', 'NAME_CONSTRAINT_NOT_CHECKED', 'PURPOSE_NOT_ALLOWED', 'PURPOSE_NOT_NESTED', 'KEY_USAGE_UNFIT',
  'CRITICAL_EXTENSION_UNKNOWN', 'EXTENSION_REPEATED', 'EXTENSION_DAMAGED', 'POLICY_NOT_CHECKED', 'HOST_NAME_NOT_COVERED', 'CHECK_CUT_SHORT',
] as const
export type ChainFindingCode = (typeof chainFindingCodes)[number]

export interface ChainFinding {
  code: ChainFindingCode
  /** error: clients refuse the chain. warning: some do, or will soon. notice: nothing breaks. */
  severity: 'error' | 'warning' | 'notice'
  /** Place in the list that was given, from 0; null for a certificate that is not in it. */
  index: number | null
  /** SHA-256 of the certificate concerned, lower-case hex. */
  fingerprint: string
  /** One or two sentences: what is wrong, and what to do where that is not plain. */
  text: string
}

/** A finding before it is known where its certificate stands. */
export interface LinkFinding { code: ChainFindingCode; severity: ChainFinding['severity']; link: Link; text: string }

export const error = (code: ChainFindingCode, link: Link, text: string): LinkFinding => ({ code, severity: 'error', link, text })
export const warning = (code: ChainFindingCode, link: Link, text: string): LinkFinding => ({ code, severity: 'warning', link, text })
export const notice = (code: ChainFindingCode, link: Link, text: string): LinkFinding => ({ code, severity: 'notice', link, text })

/** Gives findings the places their certificates have in `order`. */
export function placed(findings: readonly LinkFinding[], order: readonly Link[]): ChainFinding[] {
  const places = new Map<string, number>()
  order.forEach(({ facts }, index) => { if (!places.has(facts.fingerprint)) places.set(facts.fingerprint, index) })
  return findings.map(({ link, ...finding }) => ({ ...finding, index: places.get(link.facts.fingerprint) ?? null, fingerprint: link.facts.fingerprint }))
}

/** "2026-11-21 16:00 UTC" */
export const moment = (date: Date): string => `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`

export const issuerTitle = (link: Link): string => JSON.stringify(/^(?:.*,)?CN=([^,+]{1,80})/.exec(link.facts.issuer)?.[1] ?? link.facts.issuer.slice(0, 80))

/** "the certificate of X that signed Y" */
export const ofIssuer = (link: Link): string => `the certificate of ${issuerTitle(link)}, which signed ${titleOf(link)},`
