import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rolloutModes, type RolloutSettings } from '@certloop/contract'
import fc from 'fast-check'
import { mayBegin, planWaves } from './rollout-plan.ts'

type Settings = Pick<RolloutSettings, 'mode' | 'canary' | 'waves'>
const labels = ['eu', 'us', 'test'] as const
const share = (percent: number) => ({ share: percent, label: null })
const label = (name: string) => ({ share: null, label: name })
const waveOf = fc.record({ share: fc.option(fc.integer({ min: 1, max: 100 })), label: fc.option(fc.constantFrom(...labels, 'nobody')) })
const settingsOf: fc.Arbitrary<Settings> = fc.record({ mode: fc.constantFrom(...rolloutModes), canary: fc.integer({ min: 0, max: 12 }), waves: fc.array(waveOf, { maxLength: 6 }) })
const targetsOf = fc.array(fc.subarray([...labels]), { maxLength: 25 }).map((all) => all.map((own, id) => ({ id, labels: own })))
const named = (count: number, labelOf: (id: number) => string[] = () => []) => Array.from({ length: count }, (_, id) => ({ id, labels: labelOf(id) }))
const sizes = (settings: Settings, count: number) => planWaves(settings, named(count)).map((wave) => wave.length)

test('whatever is set: every target exactly once, the canary first, the order kept, no wave empty', () => {
  fc.assert(fc.property(settingsOf, targetsOf, (settings, targets) => {
    const waves = planWaves(settings, targets)
    assert.deepEqual(waves.flat().map(({ id }) => id).toSorted((a, b) => a - b), targets.map(({ id }) => id))
    assert.ok(waves.every((wave) => wave.length > 0))
    for (const wave of waves) assert.deepEqual(wave, wave.toSorted((a, b) => a.id - b.id), 'within a wave, as listed')
    if (settings.canary > 0 && targets.length > 0) assert.deepEqual(waves[0], targets.slice(0, settings.canary))
    const byLabel = settings.mode === 'waves' && settings.waves.some((wave) => wave.label !== null)
    if (!byLabel) assert.deepEqual(waves.flat(), targets, 'without labels, from wave to wave as listed')
    if (settings.mode === 'together') assert.ok(waves.length <= 2)
    if (settings.mode === 'in-order') assert.ok(waves.slice(settings.canary > 0 ? 1 : 0).every((wave) => wave.length === 1))
  }))
})

test('waves by share are of what is left, rounded up; by label they take all that have it; what none takes goes last', () => {
  assert.deepEqual(sizes({ mode: 'waves', canary: 1, waves: [share(30), share(100)] }, 10), [1, 3, 6])
  assert.deepEqual(sizes({ mode: 'waves', canary: 0, waves: [share(50), share(50)] }, 10), [5, 3, 2])
  assert.deepEqual(sizes({ mode: 'waves', canary: 0, waves: [share(1)] }, 3), [1, 2])
  assert.deepEqual(sizes({ mode: 'waves', canary: 20, waves: [share(50)] }, 3), [3])
  assert.deepEqual(sizes({ mode: 'together', canary: 2, waves: [share(50)] }, 10), [2, 8])
  assert.deepEqual(sizes({ mode: 'in-order', canary: 2, waves: [] }, 4), [2, 1, 1])
  const ids = (settings: Settings, labelOf: (id: number) => string[]) => planWaves(settings, named(6, labelOf)).map((wave) => wave.map(({ id }) => id))
  assert.deepEqual(ids({ mode: 'waves', canary: 1, waves: [label('us'), label('nobody'), label('eu')] }, (id) => (id < 3 ? ['eu'] : id < 5 ? ['us'] : [])), [[0], [3, 4], [1, 2], [5]])
  assert.deepEqual(ids({ mode: 'waves', canary: 0, waves: [{ share: 50, label: 'eu' }] }, (id) => (id % 2 === 0 ? ['eu'] : [])), [[0, 2], [1, 3, 4, 5]])
})

test('never two of a pair at the same time, and one after the other never two at all; who is not held up begins, as listed', () => {
  const pairOf = fc.option(fc.constantFrom('a', 'b', 'c'))
  const some = (from: number) => fc.array(pairOf, { maxLength: 12 }).map((pairs) => pairs.map((pair, i) => ({ id: from + i, pair })))
  fc.assert(fc.property(some(0), some(100), fc.boolean(), (waiting, all, oneAtATime) => {
    const busy = all.filter((target, i) => target.pair === null || all.findIndex(({ pair }) => pair === target.pair) === i).slice(0, oneAtATime ? 1 : undefined)
    const begun = mayBegin(waiting, busy, oneAtATime)
    const pairs = [...busy, ...begun].map(({ pair }) => pair).filter((pair) => pair !== null)
    assert.equal(new Set(pairs).size, pairs.length)
    assert.deepEqual(begun, waiting.filter((target) => begun.includes(target)))
    if (oneAtATime) assert.ok(busy.length + begun.length <= 1)
    else assert.ok(waiting.every((target) => begun.includes(target) || (target.pair !== null && pairs.includes(target.pair))), 'nobody waits without a reason')
    if (busy.length === 0 && waiting.length > 0) assert.ok(begun.length > 0, 'somebody always gets on')
  }))
})
