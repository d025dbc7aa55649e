import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { createClient } from '../../packages/api-client/src/index.ts'
import { tempFolder } from '../../packages/test-kit/src/index.ts'
import { createCli, firstToken, servedFingerprint, startPlane, startSite, withoutNginx } from './kit.ts'

test('a control plane that stops and comes back does not end the following', { skip: withoutNginx(), timeout: 300_000 }, async (t) => {
  const data = join(await tempFolder(t, 'plane'), 'data')
  const first = await startPlane(t, { data })
  const token = await firstToken(first, 'a password of the tests')
  const cli = await createCli(t, { CERTLOOP_URL: first.url, CERTLOOP_TOKEN: token })
  const name = 'interrupted.cli.test'
  const site = await startSite(t, name)
  const { items: [bot] } = await createClient({ baseUrl: first.url, token }).call('listBots')
  assert.equal((await cli.run('bot', 'scan', bot?.name ?? '', '--wait')).code, 0)
  assert.equal((await cli.run('certificate', 'configure', name, '--target-from-scan', '--approval', 'manual')).code, 0)
  const following = await cli.start('certificate', 'rotate', name, '--wait')
  await following.waitFor(/certloop deployment approve/, 60_000)
  await first.stop()
  await following.waitFor(/does not answer; still waiting/, 60_000)
  await startPlane(t, { data, port: Number(new URL(first.url).port) })
  const approved = await cli.run('deployment', 'approve', name, '--yes')
  assert.equal(approved.code, 0, approved.stderr)
  assert.deepEqual(await following.ended, { code: 0, signal: null }, following.output())
  assert.notEqual(await servedFingerprint(site.nginx.ports[0] ?? 0, name), site.fingerprint)
  assert.equal(following.stderr().match(/"rotate" was started/g)?.length, 1, 'no step is told twice')
})
