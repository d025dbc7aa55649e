import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { asSentence, CertloopError, type DnsProviderId, type OutsideLook, type ProofExpected } from '@certloop/contract'
import type { TestSteps, TextRecord } from '@certloop/plugin-kit'
import { fromJson } from '../database/columns.ts'
import type { Database } from '../database/database.ts'
import { addTask, removeTask } from '../task/task-store.ts'
import type { PlaneTaskKind } from '../task/task-kinds.ts'
import { connectorOf, type ConnectorDeps } from './connectors.ts'
import type { DnsProviderRow } from './dns-provider-store.ts'
import type { DnsRecords } from './dns-records.ts'

/** What can be seen from where an authority looks. */
export interface OutsideView {
  look(expected: ProofExpected): Promise<OutsideLook>
  /** Where the record has to be written, after the CNAME records that lead on from its name. */
  delegatedName(recordName: string): Promise<{ name: string; chain: string[] }>
}
export interface TestRecordDeps extends ConnectorDeps { database: Database; records: DnsRecords; outside: OutsideView }

export const removeTestRecordTask = 'remove-dns-test-record'
/** So long a test has; after that the record is removed by a task, whatever became of the test. */
export const longestTestMs = 180_000
const [looks, lookEveryMs] = [10, 2000]

/** Kept before anything is written, so that the record goes also when this process is killed. */
async function planRemoval({ database, now }: TestRecordDeps, providerId: DnsProviderId, record: TextRecord): Promise<string> {
  const dedupe = `${removeTestRecordTask}:${record.value}`
  await database.transaction((tx, wake) => addTask(tx, wake, { executor: 'control-plane', kind: removeTestRecordTask, subject: providerId, dedupe, payload: record, notBefore: new Date(now().getTime() + longestTestMs), maxAttempts: 100 }, now()))
  return dedupe
}

/** Writes a record as a validation of the name would, looks for it from outside and removes it. A step each. */
export async function testRecord(deps: TestRecordDeps, row: DnsProviderRow, name: string, steps: TestSteps): Promise<void> {
  const { database, records, outside } = deps
  const asked = `_acme-challenge.${name}`
  const { name: recordName } = await steps.step('Follow CNAME records', () => outside.delegatedName(asked), ({ name: led, chain }) => (chain.length === 0 ? `${asked} is written at itself.` : `${[asked, ...chain].join(' leads to ')}; the record is written at ${led}.`))
  const zone = await steps.step('Find the zone', async () => {
    const found = await (await connectorOf(deps, row)).findZone(recordName)
    if (found === undefined) throw new CertloopError('DNS_ZONE_NOT_FOUND', `"${row.name}" holds no zone for ${recordName}.`)
    return found
  }, (found) => `${recordName} lies in the zone ${found}.`)
  const record: TextRecord = { zone, name: recordName, value: randomBytes(32).toString('base64url') }
  const dedupe = await planRemoval(deps, row.id, record)
  let receipt: Readonly<Record<string, string>> | null = null
  try {
    receipt = await steps.step('Write a record', () => records.add(row.id, record), () => `${recordName} TXT "${record.value}" was taken.`)
    await steps.step('Look for it from outside', () => seenOutside(outside, asked, record.value), (seen) => seen)
  } finally {
    await steps.step('Remove the record', () => records.remove(row.id, record, receipt), () => 'It was removed; other values of the name were left alone.')
    await database.transaction((tx) => removeTask(tx, dedupe))
  }
}

async function seenOutside(outside: OutsideView, recordName: string, value: string): Promise<string> {
  let last: OutsideLook | undefined
  for (let count = 0; count < looks; count++) {
    if (count > 0) await pause(lookEveryMs)
    last = await outside.look({ kind: 'dns', recordName, recordType: 'TXT', value })
    if (last.visible) return last.findings.map(({ title, seen }) => `${title}: ${seen}`).join(' ')
  }
  const bad = last?.findings.filter(({ ok }) => !ok).map(({ title, seen }) => `${title}: ${seen}`).join(' ') ?? ''
  throw new CertloopError('VALIDATION_NOT_VISIBLE', `The record was written, and is not to be seen from outside after ${looks * lookEveryMs / 1000} s. ${asSentence(bad)}`)
}

/** Removes what a test that was cut off left behind. */
export function removeTestRecordKind({ records }: { records: DnsRecords }): PlaneTaskKind {
  return {
    async run(task) {
      try {
        await records.remove(task.subject as DnsProviderId, fromJson<TextRecord>(task.payload), null)
      } catch (error) {
        // Who removes a provider was told that nobody removes its records any more.
        if (!(error instanceof CertloopError && error.code === 'NOT_FOUND')) throw error
      }
      return async () => {}
    },
    failed: async () => {},
  }
}
