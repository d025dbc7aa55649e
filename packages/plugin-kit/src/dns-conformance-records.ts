import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type DnsScene, listingSteps, type Run, valueNumber } from './dns-conformance-scene.ts'

/** Adding and removing, beside what others hold there. */
export const recordTests: Run = async (t, scene) => {
  await addingTests(t, scene)
  if (scene.entry.manifest.keepsLatest === undefined) {
    await removingTests(t, scene)
    await foreignTests(t, scene)
    await textTests(t, scene)
  } else await keepingTests(t, scene)
  await parallelTests(t, scene)
  await t.test('the test says what it tried and saw, and changes nothing', async () => {
    const { subject, said, connector } = scene
    const name = subject.recordName ?? subject.zone
    const [before, steps] = [await subject.held(name), [] as { title: string; seen: string }[]]
    await (await connector()).test(listingSteps(steps))
    said.push(steps)
    assert.ok(steps.length > 0 && steps.every(({ title, seen }) => title.trim() !== '' && seen.trim() !== ''), JSON.stringify(steps))
    assert.deepEqual(await subject.held(name), before)
  })
}

async function addingTests(t: TestContext, { connector, record, texts }: DnsScene): Promise<void> {
  await t.test('a value is added, and what finds it again is small', async () => {
    const one = record('adding', valueNumber(10))
    const receipt = await (await connector()).addTxt(one)
    assert.ok((await texts(one.name)).includes(one.value))
    assert.ok(Object.values(receipt).every((each) => typeof each === 'string') && JSON.stringify(receipt).length < 2000, JSON.stringify(receipt))
  })
  await t.test('two values at one name are both there', async () => {
    const [one, other] = [record('two', valueNumber(20)), record('two', valueNumber(21))]
    await (await connector()).addTxt(one)
    await (await connector()).addTxt(other)
    assert.deepEqual(await texts(one.name), [one.value, other.value].toSorted())
  })
  await t.test('added again, also by another process, nothing changes', async () => {
    const [one, other] = [record('again', valueNumber(30)), record('again', valueNumber(31))]
    await (await connector()).addTxt(one)
    await (await connector()).addTxt(other)
    await (await connector()).addTxt(one)
    await (await connector()).addTxt(other)
    await (await connector()).addTxt(other)
    assert.deepEqual(await texts(one.name), [one.value, other.value].toSorted())
  })
}

async function removingTests(t: TestContext, { connector, record, texts, subject }: DnsScene): Promise<void> {
  await t.test('one value is removed, the other stays; the last takes the name with it', async () => {
    const [one, other] = [record('removing', valueNumber(40)), record('removing', valueNumber(41))]
    const provider = await connector()
    const [first, second] = [await provider.addTxt(one), await provider.addTxt(other)]
    await provider.removeTxt(one, first)
    assert.deepEqual(await texts(one.name), [other.value])
    await provider.removeTxt(other, second)
    assert.deepEqual(await subject.held(one.name), [])
  })
  await t.test('what is not there is fine to remove, with a receipt and without', async () => {
    const one = record('absent', valueNumber(50))
    await (await connector()).removeTxt(one, null)
    const receipt = await (await connector()).addTxt(one)
    await (await connector()).removeTxt(one, receipt)
    await (await connector()).removeTxt(one, receipt)
    assert.deepEqual(await subject.held(one.name), [])
  })
  await t.test('without a receipt, as after a crash, just this value is removed', async () => {
    const [one, other] = [record('crash', valueNumber(60)), record('crash', valueNumber(61))]
    await (await connector()).addTxt(one)
    await (await connector()).addTxt(other)
    await (await connector()).removeTxt(one, null)
    assert.deepEqual(await texts(one.name), [other.value])
    await (await connector()).removeTxt(other, null)
    assert.deepEqual(await subject.held(one.name), [])
  })
  await t.test('a value with a receipt of its earlier life is removed in its later one', async () => {
    const one = record('later-life', valueNumber(65))
    const old = await (await connector()).addTxt(one)
    await (await connector()).removeTxt(one, old)
    await (await connector()).addTxt(one)
    await (await connector()).removeTxt(one, old)
    assert.deepEqual(await subject.held(one.name), [])
  })
}

/** Values that show whether texts are quoted and taken apart rightly. */
const foreignTexts = ['v=spf1 include:mail.test -all', 'a "quoted" word and a back\\slash', 'semi; colon, comma', `long ${'0123456789'.repeat(30)}`, '  spaces  ']

