import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { Action, CertificateDetail, CsrTemplate, DeploymentDetail, Freeze, ResponseOf, Rollout } from '../../packages/api-client/src/index.ts'
import { tempFolder } from '../../packages/test-kit/src/index.ts'
import { jsonOf, startLoop, type Loop } from './kit.ts'

const timeout = 240_000
const name = 'shop.cli.test'

interface Scene extends Loop { folder: string; ok(...words: string[]): Promise<{ stdout: string; stderr: string }> }

/** A control plane with its bot, and a folder for files that it deploys to. */
async function scene(t: TestContext): Promise<Scene> {
  const loop = await startLoop(t)
  return {
    ...loop, folder: await tempFolder(t, 'targets'),
    ok: async (...words) => {
      const said = await loop.cli.run(...words)
      assert.equal(said.code, 0, `${words.join(' ')}: ${said.stderr}`)
      return said
    },
  }
}

/** A draft with one target of files for each of these names. */
async function withTargets({ client, folder }: Scene, ...files: string[]): Promise<void> {
  const { items: [bot] } = await client.call('listBots')
  const { id } = await client.call('createCertificate', { body: { names: [name] } })
  const targets = files.map((file) => ({ botId: bot?.id ?? 'bot_' as const, serverType: 'files', fields: { certificatePath: join(folder, `${file}.crt`), keyPath: join(folder, `${file}.key`) }, placement: { labels: [file], pair: null } }))
  const csr = { commonName: null, names: [], keyAlgorithm: 'ec-256', keyReuse: false, validityDays: null } as const
  await client.call('setConfiguration', { params: { id }, body: { complete: false, authorityId: null, targets, csr: { ...csr, names: [] }, renewal: { enabled: true, daysBefore: 30, time: '03:00', zone: 'UTC' }, deployAfterRenewal: true, rollback: true, approval: 'automatic' } })
}

