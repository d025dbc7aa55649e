import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Batch, BatchItem, BulkChange, BulkItem, CertificateDetail, CertificateStatus } from '@certloop/contract'
import { eventually, tempFolder } from '@certloop/test-kit'
import { openTasks, rows } from './kit/crash-kit.ts'
import { inParallel, onDisk, startFleet, type Fleet, type Member } from './kit/fleet.ts'
import { openJournals } from './kit/journals.ts'
import { served } from './kit/served.ts'

/** How many certificates; CERTLOOP_TEST_BATCH says another number: 500 take about three minutes. */
const count = Number(process.env['CERTLOOP_TEST_BATCH'] ?? 200)
const refusesEvery = 20
const patience = { timeoutMs: 120_000 + count * 1000, intervalMs: 200 }

/** Every page of a list. */
async function all<I>(page: (cursor: string | undefined) => Promise<{ items: I[]; nextCursor: string | null }>): Promise<I[]> {
  const items: I[] = []
  for (let cursor: string | undefined; ;) {
    const { items: more, nextCursor } = await page(cursor)
    items.push(...more)
    if (nextCursor === null) return items
    cursor = nextCursor
  }
}
const itemsOf = ({ plane: { client } }: Fleet, { id }: Batch): Promise<BatchItem[]> => all((cursor) => client.call('listBatchItems', { params: { id }, query: { limit: 200, cursor } }))
const changesOf = ({ plane: { client } }: Fleet, { id }: BulkChange): Promise<BulkItem[]> => all((cursor) => client.call('listBulkItems', { params: { id }, query: { limit: 200, cursor } }))

const untilBatch = ({ plane: { client } }: Fleet, { id }: Batch, what: string, is: (batch: Batch) => boolean): Promise<Batch> =>
  eventually(async () => {
    const batch = await client.call('getBatch', { params: { id } })
    assert.equal(Object.values(batch.counts).reduce((a, b) => a + b, 0), batch.total, 'the counts add up at any time')
    return is(batch) ? batch : undefined
  }, { ...patience, what })

const over = ({ counts }: Batch) => counts.done + counts.failed + counts.refused + counts.cancelled

/** One set of settings for all: renewal by itself, and rollback, without which nothing would be put back. */
async function configureAll(fleet: Fleet): Promise<void> {
  const { plane: { client }, members } = fleet
  const preview = await client.call('createBulkChange', { body: { selection: { certificateIds: members.map((m) => m.id) }, parts: { renewal: { enabled: true, daysBefore: 21 }, rollback: true } } })
  const untilState = (state: BulkChange['state']) => eventually(async () => {
    const change = await client.call('getBulkChange', { params: { id: preview.id } })
    return change.state === state ? change : undefined
  }, { ...patience, what: `a bulk change that is ${state}` })
  const previewed = await untilState('previewed')
  assert.deepEqual([previewed.total, previewed.counts.ready], [count, count])
  for (const item of await changesOf(fleet, previewed)) {
    assert.deepEqual(Object.fromEntries(item.changes.map(({ field, before, after }) => [field, [before, after]])), { 'renewal.daysBefore': [30, 21], 'renewal.enabled': [false, true], 'rollback': [false, true] }, item.certificateName)
  }
  assert.equal((await client.call('getCertificate', { params: { id: members[0]?.id ?? 'crt_' } })).configuration?.rollback, false, 'a preview changes nothing')
  await client.call('applyBulkChange', { params: { id: preview.id } })
  const applied = await untilState('applied')
  assert.equal(applied.counts.applied, count)
}

/** A bot and the control plane are killed and started again while the batch runs. */
async function rotateAll(t: TestContext, fleet: Fleet): Promise<Batch> {
  const { plane, bots: [bot], members } = fleet
  assert.ok(bot)
  const started = await plane.client.call('createBatch', { body: { action: 'rotate', selection: { certificateIds: members.map((m) => m.id) } } })
  assert.equal(started.total, count)
  await untilBatch(fleet, started, 'a tenth', (batch) => over(batch) >= count * 0.1)
  await bot.kill()
  await untilBatch(fleet, started, 'a fifth, without the bot', (batch) => over(batch) >= count * 0.2)
  await bot.restart()
  const { counts } = await untilBatch(fleet, started, 'two fifths', (batch) => over(batch) >= count * 0.4)
  t.diagnostic(`the control plane is killed at ${JSON.stringify(counts)}`)
  await plane.kill()
  await plane.restart()
  return untilBatch(fleet, started, 'the end of the batch', ({ state }) => state === 'done')
}

