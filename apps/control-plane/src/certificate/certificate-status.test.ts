import assert from 'node:assert/strict'
import { test } from 'node:test'
import { certificateStatuses, type CertificateStatus } from '@certloop/contract'
import { deriveStatus, nextStatusChange, type DerivedStatus, type Evidence } from './certificate-status.ts'

const now = new Date('2026-03-01T00:00:00Z')
const inDays = (n: number) => new Date(now.getTime() + n * 86_400_000)
const error = { code: 'RELOAD_FAILED' as const, message: 'nginx did not reload.', facts: {} }
const place = { title: 'nginx: /a', state: 'in-sync' as const, notAfter: inDays(60), trouble: false, older: false, unserved: null, proven: true }
const found = { fingerprint: 'a', notBefore: inDays(-30), notAfter: inDays(60), source: 'discovery' as const }
const issued = { ...found, source: 'order' as const }
/** Configured, issued, proven everywhere. */
const well: Evidence = { management: 'managed', configuration: 'complete', targetCount: 1, renewalDaysBefore: 30, current: issued, revocation: null, failedRevocation: null, openOrder: null, openDeployments: [], waiting: null, takenBack: [], leftOut: [], missingNames: [], takenOverBy: null, failure: null, unknownHostKey: null, misfit: null, installations: [place] }
const work = (state: string) => ({ state, reason: 'Reason.', nextAction: 'Next.' }) as never

const older = { ...place, state: 'out-of-sync' as const, older: true, notAfter: inDays(9) }
const unserved = { ...place, state: 'out-of-sync' as const, trouble: true }
const noMore = { status: 'revoked' as const, at: inDays(-2), reason: 'keyCompromise', count: 1, of: 1, places: ['nginx: /a'] }

