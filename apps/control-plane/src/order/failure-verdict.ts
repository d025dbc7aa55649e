import type { CertloopError, ErrorCode } from '@certloop/contract'

/** What a failure says of the request at the authority that was asked. */
export interface Verdict {
  /** Another authority could do what this one could not. */
  elsewhere: boolean
  /** over: nothing was or will be issued for what was submitted. as-before: it was not asked, and what was true before still is. unknown: it may have been asked. */
  leaves: 'over' | 'as-before' | 'unknown'
}

/** The request was answered with a no that another authority need not say. */
const refusedHere: Verdict = { elsewhere: true, leaves: 'over' }
/** This authority could not be asked, or did not listen. */
const notAsked: Verdict = { elsewhere: true, leaves: 'as-before' }
const perhapsAsked: Verdict = { elsewhere: true, leaves: 'unknown' }
/** Wrong wherever it is asked: the request, the domain, the host. */
const wrongEverywhere: Verdict = { elsewhere: false, leaves: 'over' }
const nobodyKnows: Verdict = { elsewhere: false, leaves: 'unknown' }

/** What is said by authorities, and on the way to them. All else is a fault of ours, or of no concern to them. */
export const verdicts: Readonly<Partial<Record<ErrorCode, Verdict>>> = {
  AUTHORITY_REJECTED: refusedHere, NAME_REFUSED: refusedHere, PROFILE_REFUSED: refusedHere, PROFILE_VIOLATION: refusedHere, KEY_ALGORITHM_UNSUPPORTED: refusedHere,
  CAA_FORBIDS: refusedHere, VALIDATION_METHOD_UNAVAILABLE: refusedHere, ORDER_EXPIRED: refusedHere, ISSUER_EXPIRED: refusedHere, ISSUER_NOT_READY: refusedHere,
  AUTHORITY_ACCOUNT_REFUSED: notAsked, AUTHORITY_TERMS_NOT_AGREED: notAsked, AUTHORITY_NOT_TRUSTED: notAsked, ADDRESS_NOT_ALLOWED: notAsked,
  AUTHORITY_RATE_LIMITED: notAsked, AUTHORITY_BUDGET_SPENT: notAsked, PKCS11_PIN_WRONG: notAsked, PKCS11_KEY_NOT_FOUND: notAsked,
  // Its row: removed, of a kind that is not there, with credentials that can't be opened.
  NOT_FOUND: notAsked, CONFIGURATION_INCOMPLETE: notAsked, SECRET_UNREADABLE: notAsked,
  AUTHORITY_UNREACHABLE: perhapsAsked, AUTHORITY_ANSWER_INVALID: perhapsAsked, PKCS11_UNAVAILABLE: perhapsAsked,
  ORDER_UNCERTAIN: nobodyKnows,
  // It did issue: a second certificate elsewhere would not make that right.
  ISSUED_CERTIFICATE_WRONG: wrongEverywhere,
  CSR_INVALID: wrongEverywhere, CSR_MISMATCH: wrongEverywhere, KEY_WEAK: wrongEverywhere, NAME_INVALID: wrongEverywhere, TOO_MANY_NAMES: refusedHere,
  VALIDATION_REFUSED: wrongEverywhere, VALIDATION_NOT_VISIBLE: wrongEverywhere, VALIDATION_EXPIRED: wrongEverywhere, DNS_NAME_UNKNOWN: wrongEverywhere, DNS_LOOKUP_FAILED: wrongEverywhere,
  DNS_NAME_NOT_ALLOWED: wrongEverywhere, DNS_SERVERS_DIFFER: wrongEverywhere, DNS_DELEGATION_BROKEN: wrongEverywhere, DNS_ZONE_NOT_FOUND: wrongEverywhere, DNS_PROVIDER_REFUSED: wrongEverywhere, DNS_PROVIDER_UNREACHABLE: wrongEverywhere,
  DNS_RECORD_FAILED: wrongEverywhere, WEB_PORT_CLOSED: wrongEverywhere, WEB_ANSWER_WRONG: wrongEverywhere, WEB_REDIRECT_WRONG: wrongEverywhere, WEB_ADDRESSES_DIFFER: wrongEverywhere,
  TOKEN_NOT_WRITTEN: wrongEverywhere, TOKEN_PORT_TAKEN: wrongEverywhere, MAIL_NOT_SENT: wrongEverywhere, BOT_UNREACHABLE: wrongEverywhere, BOT_REVOKED: wrongEverywhere, PATH_NOT_ALLOWED: wrongEverywhere,
}

