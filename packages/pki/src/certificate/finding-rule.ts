import type { CertificateFacts } from './certificate-facts.ts'

/** error: clients refuse it, or it protects nothing. warning: a rule is broken and some clients mind. notice: worth knowing. */
export type FindingSeverity = 'error' | 'warning' | 'notice'

/** Codes are stored and never renamed. */
export interface CertificateFinding {
  code: string
  severity: FindingSeverity
  /** What is wrong, and what to do where that is not plain. */
  sentence: string
}

/** One thing to look for. A code may have several rules of different severity. */
export interface FindingRule {
  code: string
  severity: FindingSeverity
  /** @returns the sentence when it is found, else undefined; @param now UTC, undefined when nobody asks about today */
  find: (facts: CertificateFacts, now: Date | undefined) => string | undefined
}

/** A rule whose sentence is always the same. */
export const rule = (code: string, severity: FindingSeverity, applies: (facts: CertificateFacts) => boolean, sentence: string): FindingRule =>
  ({ code, severity, find: (facts) => (applies(facts) ? sentence : undefined) })