const rows: [string, Partial<Evidence>, CertificateStatus, RegExp, DerivedStatus['nextAction']?][] = [
  ['found, nobody has configured it', { current: found, configuration: 'none', targetCount: 0, renewalDaysBefore: null }, 'discovered', /not configured/],
  ['found, ending soon, nothing renews it', { current: { ...found, notAfter: inDays(20) }, installations: [{ ...place, notAfter: inDays(20) }], configuration: 'none', targetCount: 0, renewalDaysBefore: null }, 'expiring', /2026-03-21 00:00 UTC.*nothing renews/],
  ['found, a draft', { current: found, configuration: 'draft' }, 'configuration-pending', /draft/],
  ['found and configured', { current: found }, 'configured', /2026-04-30 00:00 UTC/],
  ['taken under care by name alone', { current: null, configuration: 'none', targetCount: 0, installations: [] }, 'configuration-pending', /who issues/],
  ['configured by name alone', { current: null, installations: [] }, 'configured', /Ready/],
  ['an order runs', { openOrder: work('pending') }, 'order-pending', /^Reason\. Next\.$/],
  ['names are to be proven', { openOrder: { ...(work('processing') as object), validating: true } as never }, 'validation-pending', /^Reason\. Next\.$/, null],
  ['a renewal went on without a name', { missingNames: [{ name: 'b.example', error }] }, 'deployed', /Renewed without b\.example: nginx did not reload\. Mend that/],
  ['issued, never deployed', { installations: [] }, 'issued', /Deploy it/],
  ['issued, without a target', { targetCount: 0, installations: [] }, 'issued', /no deployment target/],
  ['issued, another certificate is served', { installations: [{ ...place, state: 'out-of-sync' }] }, 'issued', /out-of-sync/],
  ['a plan waits for approval', { openDeployments: [work('planned')] }, 'deployment-pending', /Reason/],
  ['a plan waits for approval, and the end comes near', { openDeployments: [work('planned')], installations: [{ ...place, notAfter: inDays(28) }] }, 'expiring', /^Reason\. Next\. What is served ends on 2026-03-29 00:00 UTC\.$/, null],
  ['nobody knows whether the authority issued, and the end comes near', { openOrder: work('uncertain'), current: { ...issued, notAfter: inDays(28) }, installations: [] }, 'expiring', /It ends on 2026-03-29/, null],
  ['a bot is at work, and the end comes near', { openDeployments: [work('deploying')], installations: [{ ...place, notAfter: inDays(3) }] }, 'deploying', /^Reason\. Next\. What is served ends on 2026-03-04 00:00 UTC\.$/, null],
  ['a bot is at work', { openDeployments: [work('planned'), work('deploying')] }, 'deploying', /Reason/],
  ['proven everywhere', {}, 'deployed', /1 place/],
  ['the deployment failed', { failure: { kind: 'deployment', state: 'failed', error }, installations: [{ ...place, state: 'out-of-sync' }] }, 'deployment-failed', /did not reload/],
  ['the deployment was undone', { failure: { kind: 'deployment', state: 'rolled-back', error }, installations: [{ ...place, state: 'out-of-sync' }] }, 'rolled-back', /previous certificate/],
  ['issued, ending soon, renewal failed so far', { current: { ...issued, notAfter: inDays(28) }, installations: [{ ...place, notAfter: inDays(28) }] }, 'expiring', /has not been renewed/],
  ['issued, ending soon, renewal off', { renewalDaysBefore: null, current: { ...issued, notAfter: inDays(28) }, installations: [{ ...place, notAfter: inDays(28) }] }, 'expiring', /renewal is off/],
  ['found once, nowhere any more', { current: found, configuration: 'none', targetCount: 0, renewalDaysBefore: null, installations: [] }, 'discovered', /nowhere any more/],
  ['of ten days by design, a day old', { current: { ...issued, notBefore: inDays(-1), notAfter: inDays(9) }, installations: [{ ...place, notAfter: inDays(9) }] }, 'deployed', /1 place/],
  ['what is served has expired', { installations: [{ ...place, notAfter: inDays(-1) }] }, 'expired', /Deploy the newer version now/],
  ['renewed, and its time has not come', { waiting: { reason: 'Waits until Sunday' }, installations: [older] }, 'renewed-not-deployed', /^Issued and not deployed\. Waits until Sunday\. What is served ends on 2026-03-10 00:00 UTC\.$/, 'deploy'],
  ['renewed, and deployment is off', { installations: [older] }, 'renewed-not-deployed', /nginx: \/a has an earlier version.*2026-03-10.*Deploy/, 'deploy'],
  ['the server shows another certificate than its file holds', { installations: [{ ...unserved, unserved: 'other' }] }, 'deployed-not-served', /nginx: \/a \(another certificate is served\).*reloads/, 'deploy'],
  ['nothing answers where it is installed', { installations: [{ ...unserved, unserved: 'nothing' }] }, 'deployed-not-served', /nothing answers.*runs/, 'recheck-pinning'],
  ['revoked and still served', { revocation: noMore }, 'revoked', /^Revoked on 2026-02-27 \(keyCompromise\), and is still served at nginx: \/a\. Rekey it now\.$/, 'rekey'],
  ['no port is named', { installations: [{ ...place, proven: false }] }, 'deployed', /^Installed at 1 place; nothing proves that it is served, as no port is named\.$/],
  ['one of two names a port', { targetCount: 2, installations: [place, { ...place, proven: false }] }, 'deployed', /^Installed at 2 places and proven to be served at 1 of them; the others name no port/],
  ['one of two revoked', { revocation: { ...noMore, of: 2 } }, 'revoked', /^1 of 2 versions: Revoked on 2026-02-27 \(keyCompromise\), and are still served at nginx: \/a\. The rest is still good\./, 'rekey'],
  ['suspended, installed nowhere', { revocation: { ...noMore, status: 'held', places: [] } }, 'suspended', /^Suspended on 2026-02-27\. Resume it/, 'resume'],
  ['taken back by hand', { takenBack: [{ title: 'nginx: /a', how: 'undone', by: 'user:anna' }] }, 'renewed-not-deployed', /taken back: nginx: \/a by user:anna\. It is not deployed there again by itself\. .*Deploy it by hand/, 'deploy'],
  ['its child took over, and it is nowhere any more', { takenOverBy: 'c.example', targetCount: 0, installations: [], current: { ...issued, notAfter: inDays(-1) } }, 'issued', /"c\.example" took its targets over.*Delete/, null],
  ['its child took over and is not deployed yet', { takenOverBy: 'c.example', targetCount: 0 }, 'issued', /no deployment target\. "c\.example" was enrolled again/, null],
  ['everything has expired', { current: { ...issued, notAfter: inDays(-1) }, installations: [{ ...place, notAfter: inDays(-1) }] }, 'expired', /Rotate it now/],
]

