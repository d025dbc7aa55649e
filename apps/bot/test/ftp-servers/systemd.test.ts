import type { DriverContext, Host } from '@certloop/plugin-kit'
import { leftOut, selfSignedPair, startVsftpd, tempFolder, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { context, detect, driverOf, planMaterial, slotOf } from '../mail/mail-kit.ts'

const skip = process.getuid?.() === 0 ? leftOut('vsftpd') : 'vsftpd starts only as root'

/** This machine, with a systemd that says that `pid` lies in a unit of which `mainPid` is the main process. */
function withUnit(pid: number, mainPid: number): DriverContext {
  const host: Host = Object.assign(Object.create(context.host) as Host, {
    processes: async () => (await context.host.processes()).map((entry) => (entry.pid === pid ? { ...entry, service: 'ftp@one.service' } : entry)),
    run: async (argv: readonly string[], options?: Parameters<Host['run']>[1]) => (argv[0] === 'systemctl'
      ? { exitCode: 0, stdout: `MainPID=${mainPid}\n`, stderr: '', truncated: false, durationMs: 1 }
      : context.host.run(argv, options)),
  } satisfies Partial<Host>)
  return { ...context, host }
}

test('a server is restarted through systemd only as the main process of its unit: another unit may just have started it', { skip }, async (t) => {
  const old = await writePair(await tempFolder(t, 'pairs'), 'one', await selfSignedPair(['one.test']))
  const vsftpd = await startVsftpd(t, { settings: { ssl_enable: 'YES', rsa_cert_file: old.certPath, rsa_private_key_file: old.keyPath } })
  const { fields } = slotOf(await detect('vsftpd', vsftpd.configPath), 'one.crt')
  const [driver, pid, next] = [await driverOf('vsftpd'), await vsftpd.pid(), planMaterial(await selfSignedPair(['one.test']))]
  const { steps } = await driver.plan(withUnit(pid, pid), { ...fields, sudo: true }, next)
  assert.deepEqual(steps.flatMap((step) => (step.kind === 'reload-service' ? [[step.service, step.argv, step.start, step.script, step.runAs]] : [])), [
    ['ftp@one.service', ['sudo', '-n', 'systemctl', 'restart', 'ftp@one.service'], ['sudo', '-n', 'systemctl', 'start', 'ftp@one.service'], undefined, undefined],
  ])
  await assert.rejects(driver.plan(withUnit(pid, pid + 1), fields, next), { code: 'PLAN_FAILED', message: /is not the main process of a systemd unit/ })
})
