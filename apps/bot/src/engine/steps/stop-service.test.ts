import { type ReloadServiceStep, sealPlan } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StepContext } from './executor.ts'
import { reloadService } from './reload-service.ts'

const step: ReloadServiceStep = { kind: 'reload-service', service: 'Tomcat', argv: ['/x/catalina.sh', 'stop'], frees: [8443, 8080], timeoutSeconds: 1 }

/** A stop that ends with this exit code, and on whose ports something listens for so many looks. */
function stopping(exitCode: number, looks: number) {
  const seen = { looks: 0 }
  const host = {
    run: async () => ({ exitCode, stdout: '', stderr: '', truncated: false, durationMs: 1 }),
    listeners: async () => (++seen.looks <= looks ? [{ address: '::', port: 8443, pid: 1, inode: '1' }] : [{ address: '::', port: 22, pid: 2, inode: '2' }]),
  } as unknown as Host
  const context = { host, plan: sealPlan({ serverType: 'tomcat', observed: [], steps: [step] }), index: 0, troubled: true, quick: false } as unknown as StepContext
  return { seen, done: async () => reloadService.do(context, step) }
}

test('a stop is over when its ports are free, and not before', async () => {
  const { seen, done } = stopping(0, 2)
  assert.match((await done()).message, /stop of Tomcat/)
  assert.equal(seen.looks, 3)
  await assert.rejects(stopping(0, Infinity).done(), { code: 'RELOAD_FAILED', message: /still listens on port 8443 after 1 s/ })
})

test('what did not run needs no stop; one that can not be stopped is told in the words of the command', async () => {
  assert.match((await stopping(1, 0).done()).message, /did not run/)
  await assert.rejects(stopping(1, Infinity).done(), { code: 'RELOAD_FAILED', message: /exit code 1: \/x\/catalina.sh stop/ })
})