test('all five steps are set, shown, checked and taken from a file; templates keep their versions', { timeout }, async (t) => {
  const world = await scene(t)
  const { cli, ok } = world
  await ok('template', 'create', 'servers', '--key', 'ec-256', '--allow-key', 'rsa-3072', '--domain', 'cli.test', '--subject', 'organization=Example Ltd', '--require-subject', 'country', '--longest-days', '90')
  await withTargets(world, 'one', 'two')
  const missing = await cli.run('certificate', 'check-configuration', name, '--template', 'servers', '--key', 'ec-384', '--deploy', 'weekly sat 02:00 +4h', '--zone', 'Europe/Berlin')
  assert.equal(missing.code, 1, missing.stdout)
  assert.match(missing.stdout, /The configuration is not complete\.\n\nStep "csr"\n {2}csr\/keyAlgorithm: .*\n {2}csr\/subject\/country: the template asks for it\n/)

  // A draft that lacks nothing is still a draft, and the way out of it is named.
  await ok('certificate', 'configure', name, '--draft')
  const idle = await ok('certificate', 'check-configuration', name)
  assert.match(idle.stdout, /Nothing is missing, but it is a draft\. Finish it: certloop certificate configure shop\.cli\.test\n/)
  assert.match((await cli.run('certificate', 'rotate', name)).stderr, /is a draft[^]*What to do: Finish it: certloop certificate configure shop\.cli\.test\n/)
  const warned = await ok('certificate', 'configure', name, '--draft', '--wave', 'nowhere', '--freeze', '2020-01-01 to 2020-01-02')
  assert.match(warned.stderr, /Note: --wave: no target has the label "nowhere"[^]*Note: --freeze: the period from 2020-01-01 00:00 to 2020-01-02 00:00 has passed/)
  const nowhere = await cli.run('certificate', 'configure', name, '--draft', '--deploy', 'daily 02:00 +2h', '--zone', 'Mars/Base')
  assert.match(nowhere.stderr, /--zone: "Mars\/Base" is not an IANA time zone/)
  assert.match(nowhere.stderr, /Where: +The options of "certloop certificate configure"/)
  await ok('certificate', 'configure', name, '--draft', '--rollout', 'together', '--freeze', '')

  const options = ['--template', 'servers', '--subject', 'C=DE', '--renew-by', 'regenerate', '--renew-days', '20', '--check', 'weekly sun 04:30', '--deploy', 'weekly sat 02:00 +4h', '--zone', 'Europe/Berlin',
    '--freeze', '2030-12-20 to 2031-01-04: end of the year', '--deploy-before-expiry', '3', '--canary', '1', '--wave', 'two', '--soak', '10m', '--approve-first-wave', '--on-stop', 'undo']
  const checked = await ok('certificate', 'check-configuration', name, ...options)
  assert.match(checked.stdout, /The configuration is complete\./)
  assert.equal(jsonOf<CertificateDetail>(await cli.run('certificate', 'show', name, '--json')).configuration?.complete, false, 'a check saves nothing')
  const saved = await ok('certificate', 'configure', name, ...options)
  assert.match(saved.stdout, /Template: +servers, newest version\n[^]*Subject: +country=DE\n[^]*Renewal: +regenerate, 20 days before the end; checked weekly on sun at 04:30 Europe\/Berlin\n +Deployed: +weekly on sat at 02:00 Europe\/Berlin, for 4 h\n +Freeze: +2030-12-20 00:00 to 2031-01-04 00:00 Europe\/Berlin: end of the year\n +Before expiry: +at once 3 days before the end/)
  assert.match(saved.stdout, /Rollout: +1 target first, all with label two, then the rest; each wave watched for 10 min; a person lets it go on after the first wave; stops after 1 failure and undoes all\n[^]*Target 2: +.*labels two/)
  const before = jsonOf<CertificateDetail>(await cli.run('certificate', 'show', name, '--json')).configuration
  await writeFile(join(cli.home, 'config.json'), (await ok('certificate', 'export', name)).stdout)
  await ok('certificate', 'configure', name, '--rollout', 'together', '--freeze', '', '--template', '', '--no-approve-first-wave')
  assert.match((await ok('target', 'set', name, '--target', '2', '--label', 'berlin', '--label', 'shop', '--pair', 'front')).stdout, /Target 2: +.*; labels berlin, shop; pair front/)
  const back = jsonOf<CertificateDetail>(await cli.run('certificate', 'configure', name, '--file', 'config.json', '--json')).configuration
  assert.deepEqual({ ...back, updatedAt: '' }, { ...before, updatedAt: '' }, 'a file brings back all of it')

  const first = jsonOf<ResponseOf<'getCsrTemplate'>>(await cli.run('template', 'show', 'servers', '--json'))
  await writeFile(join(cli.home, 'template.json'), JSON.stringify({ ...first, template: { ...first.template, rules: { ...first.template.rules, longestValidityDays: 60 } } }))
  const updated = await ok('template', 'update', 'servers', '--longest-days', '47', '--key', 'any')
  assert.match(updated.stdout, /Version: +2\n[^]*Used by: +1 configuration\nKey: +one of rsa-3072\n[^]*at most 47 days/)
  const stale = await cli.run('template', 'update', 'servers', '--file', 'template.json')
  assert.match(stale.stderr, /\(CONFLICT\)/)
  assert.match((await ok('template', 'show', 'servers', '--version', '1')).stdout, /Key: +ec-256, or rsa-3072\n[^]*at most 90 days\n[^]*\* +1 /)
  const used = await cli.run('template', 'delete', 'servers', '--yes')
  assert.equal(used.code, 1)
  await writeFile(join(cli.home, 'rules.json'), JSON.stringify(first.template.rules))
  assert.deepEqual(jsonOf<CsrTemplate>(await cli.run('template', 'create', 'again', '--file', 'rules.json', '--json')).rules, first.template.rules)
  assert.match((await ok('template', 'delete', 'again', '--yes')).stdout, /"again" is deleted/)

  const past = await cli.run('freeze', 'add', 'Past', '--from', '2020-01-01', '--to', '2020-01-02', '--zone', 'UTC')
  assert.deepEqual([past.code, /has passed/.test(past.stderr)], [2, true])
  const freeze = jsonOf<Freeze>(await cli.run('freeze', 'add', 'Year', '--from', '2026-01-01', '--to', '2126-01-01', '--reason', 'never', '--zone', 'UTC', '--json'))
  assert.deepEqual([freeze.from, freeze.to, freeze.isNow], ['2026-01-01T00:00', '2126-01-01T00:00', true])
  assert.match((await ok('freeze', 'change', 'year', '--to', '2026-01-02 08:00')).stdout, /From: +2026-01-01 00:00 UTC\nTo: +2026-01-02 08:00 UTC\nReason: +never\n$/)
  assert.match((await ok('freeze', 'list')).stdout, /Year +2026-01-01 00:00 +2026-01-02 08:00 +UTC +- +never/)
  assert.match((await ok('freeze', 'delete', 'Year', '--yes')).stdout, /"Year" is deleted\./)
  assert.match((await ok('server-type', 'show', 'files')).stdout, /certificatePath \(path; required\)\n[^]*keystorePassword \(secret; .*--secret keystorePassword=FILE/)
})

test('a renewal waits for its window and is cancelled; a rollout is shown by wave and undone; a deployment is undone and tried again', { timeout }, async (t) => {
  const world = await scene(t)
  const { cli, ok, client } = world
  await withTargets(world, 'one', 'two')
  const day = new Date(Date.now() + 5 * 86_400_000).toISOString().slice(0, 10)
  await ok('certificate', 'configure', name, '--rollout', 'in-order', '--deploy', `at ${day} 02:00`)
  assert.match((await ok('certificate', 'actions', name)).stdout, /rotate +yes +-\n[^]*revoke +no +\S+/)
  const rotated = await ok('certificate', 'rotate', name, '--wait')
  assert.match(rotated.stdout, /State: +done\n[^]*Rollout: +rol_\w{26}/)
  const renewing = await cli.start('certificate', 'renew', name, '--wait')
  await renewing.waitFor(new RegExp(`Waits until ${day} 0\\d:\\d\\d Europe/Berlin\\..* Ctrl-C ends the following, not the work`), 60_000)
  const shown = (await ok('certificate', 'show', name)).stdout
  assert.match(shown, new RegExp(`Status: +renewed-not-deployed\\n[^]*Running: +renew: waiting, started by token:tests\\n[^]*Waits until: +${day} 0\\d:\\d\\d Europe/Berlin\\n[^]*Next runs\\n {2}${day} 0\\d:\\d\\d Europe/Berlin +deploy`))
  assert.match(shown, /Actions\n {2}.*deploy.*\n {2}Not now: .*renew/)
  const cancelled = await ok('certificate', 'cancel', name, '--wait')
  assert.match(cancelled.stdout, /State: +cancelled/)
  assert.deepEqual(await renewing.ended, { code: 1, signal: null }, 'who followed it learns that it did not get there')
  assert.match((await cli.run('certificate', 'cancel', name)).stderr, /Nothing is running on "shop\.cli\.test"\.\n[^]*"renew", is cancelled/)

  assert.match((await ok('rollout', 'list', '--certificate', name)).stdout, /done +2 of 2 +0 /)
  const rollout = await ok('rollout', 'show', name)
  assert.match(rollout.stdout, /Possible: +undo\n[^]*Wave 1 of 2\n.*\n.*one\.crt +\S+ +deployed +one [^]*Wave 2 of 2\n.*\n.*two\.crt +\S+ +deployed +two /)
  assert.match((await ok('rollout', 'show', 'newest')).stdout, /Wave 2 of 2/)
  assert.match((await cli.run('order', 'show', 'ord_x')).stderr, /There is no order "ord_x"\./)
  const both = await cli.run('deployment', 'undo', name, '--yes')
  assert.equal(both.code, 2)
  const [, id = ''] = /(dep_\w{26}) .*one\.crt/.exec(both.stderr) ?? []
  assert.match((await ok('deployment', 'undo', id, '--yes', '--wait')).stdout, new RegExp(`State: +deployed, undoes ${id}`))
  const one = await ok('certificate', 'deploy', name, '--target', '1', '--wait', '--json')
  assert.equal((JSON.parse(one.stdout) as Action).deploymentIds.length, 1, 'one target alone')
  const undone = await ok('rollout', 'undo', name, '--yes', '--wait', '--json')
  assert.equal((JSON.parse(undone.stdout) as Rollout).state, 'undone')

  await ok('target', 'set', name, '--target', '1', '--field', `certificatePath=${join(world.folder, 'missing/x.crt')}`)
  const failed = await cli.run('certificate', 'deploy', name, '--target', '1', '--wait')
  assert.equal(failed.code, 1, failed.stdout)
  assert.match((await ok('certificate', 'show', name)).stdout, /Do next: +Make the folder with the rights[^]*Then: +certloop certificate deploy shop\.cli\.test\n/, 'the same once more would run into the same wall')
  const { items: [last] } = await client.call('listDeployments', { query: { limit: 1 } })
  const retried = await cli.run('deployment', 'retry', last?.id ?? '', '--wait')
  assert.equal(retried.code, 1, retried.stdout)
  const { items: [newest] } = await client.call('listDeployments', { query: { limit: 1 } })
  assert.notEqual(newest?.id, last?.id)
  assert.equal(jsonOf<{ deployment: DeploymentDetail }>(await cli.run('deployment', 'show', name, '--json')).deployment.id, newest?.id)

  const revoked = await ok('certificate', 'revoke', name, '--reason', 'superseded', '--yes', '--wait')
  assert.match(revoked.stdout, /Certificate: +revoked/)
  const child = jsonOf<Action>(await cli.run('certificate', 're-enrol', name, '--wait', '--json'))
  assert.match((await ok('certificate', 'show', child.certificateId)).stdout, new RegExp(`Followed by: +${name.replaceAll('.', '\\.')}, \\S+ \\(${child.childId}\\)`))
  assert.match((await ok('certificate', 'show', child.childId ?? '')).stdout, /Follows: +shop\.cli\.test/)
})
