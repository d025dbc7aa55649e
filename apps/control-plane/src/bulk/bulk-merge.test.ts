import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bulkStates, csrDefaults, deploymentTimingDefault, renewalDefaults, rolloutDefault, validationDefaults, type ConfigurationInput } from '@certloop/contract'
import { changesBetween, describeChanges, mergeParts, missingParts, saysNothing, type Settings } from './bulk-merge.ts'
import { bulkTransitions, isOver, isWorking, nextBulkState, phases, type BulkEvent } from './bulk-state.ts'

const settings: Settings = {
  complete: true, authorityId: 'ath_00000000000000000000000000', fallbackAuthorityIds: [], csr: { ...csrDefaults, commonName: 'a.example', names: ['a.example'], keyAlgorithm: 'ec-256', keyReuse: false, validityDays: 90 }, validation: validationDefaults,
  renewal: { ...renewalDefaults, enabled: true, daysBefore: 30, time: '03:00', zone: 'UTC' }, deployment: deploymentTimingDefault, rollout: rolloutDefault, deployAfterRenewal: true, rollback: true, approval: 'automatic',
}
const current: ConfigurationInput = { ...settings, targets: [{ botId: 'bot_00000000000000000000000000', serverType: 'nginx', fields: {} }] }

test('what the parts leave out stays; request and renewal are merged by field, the rest is taken whole', () => {
  const rollout = { ...rolloutDefault, canary: 2 }
  const merged = mergeParts(current, { csr: { keyAlgorithm: 'rsa-3072', validityDays: 365 }, renewal: { daysBefore: 45 }, rollout })
  assert.deepEqual(merged, { ...current, csr: { ...current.csr, keyAlgorithm: 'rsa-3072', validityDays: 365 }, renewal: { ...current.renewal, daysBefore: 45 }, rollout })
  assert.deepEqual(mergeParts(current, {}), current)
  assert.equal(current.csr.keyAlgorithm, 'ec-256', 'what is merged into is left as it was')
})

test('without a configuration the parts have to make one', () => {
  const whole = { csr: { keyAlgorithm: 'ec-256', keyReuse: false, validityDays: null }, renewal: { enabled: true, daysBefore: 30, time: '03:00', zone: 'UTC' }, deployAfterRenewal: true, rollback: true, approval: 'automatic' } as const
  assert.deepEqual(missingParts(whole), [])
  assert.deepEqual(missingParts({ ...whole, renewal: { enabled: true, daysBefore: 30, time: '03:00' } }), ['renewal/zone'])
  assert.equal(missingParts({}).length, 10)
  const merged = mergeParts(null, whole)
  assert.deepEqual([merged.complete, merged.targets, merged.csr.names, merged.authorityId], [false, [], [], null])
})

test('names each setting that differs, and none that does not', () => {
  const after: Settings = { ...settings, csr: { ...settings.csr, keyAlgorithm: 'rsa-3072', subject: {} }, renewal: { ...settings.renewal, daysBefore: 45 }, rollout: { ...rolloutDefault, canary: 1 } }
  const changes = changesBetween(settings, after)
  assert.deepEqual(changes.map(({ field }) => field).toSorted(), ['csr.keyAlgorithm', 'renewal.daysBefore', 'rollout'])
  assert.match(describeChanges(changes, 2), /→ .*, and 1 more$/)
  assert.deepEqual(changesBetween(settings, structuredClone(settings)), [])
  assert.ok(changesBetween(null, settings).every(({ before }) => before === null))
  assert.deepEqual([saysNothing({}), saysNothing({ csr: {}, renewal: {} }), saysNothing({ rollback: false }), saysNothing({ authorityId: null })], [true, true, false, false])
})

test('bulk changes: every state can be reached, and work always leads on', () => {
  const events = Object.keys(bulkTransitions) as BulkEvent[]
  const reached = new Set<string>(['previewing'])
  for (const _ of bulkStates) for (const state of bulkStates) if (reached.has(state)) for (const event of events) reached.add(nextBulkState(state, event) ?? state)
  assert.deepEqual([...reached].toSorted(), [...bulkStates].toSorted())
  for (const state of bulkStates) if (isWorking(state)) assert.ok(nextBulkState(state, phases[state].end))
  assert.deepEqual(events.filter((event) => nextBulkState('discarded', event)), [])
  assert.deepEqual(bulkStates.filter((state) => isOver(state)), ['applied', 'undone', 'discarded'])
})
