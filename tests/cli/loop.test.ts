import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { Action, CertificateDetail, CertificateSummary, Configuration } from '../../packages/api-client/src/index.ts'
import { runProcess } from '../../packages/test-kit/src/index.ts'
import { jsonOf, servedFingerprint, startLoop, startSite, withoutNginx, type Loop } from './kit.ts'

const skip = withoutNginx()
const timeout = 240_000

interface Scene extends Loop { site: Awaited<ReturnType<typeof startSite>>; bot: string }

/** An nginx that the bot has found. The machine may run others: only the one with this name is touched. */
async function foundSite(t: TestContext, name: string): Promise<Scene> {
  const loop = await startLoop(t)
  const site = await startSite(t, name)
  const { items: [own] } = await loop.client.call('listBots')
  assert.ok(own)
  const scan = await loop.cli.run('bot', 'scan', own.name, '--wait')
  assert.equal(scan.code, 0, scan.stderr)
  return { ...loop, site, bot: own.name }
}

const port = ({ site }: Scene) => site.nginx.ports[0] ?? 0

test('a server is scanned, listed, configured from the scan, rotated live, and its output kept as JSON', { skip, timeout }, async (t) => {
  const name = 'rotate.cli.test'
  const scene = await foundSite(t, name)
  const { cli, site, bot } = scene

  const bots = await cli.run('bot', 'show', bot)
  assert.match(bots.stdout, new RegExp(`${name} \\(${site.certPath}\\)`))
  const list = await cli.run('certificate', 'list', '--search', name)
  const [heading = '', row = ''] = list.stdout.split('\n')
  assert.equal(row.indexOf('expiring'), heading.indexOf('STATUS'), 'columns are aligned')
  assert.ok(!list.stdout.includes('\u001b'), 'no colour when it is not a terminal')

  const refused = await cli.run('certificate', 'rotate', name, '--wait')
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /There is no provisioning configuration yet[^]*Why: .*\(ACTION_NOT_POSSIBLE\)\n {2}What to do: .+\n {2}Where: .+/)

  const configured = await cli.run('certificate', 'configure', name, '--target-from-scan', '--bot', bot, '--authority', 'built-in ca', '--key', 'ec-384', '--renew-days', '20', '--at', '04:30', '--zone', 'Europe/Berlin')
  assert.equal(configured.code, 0, configured.stderr)
  assert.match(configured.stdout, /Renewal: +renew, 20 days before the end; checked daily at 04:30 Europe\/Berlin/)
  assert.match(configured.stdout, new RegExp(`Target 1: +nginx: ${site.certPath} on ${bot}`))

  const rotated = await cli.run('certificate', 'rotate', name, '--wait')
  assert.equal(rotated.code, 0, rotated.stderr)
  assert.match(rotated.stderr, /"rotate" was started\.[^]*Planned in \d+ steps[^]*ok {4}The configuration test passed[^]*is served on/)
  assert.match(rotated.stdout, /State: +done/)
  const served = await servedFingerprint(port(scene), name)
  assert.notEqual(served, site.fingerprint)
  assert.match(rotated.stdout, new RegExp(`Fingerprint: +${served}`))

  const again = await cli.run('certificate', 'rotate', name, '--wait', '--json')
  const action = jsonOf<Action>(again)
  assert.equal(action.state, 'done')
  assert.equal(again.stderr, '', 'with --json nothing but the answer')
  const shown = jsonOf<CertificateDetail>(await cli.run('certificate', 'show', name, '--json'))
  assert.equal(shown.fingerprint, await servedFingerprint(port(scene), name))
  assert.equal(shown.versions.length, 3)
  const recheck = await cli.run('certificate', 'recheck-pinning', shown.id, '--wait')
  assert.equal(recheck.code, 0, recheck.stderr)

  const orders = jsonOf<{ items: { id: string }[] }>(await cli.run('order', 'list', '--certificate', name, '--json'))
  assert.equal(orders.items[0]?.id, action.orderIds[0], 'newest first')
  const deployment = await cli.run('deployment', 'show', name)
  assert.match(deployment.stderr, new RegExp(`newest deployment of ${name}: ${action.deploymentIds[0]}`))
  assert.match(deployment.stdout, /Steps\n {2}1\. Replace the certificate/)
  assert.match((await cli.run('certificate', 'timeline', name)).stdout, /"rotate" was started\..*token:tests +action\.rotate/)

  const unasked = await cli.run('certificate', 'delete', name)
  assert.equal(unasked.code, 2, 'silence is no yes')
  assert.match(unasked.stderr, /nobody can be asked here: Stop tracking "[^]*give --yes/)
  assert.equal((await cli.run('certificate', 'show', name)).code, 0, 'it is still there')
  const gone = await cli.run('certificate', 'delete', name, '--yes')
  assert.equal(gone.code, 0, gone.stderr)
  assert.equal(jsonOf<{ items: CertificateSummary[] }>(await cli.run('certificate', 'list', '--search', name, '--json')).items.length, 0)
})

