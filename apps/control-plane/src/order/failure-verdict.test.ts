import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError, errorCodes, errorSpecs, type ErrorCode } from '@certloop/contract'
import fc from 'fast-check'
import { decide, verdictOf, verdicts, type Standing } from './failure-verdict.ts'

const elsewhere: ErrorCode[] = [
  'TOO_MANY_NAMES', 'NOT_FOUND', 'SECRET_UNREADABLE', 'CONFIGURATION_INCOMPLETE', 'AUTHORITY_REJECTED', 'AUTHORITY_UNREACHABLE', 'AUTHORITY_RATE_LIMITED', 'AUTHORITY_BUDGET_SPENT', 'AUTHORITY_ACCOUNT_REFUSED', 'AUTHORITY_TERMS_NOT_AGREED',
  'AUTHORITY_ANSWER_INVALID', 'AUTHORITY_NOT_TRUSTED', 'ADDRESS_NOT_ALLOWED', 'NAME_REFUSED', 'PROFILE_REFUSED', 'PROFILE_VIOLATION', 'ORDER_EXPIRED', 'VALIDATION_METHOD_UNAVAILABLE', 'CAA_FORBIDS', 'KEY_ALGORITHM_UNSUPPORTED', 'ISSUER_EXPIRED',
  'ISSUER_NOT_READY', 'PKCS11_UNAVAILABLE', 'PKCS11_PIN_WRONG', 'PKCS11_KEY_NOT_FOUND',
]
test('which failures another authority could cure: of all codes, these and no others', () => {
  assert.deepEqual(errorCodes.filter((code) => verdictOf(new CertloopError(code, '')).elsewhere).toSorted(), elsewhere.toSorted())
  const says = (cls: string) => errorCodes.filter((code) => errorSpecs[code].class === cls)
  for (const code of says('authority-rejection')) assert.ok(verdicts[code], `${code} is said by authorities, and nothing is decided about it`)
  for (const code of errorCodes.filter((each) => /^(AUTHORITY|VALIDATION|DNS|WEB|CAA|TOKEN)_/.test(each))) assert.ok(verdicts[code], `nothing is decided about ${code}`)
})

test('not reached at all is another thing than perhaps reached', () => {
  assert.deepEqual([verdictOf(new CertloopError('AUTHORITY_UNREACHABLE', '', { sent: 'no' })).leaves, verdictOf(new CertloopError('AUTHORITY_UNREACHABLE', '', { sent: 'maybe' })).leaves, verdictOf(new CertloopError('AUTHORITY_UNREACHABLE', '')).leaves], ['as-before', 'unknown', 'unknown'])
})

const now = new Date('2026-03-01T00:00:00Z')
const standing = fc.record<Standing>({
  now: fc.constant(now), deadline: fc.integer({ min: -10, max: 100_000 }).map((s) => new Date(now.getTime() + s * 1000)), failures: fc.integer({ min: 1, max: 1000 }), failingSince: fc.integer({ min: 0, max: 10_000 }).map((s) => new Date(now.getTime() - s * 1000)),
  hasNext: fc.boolean(), mayIssue: fc.boolean(), spread: fc.double({ min: 0, max: 0.999, noNaN: true }),
})
const errors = fc.record({ code: fc.constantFrom(...errorCodes), seconds: fc.option(fc.integer({ min: -100, max: 200_000 })) })
  .map(({ code, seconds }) => new CertloopError(code, 'x', seconds === null ? {} : { retryAt: new Date(now.getTime() + seconds * 1000).toISOString() }))
test('any failure at any time: never elsewhere while it may issue, never failed then, never early, never beyond the deadline', () => {
  fc.assert(fc.property(errors, standing, (error, s) => {
    const decision = decide(error, s)
    if (s.mayIssue) assert.ok(decision.do === 'wait' || decision.do === 'doubt', decision.do)
    if (decision.do === 'move') assert.ok(s.hasNext && verdictOf(error).elsewhere)
    if (decision.do !== 'wait') return
    assert.equal(error.spec.retry === 'later' || error.code === 'CONFLICT', true)
    assert.ok(decision.until > s.now && decision.until <= s.deadline)
    const told = error.facts['retryAt']
    if (typeof told === 'string' && new Date(told) > s.now) assert.ok(decision.until.getTime() === Math.min(new Date(told).getTime(), s.deadline.getTime()), 'at its word')
  }))
})
