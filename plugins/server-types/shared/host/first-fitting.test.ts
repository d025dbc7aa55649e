import { CertloopError } from '@certloop/contract'
import type { HostProcess } from '@certloop/plugin-kit'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { firstFitting } from './first-fitting.ts'

const processOf = (pid: number) => ({ pid }) as HostProcess
const unreadable = (pid: number) => new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `${pid} can not be looked at.`)

test('the first that fits counts; a problem of one that is still there is told, of one that has ended it is not', async () => {
  const look = async ({ pid }: HostProcess) => {
    if (pid === 2) throw unreadable(pid)
    return pid === 3 ? 'three' : undefined
  }
  assert.equal(await firstFitting(async () => [1, 2, 3].map(processOf), look), 'three')
  assert.equal(await firstFitting(async () => [1].map(processOf), look), undefined)
  await assert.rejects(firstFitting(async () => [1, 2].map(processOf), look), { code: 'SERVER_CONFIGURATION_UNREADABLE', message: '2 can not be looked at.' })
  const lists = [[1, 2], [1]]
  assert.equal(await firstFitting(async () => (lists.shift() ?? []).map(processOf), look), undefined)
})