test('a deployment that fails ends with exit code 1 and says what, why, what to do and where', { skip, timeout }, async (t) => {
  const name = 'failing.cli.test'
  const scene = await foundSite(t, name)
  const { cli, site } = scene
  assert.equal((await cli.run('certificate', 'configure', name, '--target-from-scan')).code, 0)
  const good = await readFile(site.nginx.configPath, 'utf8')
  await writeFile(site.nginx.configPath, good.replace('return 200', 'no_such_directive 200'))
  const failed = await cli.run('certificate', 'rotate', name, '--wait')
  assert.equal(failed.code, 1, failed.stdout)
  assert.match(failed.stderr, /certloop: .*unknown directive "no_such_directive"[^]*Why: .*\(SERVER_CONFIGURATION_UNREADABLE\)\n {2}What to do: .+\n {2}Where: .+/)
  assert.match(failed.stdout, /State: +failed/)
  assert.equal(await servedFingerprint(port(scene), name), site.fingerprint)
  const asJson = await cli.run('certificate', 'deploy', name, '--wait', '--json')
  assert.equal(asJson.code, 1)
  assert.equal((JSON.parse(asJson.stdout) as Action).error?.code, 'SERVER_CONFIGURATION_UNREADABLE')
  await writeFile(site.nginx.configPath, good)
  const mended = await cli.run('certificate', 'deploy', name, '--wait')
  assert.equal(mended.code, 0, mended.stderr)
  assert.notEqual(await servedFingerprint(port(scene), name), site.fingerprint)
})

test('a plan that needs a person is waited for, shown, approved and carried out', { skip, timeout }, async (t) => {
  const name = 'approval.cli.test'
  const scene = await foundSite(t, name)
  const { cli, site } = scene
  assert.equal((await cli.run('certificate', 'configure', name, '--target-from-scan', '--approval', 'manual', '--no-rollback')).code, 0)
  const waiting = await cli.start('certificate', 'rotate', name, '--wait')
  const [, id = ''] = await waiting.waitFor(/certloop deployment approve (dep_\w+)/, 60_000)
  assert.match(waiting.stderr(), /approve its plan of \d+ steps:\n +1\. Replace/)
  assert.equal(await servedFingerprint(port(scene), name), site.fingerprint, 'nothing is touched before')
  const other = await cli.run('deployment', 'approve', id, '--digest', '0'.repeat(64))
  assert.equal(other.code, 1)
  assert.match(other.stderr, /\(CONFLICT\)/)
  const approved = await cli.run('deployment', 'approve', name, '--yes', '--wait')
  assert.equal(approved.code, 0, approved.stderr)
  assert.match(approved.stdout, /State: +deployed[^]*Rollback: +off/)
  assert.deepEqual(await waiting.ended, { code: 0, signal: null })
  assert.notEqual(await servedFingerprint(port(scene), name), site.fingerprint)
})

test('following ends at its time and at Ctrl-C; the work goes on', { skip, timeout }, async (t) => {
  const name = 'wait.cli.test'
  const { cli } = await foundSite(t, name)
  assert.equal((await cli.run('certificate', 'configure', name, '--target-from-scan', '--approval', 'manual')).code, 0)
  const late = await cli.run('certificate', 'rotate', name, '--wait', '--timeout', '1')
  assert.equal(late.code, 1)
  assert.match(late.stderr, /has not ended within 1 seconds; the work goes on/)
  assert.equal((await cli.run('deployment', 'cancel', name)).code, 0)
  const following = await cli.start('certificate', 'rotate', name, '--wait')
  await following.waitFor(/certloop deployment approve/, 60_000)
  following.kill('SIGINT')
  assert.deepEqual(await following.ended, { code: 130, signal: null })
  assert.match(following.stderr(), /No longer following; the work goes on/)
})

test('a configuration goes out to a file and back in, and an uploaded request is ordered', { skip, timeout }, async (t) => {
  const name = 'file.cli.test'
  const { cli, bot } = await foundSite(t, name)
  assert.equal((await cli.run('certificate', 'configure', name, '--target-from-scan', '--bot', bot, '--no-renewal', '--draft')).code, 0)
  const shown = jsonOf<CertificateDetail>(await cli.run('certificate', 'show', name, '--json'))
  assert.equal(shown.configuration?.complete, false)
  assert.equal(shown.configuration.renewal.enabled, false)
  const file = join(cli.home, 'config.json')
  await writeFile(file, JSON.stringify({ ...shown.configuration, complete: true, rollback: false }))
  assert.equal((await cli.run('certificate', 'configure', name, '--file', file)).code, 0)
  const saved = jsonOf<CertificateDetail>(await cli.run('certificate', 'show', name, '--json')).configuration as Configuration
  assert.deepEqual({ ...saved, updatedAt: '' }, { ...shown.configuration, complete: true, rollback: false, updatedAt: '' })
  // One option changes one thing.
  assert.equal((await cli.run('certificate', 'configure', name, '--rollback')).code, 0)
  const changed = jsonOf<CertificateDetail>(await cli.run('certificate', 'show', name, '--json')).configuration as Configuration
  assert.deepEqual({ ...changed, updatedAt: '' }, { ...saved, rollback: true, updatedAt: '' })
  await writeFile(file, JSON.stringify({ ...shown.configuration, surprise: 1 }))
  const strange = await cli.run('certificate', 'configure', name, '--file', file)
  assert.equal(strange.code, 1)
  assert.match(strange.stderr, /surprise[^]*\(INPUT_INVALID\)/)

  const csr = join(cli.home, 'request.pem')
  const openssl = await runProcess(t, ['openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(cli.home, 'key.pem'), '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`, '-out', csr])
  assert.equal(openssl.code, 0, openssl.stderr)
  const ordered = await cli.run('certificate', 'order', name, '--csr', csr, '--wait')
  assert.equal(ordered.code, 0, ordered.stderr)
  assert.match(ordered.stdout, /Issued; not deployed/)
  await writeFile(csr, 'no request')
  const bad = await cli.run('certificate', 'order', name, '--csr', csr)
  assert.equal(bad.code, 1)
  assert.match(bad.stderr, /\((CSR|PEM)_INVALID\)/)
})
