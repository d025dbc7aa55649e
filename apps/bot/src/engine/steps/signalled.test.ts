import type { ReloadServiceStep } from '@certloop/contract'
import { eventually, startProcess } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { localHost } from '../../../test/engine/engine-kit.ts'
import { commandFor } from './signalled.ts'

/** A process with a word of its own in its command line. */
async function started(t: TestContext, word: string) {
  const { pid } = await startProcess(t, [process.execPath, '-e', 'process.on("SIGUSR2", () => {}); setInterval(() => {}, 1e6)', word])
  const entry = await eventually(async () => (await localHost.processes()).find((one) => one.pid === pid && one.argv.includes(word)))
  return { pid, entry }
}

test('a command names the process that it was planned for, its successor, and never another', async (t) => {
  const word = `certloop-signalled-${process.pid}`
  const { pid, entry: { uid, name, executable } } = await started(t, word)
  const step = (planned: number, more = {}): ReloadServiceStep =>
    ({ kind: 'reload-service', service: 'x', argv: ['/bin/kill', '-USR2', String(planned)], timeoutSeconds: 5, process: { pid: planned, uid, name, executable, arguments: [word], ...more } })
  const refused = (asked: ReloadServiceStep, message: RegExp) => assert.rejects(commandFor(localHost, asked), { code: 'RELOAD_FAILED', message })
  assert.deepEqual(await commandFor(localHost, step(pid)), ['/bin/kill', '-USR2', String(pid)])
  // The id is by now that of this very process, which is no such server.
  assert.deepEqual(await commandFor(localHost, step(process.pid)), ['/bin/kill', '-USR2', String(pid)], 'the successor')
  await refused(step(pid, { arguments: [word, 'another.cfg'] }), /no other one is/)
  await refused(step(pid, { uid: uid + 1 }), /no other one is/)
  await refused(step(pid, { executable: '/usr/sbin/other' }), /no other one is/)
  await started(t, word)
  assert.deepEqual(await commandFor(localHost, step(pid)), ['/bin/kill', '-USR2', String(pid)])
  await refused(step(process.pid), /2 others look like it/)
})
