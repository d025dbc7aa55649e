import { overlaid } from '@certloop/plugin-kit/conformance'
import { leftOut, tempFolder } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { cp, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { runEngine } from '../engine/crash-harness.ts'
import { testEngine } from '../engine/engine-kit.ts'
import { assertWhole, nginxScene, planned, request, reset, type Scene } from '../engine/scene.ts'
import { cutOff } from './bench.ts'
import { local } from './reach.ts'
import { severable } from './severed.ts'

/** Whatever differs from one deployment to the next, ids, times and salts, taken out. */
async function remains(scene: Scene, folder: string) {
  const [journal = ''] = await readdir(join(folder, 'journals')).catch(() => [])
  const text = journal === '' ? '' : await readFile(join(folder, 'journals', journal, 'journal.ndjson'), 'utf8').catch(() => '')
  const records = text.replaceAll('\0', '').split('\n').filter(Boolean).map((line) => JSON.parse(line) as { type: string; step?: number; keeps?: string; result?: { outcome: string } })
  const side = async (name: string) => {
    const content = (await readFile(join(scene.pairFolder, name), 'utf8')).trim()
    return Object.entries({ old: scene.old, next: scene.next }).find(([, pair]) => [pair.certPem.trim(), pair.keyPem.trim()].includes(content))?.[0] ?? 'something else'
  }
  const names = (await readdir(scene.pairFolder)).toSorted()
  return {
    records: records.map(({ type, step, keeps, result }) => [type, step, keeps, result?.outcome].filter((part) => part !== undefined).join(' ')),
    stored: journal === '' ? [] : (await readdir(join(folder, 'journals', journal))).toSorted(),
    files: Object.fromEntries(await Promise.all(names.map(async (name) => [name.replace(/certloop-[0-9a-f]{10}/, 'certloop-ID'), await side(name)]))),
  }
}

test('an engine that is cut off leaves what a killed process leaves, and its successor ends it on the same side', { skip: leftOut('nginx'), timeout: 300_000 }, async (t) => {
  const scene = await nginxScene(t)
  const copies = await tempFolder(t, 'copies')
  const plan = await planned(scene)
  for (const point of ['stage-1:before', 'do-0:before', 'do-0:after', 'do-1:after', 'do-3:after', 'do-4:after', 'clean-1:after']) {
    await reset(scene)
    assert.ok((await runEngine(scene, await request(scene, { plan }), point)).killed, point)
    const killed = await remains(scene, scene.folder)
    await testEngine(scene.folder).recover()
    const side = await assertWhole(scene)

    await reset(scene)
    const copy = join(copies, point.replace(':', '-'))
    await mkdir(copy)
    const whole = join(copies, 'whole')
    await cp(scene.folder, whole, { recursive: true })
    await cutOff({ folder: whole, copy, point, host: local.host, probe: local.probe, keys: scene.folder }, await request(scene, { plan }))
    assert.deepEqual(await remains(scene, copy), killed, point)
    await testEngine(copy).recover()
    assert.equal(await assertWhole(scene), side, point)
    await rm(whole, { recursive: true })
  }
})

test('after the cut nothing reaches the host, and what was under way is never answered', async () => {
  const asked: string[] = []
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const severed = severable(overlaid(local.host, { stat: async (path) => { asked.push(path); return path === '/slow' ? promise : undefined } }), local.probe)
  assert.equal(await severed.host.stat('/before'), undefined)
  let answers = 0
  const count = () => { answers++ }
  void severed.host.stat('/slow').then(count, count)
  severed.cut()
  resolve(undefined)
  void severed.host.stat('/after').then(count, count)
  void severed.probe({ address: '127.0.0.1', port: 1, serverName: null, keyType: null }).then(count, count)
  for (let turn = 0; turn < 20; turn++) await setImmediate()
  assert.deepEqual([asked, answers], [['/before', '/slow'], 0])
})
