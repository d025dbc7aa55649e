import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Batch, BatchItem, BulkItem } from '../../packages/api-client/src/index.ts'
import { tempFolder } from '../../packages/test-kit/src/index.ts'
import { jsonOf, startLoop } from './kit.ts'

const timeout = 240_000

test('three certificates are configured and rotated together; the one that fails is told, mended and tried again', { timeout }, async (t) => {
  const { cli, client } = await startLoop(t)
  const { items: [bot] } = await client.call('listBots')
  const folder = await tempFolder(t, 'targets')
  const [authority] = (await client.call('listAuthorities')).items
  const ids: string[] = []
  for (const file of ['a', 'b', 'missing/c']) {
    const { id } = await client.call('createCertificate', { body: { names: [`${file.at(-1)}.many.test`] } })
    ids.push(id)
    await client.call('setConfiguration', {
      params: { id },
      body: {
        complete: false, authorityId: authority?.id ?? null, csr: { commonName: null, names: [], keyAlgorithm: 'ec-256', keyReuse: false, validityDays: null }, renewal: { enabled: true, daysBefore: 30, time: '03:00', zone: 'UTC' },
        targets: [{ botId: bot?.id ?? 'bot_', serverType: 'files', fields: { certificatePath: join(folder, `${file}.crt`), keyPath: join(folder, `${file}.key`) } }], deployAfterRenewal: true, rollback: true, approval: 'automatic',
      },
    })
  }

  // One preview is dropped; nothing was changed by it.
  assert.equal((await cli.run('bulk', 'preview', 'a.many.test', '--no-renewal')).code, 0)
  assert.match((await cli.run('bulk', 'discard', 'newest')).stdout, /State: +discarded/)
  const preview = await cli.run('bulk', 'preview', '--search', 'many.test', '--complete', '--renew-days', '20', '--deploy', 'weekly sat 02:00 +4h', '--zone', 'Europe/Berlin')
  assert.equal(preview.code, 0, preview.stderr)
  assert.match(preview.stdout, /Sets: .*renewal\.daysBefore: 20[^]*3 certificates ready: a\.many\.test, b\.many\.test, c\.many\.test\n +FIELD +BEFORE +AFTER\n +complete +false +true\n +deployment +immediately +weekly on sat at 02:00 Europe\/Berlin, for 4 h\n +renewal\.daysBefore +30 +20\n/)
  assert.match(preview.stderr, /previewed: 3 ready\nNothing is changed yet\. To change 3 certificates: certloop bulk apply blk_/)
  const unasked = await cli.run('bulk', 'apply', 'newest', '--follow')
  assert.equal(unasked.code, 2, 'silence is no yes')
  assert.match(unasked.stderr, /Change the configuration of 3 certificates\?[^]*give --yes/)
  const applied = await cli.run('bulk', 'apply', 'newest', '--follow', '--yes')
  assert.equal(applied.code, 0, applied.stderr)
  assert.match(applied.stdout, /State: +applied\n[^]*Certificates: 3: 3 applied/)
  // What somebody changed since is left alone when the whole is taken back.
  assert.equal((await cli.run('certificate', 'configure', 'a.many.test', '--renew-days', '10')).code, 0)
  const undone = await cli.run('bulk', 'undo', 'newest', '--follow', '--yes')
  assert.equal(undone.code, 1)
  assert.match(undone.stderr, /1 certificate of 3 kept the configuration they had/)
  const items = jsonOf<{ items: BulkItem[] }>(await cli.run('bulk', 'show', 'newest', '--json')).items
  assert.deepEqual(items.map(({ state }) => state), ['changed-since', 'undone', 'undone'])
  assert.match((await cli.run('bulk', 'list')).stdout, /undone[^]*discarded/)
  assert.equal((await cli.run('bulk', 'preview', 'b.many.test', ids[2] ?? '', '--complete', '--json')).code, 0)
  assert.equal((await cli.run('bulk', 'apply', 'newest', '--follow', '--yes')).code, 0)

  await writeFile(join(cli.home, 'list.txt'), `# all of them\n${ids.join('\n')}\n`)
  const started = await cli.run('batch', 'start', 'rotate', '--list', 'list.txt', '--at-a-time', '2', '--per-host', '1', '--follow')
  assert.equal(started.code, 1, started.stdout)
  assert.match(started.stderr, /\d\d:\d\d:\d\d {2}rotate: \d of 3; .*\n[^]*rotate: 3 of 3; 2 done, 1 failed\n[^]*The batch is done; 2 of 3 certificates done, 1 failed\.\n[^]*certloop batch retry bat_/)
  assert.match(started.stdout, /At a time: +2; 20 for an authority, 10 for a bot, 1 for a host\n[^]*Not done\n.*\n {2}c\.many\.test +failed +1 .*\(\w+\) +act_/)
  assert.match(await readFile(join(folder, 'a.crt'), 'utf8'), /BEGIN CERTIFICATE/)
  const failed = jsonOf<{ items: BatchItem[] }>(await cli.run('batch', 'show', 'newest', '--state', 'failed', '--json'))
  assert.deepEqual(failed.items.map(({ certificateName }) => certificateName), ['c.many.test'])

  await mkdir(join(folder, 'missing'))
  const retried = await cli.run('batch', 'retry', 'newest', '--follow', '--json')
  assert.deepEqual(jsonOf<Batch>(retried).counts, { waiting: 0, running: 0, done: 3, failed: 0, refused: 0, cancelled: 0 })
  assert.equal(retried.stderr, '', 'with --json nothing but the answer')
  const refused = await cli.run('batch', 'start', 'resume', '--search', 'many.test', '--follow')
  assert.equal(refused.code, 1)
  assert.match(refused.stdout, /Not done\n.*\n {2}a\.many\.test +refused/)
  assert.match((await cli.run('batch', 'list', '--state', 'done')).stdout, /resume +done +3: 3 refused[^]*rotate +done +3: 3 done/)
})