async function foreignTests(t: TestContext, { connector, record, subject, inTurn }: DnsScene): Promise<void> {
  const { put, held } = subject
  assert.ok(put, 'the subject has no put')
  await t.test('values of others at the same name stay as they are', async () => {
    const [one, other] = [record('foreign', valueNumber(70)), record('foreign', valueNumber(71))]
    for (const value of foreignTexts) await put.call(subject, one.name, { type: 'TXT', value })
    const before = inOrder(await held.call(subject, one.name))
    assert.equal(before.length, foreignTexts.length, 'what was put there is not held')
    const provider = await connector()
    const receipts = [await provider.addTxt(one), await provider.addTxt(other)]
    assert.deepEqual(inOrder(await held.call(subject, one.name)), inOrder([...before, { type: 'TXT', value: one.value }, { type: 'TXT', value: other.value }]))
    await provider.removeTxt(one, receipts[0] ?? null)
    await provider.removeTxt(other, null)
    assert.deepEqual(inOrder(await held.call(subject, one.name)), before)
  })
  await t.test('other types at the same name and records beside it stay', async () => {
    const one = record('types', valueNumber(80))
    const around = [one.name, `types.${subject.zone}`, `x.${one.name}`, subject.zone]
    for (const name of around) {
      await put.call(subject, name, { type: 'A', value: '192.0.2.7' })
      if (name !== one.name) await put.call(subject, name, { type: 'TXT', value: 'not ours' })
    }
    const all = () => Promise.all(around.map(async (name) => inOrder((await held.call(subject, name)).filter(({ type }) => type !== 'SOA'))))
    const before = await all()
    const receipt = await inTurn(one, async () => (await connector()).addTxt(one))
    await inTurn(one, async () => (await connector()).removeTxt(one, receipt))
    assert.deepEqual(await all(), before)
    assert.ok(before.flat().some(({ type }) => type === 'A'), 'no other type was there')
  })
}

const inOrder = (records: HeldList) => records.toSorted((a, b) => (`${a.type} ${a.value}` < `${b.type} ${b.value}` ? -1 : 1))
type HeldList = Awaited<ReturnType<DnsScene['subject']['held']>>

async function textTests(t: TestContext, { connector, record, subject, texts }: DnsScene): Promise<void> {
  await t.test('at the top of the zone and for a standing record too', async () => {
    const provider = await connector()
    for (const [name, value] of [[`_acme-challenge.${subject.zone}`, valueNumber(90)], [`_validation-persist.www.${subject.zone}`, 'authority.example; accounturi=https://acme.test/acct/1; policy=wildcard']] as const) {
      const one = { ...record('', value), name }
      const receipt = await provider.addTxt(one)
      await provider.addTxt(one)
      assert.deepEqual(await texts(name), [value])
      await provider.removeTxt(one, receipt)
      assert.deepEqual(await texts(name), [])
    }
  })
}

async function keepingTests(t: TestContext, { connector, record, texts, entry: { manifest } }: DnsScene): Promise<void> {
  await t.test('removing is asked for in vain and without harm', async () => {
    const one = record('kept', valueNumber(95))
    const receipt = await (await connector()).addTxt(one)
    await (await connector()).removeTxt(one, receipt)
    await (await connector()).removeTxt(one, null)
    assert.ok((await texts(one.name)).length <= (manifest.keepsLatest ?? 0))
  })
}

/** As two replicas would: each change with a connector of its own, one at a time by the key of the manifest. */
async function parallelTests(t: TestContext, { connector, record, texts, inTurn, entry: { manifest }, subject }: DnsScene): Promise<void> {
  const count = manifest.keepsLatest ?? 8
  await t.test('values added in parallel at one name are all there', async () => {
    const records = Array.from({ length: count }, (_, i) => record('parallel', valueNumber(100 + i)))
    const receipts = await Promise.all(records.map((one) => inTurn(one, async () => (await connector()).addTxt(one))))
    const name = records[0]?.name ?? ''
    assert.deepEqual(await texts(name), records.map(({ value }) => value).toSorted())
    if (manifest.keepsLatest !== undefined) return
    await Promise.all(records.slice(1).map((one, i) => inTurn(one, async () => (await connector()).removeTxt(one, receipts[i + 1] ?? null))))
    assert.deepEqual(await texts(name), [records[0]?.value])
  })
  await t.test('values added in parallel at several names are all there', { skip: subject.recordName !== undefined && 'there is one name here' }, async () => {
    const records = Array.from({ length: count }, (_, i) => record(`parallel-${i % 4}`, valueNumber(120 + i)))
    await Promise.all(records.map((one) => inTurn(one, async () => (await connector()).addTxt(one))))
    for (const { name, value } of records) assert.ok((await texts(name)).includes(value), `a value of ${name} is lost`)
  })
}