test('each status follows from what is known', () => {
  for (const [name, evidence, status, , nextAction] of rows) {
    const derived = deriveStatus({ ...well, ...evidence }, now)
    if (nextAction !== undefined) assert.equal(derived.nextAction, nextAction, name)
    if (['discovered', 'deployed', 'issued', 'order-pending', 'deployment-pending', 'deploying'].includes(status)) continue
    if (nextAction === null) continue
    assert.ok(derived.nextAction, `${name}: somebody has to do something`)
  }
  for (const [name, evidence, status, reason] of rows) {
    const derived = deriveStatus({ ...well, ...evidence }, now)
    assert.equal(derived.status, status, name)
    assert.match(derived.reason, reason, name)
  }
  assert.deepEqual(certificateStatuses.filter((s) => !rows.some(([, , status]) => status === s)), [], 'every status that can occur has a row')
})

test('the most urgent comes first', () => {
  const expired = { installations: [{ ...place, notAfter: inDays(-1) }] }
  const order = { openOrder: work('pending') }
  const deploying = { openDeployments: [work('deploying')] }
  const failed = { failure: { kind: 'deployment', state: 'failed', error } } as const
  const wrong = { installations: [{ ...place, state: 'out-of-sync' as const }] }
  const ladder: [Partial<Evidence>, CertificateStatus][] = [
    [{ ...wrong, ...failed, ...deploying, ...order, ...expired }, 'expired'],
    [{ ...wrong, ...failed, ...deploying, ...order }, 'order-pending'],
    [{ ...wrong, ...failed, ...deploying, revocation: noMore }, 'deploying'],
    [{ ...wrong, ...failed, revocation: noMore }, 'revoked'],
    [{ installations: [{ ...unserved, unserved: 'other' }, older], ...failed }, 'deployment-failed'],
    [{ installations: [{ ...unserved, unserved: 'other' }, older] }, 'deployed-not-served'],
    [{ installations: [older] }, 'renewed-not-deployed'],
    [wrong, 'issued'],
    [{}, 'deployed'],
  ]
  for (const [evidence, status] of ladder) assert.equal(deriveStatus({ ...well, ...evidence }, now).status, status)
})

test('a failed order is a problem beside the status; a failure that the hosts disprove is none', () => {
  const failedOrder = deriveStatus({ ...well, failure: { kind: 'order', state: 'failed', error } }, now)
  assert.deepEqual([failedOrder.status, failedOrder.problem], ['deployed', error])
  const disproved = deriveStatus({ ...well, failure: { kind: 'deployment', state: 'failed', error } }, now)
  assert.deepEqual([disproved.status, disproved.problem], ['deployed', null])
  assert.equal(deriveStatus({ ...well, installations: [{ ...place, state: 'missing', trouble: true }] }, now).problem?.code, 'PROOF_MISMATCH')
  assert.equal(deriveStatus({ ...well, installations: [{ ...place, state: 'out-of-sync' }] }, now).problem, null, 'an older version that waits to be replaced is no trouble')
  assert.deepEqual(deriveStatus({ ...well, failedRevocation: error }, now).problem, error, 'who asked for a revocation has to know that there is none')
  assert.equal(deriveStatus({ ...well, installations: [], failure: { kind: 'deployment', state: 'failed', error } }, now).status, 'deployment-failed', 'no place in sync disproves nothing')
})

test('the status is as derived just after each change that time alone makes', () => {
  for (const renewalDaysBefore of [null, 1, 20, 30, 90]) {
    const evidence = { ...well, renewalDaysBefore }
    let at = now
    let status = deriveStatus(evidence, at).status
    for (let next = nextStatusChange(evidence, at); next; next = nextStatusChange(evidence, at)) {
      for (const between of [0.25, 0.5, 0.75]) {
        const middle: Date = new Date(at.getTime() + (next.getTime() - 2000 - at.getTime()) * between)
        if (middle > at) assert.equal(deriveStatus(evidence, middle).status, status, `${renewalDaysBefore} ${middle.toISOString()}`)
      }
      at = next
      status = deriveStatus(evidence, at).status
    }
    assert.equal(status, 'expired')
  }
})