/** Pure. What nobody foresaw may have left something at the authority. */
export function verdictOf(error: CertloopError): Verdict {
  if (error.code === 'AUTHORITY_UNREACHABLE' && error.facts['sent'] === 'no') return notAsked
  return verdicts[error.code] ?? nobodyKnows
}

/** What an order does about a failure. end: the attempt has failed, and the next authority is asked where there is one. doubt: a person has to look. */
type Decision = { do: 'wait'; until: Date } | { do: 'move' } | { do: 'fail' } | { do: 'doubt' }

export interface Standing {
  now: Date
  /** Of the order. */
  deadline: Date
  /** How often it went wrong in a row, this time included, and since when. */
  failures: number
  failingSince: Date
  /** There is an authority that was not asked yet. */
  hasNext: boolean
  /** The authority may issue, or may have issued, without our knowing. */
  mayIssue: boolean
  /** 0 <= value < 1: spreads what failed together. */
  spread: number
}

/** So long one authority is waited for while another could be asked: one that says when it has room again, and one that does not answer. */
const [roomPatienceMs, answerPatienceMs] = [15 * 60_000, 60_000]
const patienceMs = ({ code }: CertloopError): number => (code === 'AUTHORITY_UNREACHABLE' || code === 'AUTHORITY_ANSWER_INVALID' ? answerPatienceMs : roomPatienceMs)
const longestPauseSeconds = 300
/** Seconds until the next try: 1, 2, 4 … 300, spread by a quarter either way. */
const pauseSeconds = (failures: number, spread: number): number => Math.min(longestPauseSeconds, 2 ** Math.max(0, failures - 1)) * (0.75 + spread / 2)

/** When the authority takes it again, by its own word; undefined when it did not say. */
function toldTime({ facts: { retryAt } }: CertloopError): Date | undefined {
  const at = typeof retryAt === 'string' ? new Date(retryAt) : undefined
  return at && !Number.isNaN(at.getTime()) ? at : undefined
}

/** Pure. While the authority may have issued, no other is asked: two certificates for one order are never right. */
export function decide(error: CertloopError, standing: Standing): Decision {
  if (error.code === 'ORDER_UNCERTAIN') return { do: 'doubt' }
  const { hasNext, mayIssue } = standing
  const canMove = verdictOf(error).elsewhere && hasNext && !mayIssue
  const giveUp: Decision = mayIssue ? { do: 'doubt' } : canMove ? { do: 'move' } : { do: 'fail' }
  return error.spec.retry === 'later' || error.code === 'CONFLICT' ? waitOr(giveUp, error, standing) : giveUp
}

/** It may pass by itself. */
function waitOr(giveUp: Decision, error: CertloopError, { now, deadline, failures, failingSince, mayIssue, spread }: Standing): Decision {
  const told = toldTime(error)
  const until = told && told > now ? told : new Date(now.getTime() + pauseSeconds(failures, spread) * 1000)
  const isLong = until >= deadline || until.getTime() - failingSince.getTime() > patienceMs(error)
  if (now >= deadline || (giveUp.do === 'move' && isLong)) return giveUp
  if (until < deadline) return { do: 'wait', until }
  // A last look at the deadline, unless it is known to be in vain.
  return told && !mayIssue ? giveUp : { do: 'wait', until: deadline }
}
