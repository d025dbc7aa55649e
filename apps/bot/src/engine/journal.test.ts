import { type DeployResult, newId, sealPlan } from '@certloop/contract'
import { tempFolder } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openJournal, readRecords, writeFirstRecord } from './journal.ts'
import { createSealer } from './sealing.ts'

const at = '2026-01-01T00:00:00.000Z'
const deps = { now: () => new Date(at), point: () => undefined }

async function newJournal(t: TestContext): Promise<string> {
  const path = join(await tempFolder(t, 'journal'), 'journal.ndjson')
  const plan = sealPlan({ serverType: 'tiny', observed: [], steps: [] })
  await writeFirstRecord(path, { type: 'begin', version: 1, at, deploymentId: newId('dep', new Date()), attempt: 1, target: '', plan, rollback: true })
  return path
}

test('records are read back in order, and the file does not grow', async (t) => {
  const path = await newJournal(t)
  const size = (await stat(path)).size
  const journal = await openJournal(path, deps)
  journal.note({ type: 'staged' })
  await journal.append({ type: 'begun', step: 0 })
  await journal.close()
  assert.deepEqual((await readRecords(path)).records.map((r) => r.type), ['begin', 'staged', 'begun'])
  assert.deepEqual([(await stat(path)).size, (await stat(path)).mode & 0o777], [size, 0o600])
})

test('a record cut off at any byte counts as not written, and the next one takes its place', async (t) => {
  const path = await newJournal(t)
  const { end } = await readRecords(path)
  const lines = Buffer.from(`${['begun', 'done'].map((type) => JSON.stringify({ type, step: 0, at })).join('\n')}\n`)
  const size = (await stat(path)).size
  for (let cut = 0; cut < lines.length; cut++) {
    const handle = await open(path, 'r+')
    await handle.write(Buffer.concat([lines.subarray(0, cut), Buffer.alloc(size - end - cut)]), 0, size - end, end)
    await handle.close()
    const whole = lines.subarray(0, cut).toString().split('\n').length - 1
    const journal = await openJournal(path, deps)
    assert.equal(journal.records.length, 1 + whole, `cut after ${cut} bytes`)
    await journal.append({ type: 'forward' })
    await journal.close()
    assert.deepEqual((await readRecords(path)).records.slice(1 + whole).map((r) => r.type), ['forward'])
  }
})

test('a second record of a torn write is not taken for a record of its own', async (t) => {
  const path = await newJournal(t)
  const { end } = await readRecords(path)
  const handle = await open(path, 'r+')
  // The disk kept the end of a batch and lost its beginning.
  const lost = JSON.stringify({ type: 'forward', at }).length + 1 // as long as what is written there next
  await handle.write(`${'\0'.repeat(lost)}${JSON.stringify({ type: 'closed', at })}\n`, end)
  await handle.close()
  const journal = await openJournal(path, deps)
  await journal.append({ type: 'forward' })
  await journal.close()
  assert.deepEqual((await readRecords(path)).records.map((r) => r.type), ['begin', 'forward'])
})

test('a result is cut down to the space that is left', async (t) => {
  const path = await newJournal(t)
  const journal = await openJournal(path, deps)
  const entry = { at, step: 0, phase: 'do', ok: true, message: 'done', output: 'x'.repeat(8000), durationMs: 1 } as const
  const result = (lines: number): DeployResult => ({ outcome: 'deployed', touched: true, error: null, differences: [], inspection: null, log: Array.from({ length: lines }, () => entry) })
  assert.deepEqual(journal.fitting(result(3)), result(3))
  const size = (await stat(path)).size
  for (const lines of [40, 2000]) {
    const fitted = journal.fitting(result(lines))
    assert.ok(Buffer.byteLength(JSON.stringify(fitted)) < size)
    assert.ok(fitted.log.length > 0)
  }
  await journal.append({ type: 'outcome', keeps: 'new', unclean: [], result: journal.fitting(result(2000)) })
  await journal.append({ type: 'closed' })
  await journal.close()
  assert.equal((await stat(path)).size, size)
})

test('what is sealed opens with the same key and about the same thing only', async (t) => {
  const folder = await tempFolder(t, 'seal')
  const sealed = await createSealer(folder).seal('a', 'the old key')
  assert.ok(!sealed.includes('old key'))
  assert.equal(await createSealer(folder).open('a', sealed), 'the old key')
  await assert.rejects(createSealer(folder).open('b', sealed), { code: 'BACKUP_FAILED' })
  const bytes = Buffer.from(sealed, 'base64')
  bytes[30] = (bytes[30] ?? 0) ^ 1
  await assert.rejects(createSealer(folder).open('a', bytes.toString('base64')), { code: 'BACKUP_FAILED' })
  assert.equal((await stat(join(folder, 'seal.key'))).mode & 0o777, 0o600)
  assert.equal(Buffer.from(await readFile(join(folder, 'seal.key'), 'utf8'), 'base64').length, 32)
})