const known = ({ plane: { client } }: Fleet): Promise<Map<string, CertificateDetail>> => all((cursor) => client.call('listCertificates', { query: { limit: 200, cursor } }))
  .then((summaries) => inParallel(summaries, 8, ({ id }) => client.call('getCertificate', { params: { id } })))
  .then((details) => new Map(details.map((detail) => [detail.id, detail])))

/** Files, handshake and control plane are of one mind about this one. */
async function checkMember(fleet: Fleet, member: Member, detail: CertificateDetail | undefined, statuses: readonly CertificateStatus[]): Promise<void> {
  assert.ok(detail, member.name)
  const isDeployed = detail.status === 'deployed'
  assert.ok(statuses.includes(detail.status), `${member.name} is ${detail.status}: ${detail.statusReason}`)
  const fingerprint = await onDisk(member)
  assert.equal(fingerprint, isDeployed ? detail.fingerprint : fleet.first.fingerprint, `${member.name}: what lies in its folder`)
  if (member.isServed) assert.equal(await served(fleet.port, member.name), fingerprint, `${member.name}: what is served`)
  const [installation, ...others] = detail.installations
  assert.deepEqual(others, [], member.name)
  if (isDeployed) assert.deepEqual([installation?.fingerprint, installation?.state], [fingerprint, 'in-sync'], member.name)
  else assert.notEqual(installation?.state, 'in-sync', member.name)
  if (isDeployed) assert.ok(detail.nextRenewalAt, `${member.name}: when it is renewed`)
}

interface OrderRow { id: string; certificateId: string; actionId: string; state: string; fingerprint: string | null }

/** Every order was answered by one certificate of the CA, and the CA signed nothing else. */
function checkOrders({ plane }: Fleet, expected: ReadonlyMap<string, number>): void {
  const orders = rows<OrderRow>(plane, 'select o.id, o."certificateId", o."actionId", o.state, v.fingerprint from "certificateOrder" o left join "certificateVersion" v on v."orderId" = o.id')
  assert.deepEqual(orders.filter((o) => o.state !== 'complete'), [])
  assert.equal(new Set(orders.map((o) => o.actionId)).size, orders.length, 'one order for each action')
  const perCertificate = new Map<string, number>()
  for (const { certificateId } of orders) perCertificate.set(certificateId, (perCertificate.get(certificateId) ?? 0) + 1)
  assert.deepEqual(perCertificate, expected, 'one order for each attempt')
  const issued = rows<{ reference: string; fingerprint: string; status: string }>(plane, "select reference, fingerprint, status from ca_certificate where profile = 'server'").filter(({ reference }) => reference.startsWith('ord_'))
  assert.deepEqual(issued.map((i) => `${i.reference} ${i.fingerprint} ${i.status}`).toSorted(), orders.map((o) => `${o.id} ${o.fingerprint} good`).toSorted())
}

/** Nothing is under way, anywhere. */
async function checkQuiet({ plane, bots }: Fleet): Promise<void> {
  await eventually(() => openTasks(plane).length === 0, { what: 'no open task' }).catch(() => assert.deepEqual(openTasks(plane), []))
  assert.deepEqual(rows(plane, 'select id, state from action where "endedAt" is null'), [])
  assert.deepEqual(rows(plane, "select id, state from deployment where state not in ('deployed', 'failed', 'rolled-back', 'cancelled')"), [])
  // A journal is closed before its result is told, so none of those told is open.
  for (const bot of bots) assert.deepEqual(await openJournals(bot.dataFolder), [], `journals of ${bot.id}`)
}

