import type { DriverContext, Host, HostProcess } from '@certloop/plugin-kit'
import { selfSignedPair, startTomcat, tomcatLeftOut } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { chmod, chown } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { context, driverOf, planMaterial } from '../kit/kit.ts'
import { detectAt, pemFiles, slotOf } from './tomcat-kit.ts'

const skip = await tomcatLeftOut('10')

/** This machine, where `pid` lies in shop.service, the main process of which is `mainPid`. */
function withUnit(pid: number, mainPid: number, change: (entry: HostProcess) => Partial<HostProcess> = () => ({})): DriverContext {
  const host: Host = Object.assign(Object.create(context.host) as Host, {
    processes: async () => (await context.host.processes()).map((entry) => ({ ...entry, ...(entry.pid === pid ? { service: 'shop.service' } : {}), ...change(entry) })),
    run: async (argv: readonly string[], options?: Parameters<Host['run']>[1]) => (argv[0] === 'systemctl'
      ? { exitCode: 0, stdout: `MainPID=${mainPid}\n`, stderr: '', truncated: false, durationMs: 1 }
      : context.host.run(argv, options)),
  } satisfies Partial<Host>)
  return { ...context, host }
}

test('a unit is restarted only where Tomcat or what launched it is its main process: else it is that of a build server or cron', { skip }, async (t) => {
  const [old, next] = await Promise.all([selfSignedPair(['one.test']), selfSignedPair(['one.test'])])
  const tomcat = await startTomcat(t, { connectors: async ({ base, ports }) => `<Connector port="${ports[0]}" address="127.0.0.1" SSLEnabled="true"><SSLHostConfig><Certificate ${await pemFiles(base, 'one', old)} /></SSLHostConfig></Connector>` })
  const { fields } = slotOf(await detectAt(tomcat.base), '_default_')
  const [driver, pid] = [await driverOf('tomcat'), await tomcat.pid()]
  const commands = async (at: DriverContext) => (await driver.plan(at, fields, planMaterial(next))).steps.flatMap((step) => (step.kind === 'reload-service' ? [step.argv.slice(-2).join(' ').replace(/^.*\//, '')] : []))
  assert.deepEqual(await commands(withUnit(pid, pid)), ['restart shop.service'])
  assert.deepEqual(await commands(withUnit(pid, 4711)), ['catalina.sh stop', 'catalina.sh start'], 'the unit is that of whoever started it')
  const parent = (executable: string) => (entry: HostProcess) => (entry.pid === pid ? { parentPid: 4_000_001 } : entry.pid === process.pid ? { pid: 4_000_001, executable, service: 'shop.service' } : {})
  assert.deepEqual(await commands(withUnit(pid, 4_000_001, parent('/usr/bin/jsvc'))), ['restart shop.service'])
  assert.deepEqual(await commands(withUnit(pid, 4_000_001, parent('/usr/sbin/cron'))), ['catalina.sh stop', 'catalina.sh start'])
  // As if 127.0.0.1 were an address that the machine has only when its neighbour fails.
  const without: DriverContext = { ...context, host: Object.assign(Object.create(context.host) as Host, {
    readFile: async (file: string, limit?: number) => (file === '/proc/net/fib_trie' ? Buffer.from(' |-- 192.0.2.1\n    /32 host LOCAL\n') : context.host.readFile(file, limit)),
  } satisfies Partial<Host>) }
  await assert.rejects(driver.plan(without, fields, planMaterial(next)), { code: 'PLACE_UNSUPPORTED', message: /listens on 127\.0\.0\.1, which is not an address of this machine now/ })
})

test('a key that Tomcat reads through a further group is its own; a start by the bot, which has not that group, is refused', { skip: skip || (process.getuid?.() === 0 ? false : 'needs root') }, async (t) => {
  const [old, next] = await Promise.all([selfSignedPair(['one.test']), selfSignedPair(['one.test'])])
  const tomcat = await startTomcat(t, { connectors: async ({ base, ports }) => `<Connector port="${ports[0]}" address="127.0.0.1" SSLEnabled="true"><SSLHostConfig><Certificate ${await pemFiles(base, 'one', old)} /></SSLHostConfig></Connector>` })
  const { fields } = slotOf(await detectAt(tomcat.base), '_default_')
  const [driver, pid, further] = [await driverOf('tomcat'), await tomcat.pid(), 64_123]
  const key = join(tomcat.base, 'conf/one.key')
  await chown(key, 0, further)
  await chmod(key, 0o640)
  /** As if its account were in that group. */
  const member = (at: DriverContext): DriverContext => ({ ...at, host: Object.assign(Object.create(at.host) as Host, {
    readFile: async (file: string, limit?: number) => {
      const content = await at.host.readFile(file, limit)
      return file === `/proc/${pid}/status` ? Buffer.from(Buffer.from(content ?? []).toString('latin1').replace(/^Groups:.*$/m, `Groups:\t${further} `)) : content
    },
  } satisfies Partial<Host>) })
  await assert.rejects(driver.plan(withUnit(pid, pid), fields, planMaterial(next)), { code: 'PLAN_FAILED', message: /can not be read by it/ })
  assert.deepEqual((await driver.plan(member(withUnit(pid, pid)), fields, planMaterial(next))).steps.map(({ kind }) => kind), ['write-file', 'write-file', 'reload-service', 'prove'])
  await assert.rejects(driver.plan(member(context), fields, planMaterial(next)), { code: 'PLAN_FAILED', message: /has further groups \(64123\), which a start by the bot would lose/ })
})
