import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rolloutDefault, type RolloutSettings } from '@certloop/contract'
import { refuseLeavingApproval } from './approval.ts'

const gate = { ...rolloutDefault.gate, approval: true }
const waves: RolloutSettings = { ...rolloutDefault, mode: 'in-order', gate }

test('who may not approve may not do away with an approval, of plans or after the first wave', () => {
  const denied = { code: 'PERMISSION_DENIED' }
  const [manual, automatic, gated] = [{ approval: 'manual' }, { approval: 'automatic' }, { approval: 'automatic', rollout: waves }] as const
  assert.throws(() => refuseLeavingApproval(manual, automatic, false), denied)
  assert.throws(() => refuseLeavingApproval(manual, null, false), denied)
  assert.throws(() => refuseLeavingApproval(gated, { ...gated, rollout: { ...waves, gate: rolloutDefault.gate } }, false), denied)
  assert.throws(() => refuseLeavingApproval(gated, automatic, false), denied, 'left out is none')
  assert.throws(() => refuseLeavingApproval(gated, { ...gated, rollout: { ...waves, mode: 'together' } }, false), denied, 'without a second wave it is never asked for')
  assert.doesNotThrow(() => refuseLeavingApproval(gated, { ...gated, rollout: { ...waves, mode: 'together', canary: 1 } }, false))
  assert.doesNotThrow(() => refuseLeavingApproval({ ...manual, rollout: waves }, automatic, true))
  assert.doesNotThrow(() => refuseLeavingApproval(automatic, manual, false))
  assert.doesNotThrow(() => refuseLeavingApproval(null, automatic, false), 'a first configuration does away with none')
})