/** What became of the first attempt: all that refuse were rolled back, and at most the one that the bot was killed in beside them. */
async function checkFirst(t: TestContext, fleet: Fleet, batch: Batch): Promise<{ failed: readonly Member[]; details: ReadonlyMap<string, CertificateDetail> }> {
  const { members, bots } = fleet
  const items = new Map((await itemsOf(fleet, batch)).map((item) => [item.certificateId, item]))
  assert.equal(items.size, count)
  const failed = members.filter((m) => items.get(m.id)?.state === 'failed')
  const unlucky = failed.filter((m) => !m.refuses)
  const errors = unlucky.map((m) => `${m.name}: ${items.get(m.id)?.error?.message}`).join('; ')
  t.diagnostic(`${failed.length - unlucky.length} refused, ${unlucky.length} undone since the bot was killed. ${errors}`)
  assert.deepEqual(failed.filter((m) => m.refuses), members.filter((m) => m.refuses))
  // A bot carries out one deployment after the other.
  assert.ok(unlucky.length <= 1 && unlucky.every((m) => m.bot === bots[0]), errors)
  assert.deepEqual(batch.counts, { waiting: 0, running: 0, done: count - failed.length, failed: failed.length, refused: 0, cancelled: 0 })
  for (const [id, { attempts, certificateName, error }] of items) {
    assert.equal(attempts, 1, certificateName)
    if (failed.some((m) => m.id === id && m.refuses)) assert.equal(error?.code, 'RELOAD_FAILED', certificateName)
  }
  await checkQuiet(fleet)
  const details = await known(fleet)
  for (const member of members) await checkMember(fleet, member, details.get(member.id), statusesAfter(member, failed))
  return { failed, details }
}

function statusesAfter(member: Member, failed: readonly Member[]): readonly CertificateStatus[] {
  if (!failed.includes(member)) return ['deployed']
  return member.refuses ? ['rolled-back'] : ['rolled-back', 'deployment-failed']
}

/** The second attempt: what failed was issued and deployed once more, and nothing else was touched. */
async function checkSecond(fleet: Fleet, batch: Batch, { failed, details }: Awaited<ReturnType<typeof checkFirst>>): Promise<void> {
  assert.deepEqual(batch.counts, { waiting: 0, running: 0, done: count, failed: 0, refused: 0, cancelled: 0 })
  const again = new Set(failed.map((m) => m.id))
  for (const item of await itemsOf(fleet, batch)) assert.equal(item.attempts, again.has(item.certificateId) ? 2 : 1, item.certificateName)
  await checkQuiet(fleet)
  const after = await known(fleet)
  for (const member of fleet.members) {
    await checkMember(fleet, member, after.get(member.id), ['deployed'])
    const [was, is] = [details.get(member.id)?.fingerprint, after.get(member.id)?.fingerprint]
    assert.equal(was === is, !again.has(member.id), `${member.name}: only what failed was issued again`)
  }
  checkOrders(fleet, new Map(fleet.members.map((m) => [m.id, again.has(m.id) ? 2 : 1])))
}

test(`${count} certificates configured at once and rotated as a batch, with a bot and the control plane killed and reloads that fail`, { timeout: 120_000 + count * 900 }, async (t) => {
  const began = performance.now()
  const timed = async <R>(what: string, work: Promise<R>): Promise<R> => {
    const from = performance.now()
    const result = await work
    t.diagnostic(`${what}: ${((performance.now() - from) / 1000).toFixed(1)} s`)
    return result
  }
  const settings = { rollback: false, renewal: { enabled: false, daysBefore: 30, time: '03:00', zone: 'UTC' } }
  const fleet = await timed('control plane, bots and certificates', startFleet(t, await tempFolder(t, 'fleet'), { count, served: 10, refusesEvery, configuration: settings }))
  await timed('configured at once', configureAll(fleet))
  const first = await timed('rotated', rotateAll(t, fleet))
  const outcome = await timed('looked at', checkFirst(t, fleet, first))
  await fleet.mend()
  await fleet.plane.client.call('retryBatch', { params: { id: first.id } })
  const second = await timed('tried again', untilBatch(fleet, first, 'the end of the second attempt', ({ state }) => state === 'done'))
  await timed('looked at', checkSecond(fleet, second, outcome))
  t.diagnostic(`${count} certificates in ${((performance.now() - began) / 1000).toFixed(0)} s`)
})
