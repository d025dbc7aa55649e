import { leftOut } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { testEngine } from './engine-kit.ts'
import { cannotMount, fillDisk, makeReadOnly, makeWritable, smallDisk } from './mounts.ts'
import { assertWhole, outcomeAfterRestart, request, type Scene, tinyScene, toolCommand } from './scene.ts'

/** The pair lives on a disk of its own; the test's filler lies beside its folder. */
async function sceneOnDisk(t: TestContext, kib: number) {
  const disk = await smallDisk(t, kib)
  return { disk, scene: await tinyScene(t, { pairFolder: join(disk, 'pair'), proofSeconds: 2 }) }
}

const whatItSaid = ({ outcome, touched, error }: { outcome: string; touched: boolean; error: { code: string } | null }) => [outcome, touched, error?.code]

test('a full disk shows before anything is touched', { skip: cannotMount }, async (t) => {
  const { disk, scene } = await sceneOnDisk(t, 64)
  const deploy = await request(scene)
  fillDisk(disk)
  const result = await testEngine(scene.folder).deploy(deploy)
  assert.deepEqual(whatItSaid(result), ['failed', false, 'DISK_FULL'])
  await assertWhole(scene, 'old')
  await rm(join(disk, 'filler'))
  const again = await testEngine(scene.folder).deploy(await request(scene))
  assert.equal(again.outcome, 'deployed', 'with room again, it goes')
})

test('a disk that has room for one new file and not for the other', { skip: cannotMount }, async (t) => {
  const { disk, scene } = await sceneOnDisk(t, 64)
  const deploy = await request(scene)
  fillDisk(disk)
  const filler = (await readFile(join(disk, 'filler'))).length
  await writeFile(join(disk, 'filler'), Buffer.alloc(filler - 4096))
  const result = await testEngine(scene.folder).deploy(deploy)
  assert.deepEqual(whatItSaid(result), ['failed', false, 'DISK_FULL'])
  assert.match(result.error?.message ?? '', /shop\.key/, 'the certificate was staged, the key was not')
  await assertWhole(scene, 'old')
})

test('a read-only disk shows before anything is touched', { skip: cannotMount }, async (t) => {
  const { disk, scene } = await sceneOnDisk(t, 256)
  const deploy = await request(scene)
  makeReadOnly(disk)
  const result = await testEngine(scene.folder).deploy(deploy)
  assert.deepEqual(whatItSaid(result), ['failed', false, 'FILE_UNWRITABLE'])
  assert.match(result.error?.message ?? '', /read-only/)
  makeWritable(disk)
  await assertWhole(scene, 'old')
})

for (const file of ['shop.crt', 'shop.key']) {
  test(`an immutable ${file}: what was served stays`, { skip: cannotMount || leftOut('chattr') }, async (t) => {
    const scene = await tinyScene(t, { proofSeconds: 2 })
    const path = join(scene.pairFolder, file)
    const deploy = await request(scene)
    try {
      execFileSync('chattr', ['+i', path], { stdio: 'pipe' })
    } catch (error) {
      t.skip(`this file system knows no immutable files: ${String(error)}`)
      return
    }
    try {
      const result = await testEngine(scene.folder).deploy(deploy)
      assert.equal(result.error?.code, 'FILE_UNWRITABLE', result.error?.message ?? result.outcome)
      assert.equal(result.touched, false, 'it shows while staging')
      await assertWhole(scene, 'old')
    } finally {
      execFileSync('chattr', ['-i', path])
    }
  })
}

/** Deploys with a flag set on something while the deployment is at a point, and takes it off again. */
async function deployWithFlag(t: TestContext, scene: Scene, what: string, at: string) {
  const deploy = await request(scene)
  let isSet = false
  const engine = testEngine(scene.folder, {
    crashPoint: (name) => {
      if (isSet || name !== at) return
      execFileSync('chattr', ['+i', what], { stdio: 'pipe' })
      isSet = true
    },
  })
  t.after(() => { if (isSet) execFileSync('chattr', ['-i', what]) })
  const result = await engine.deploy(deploy)
  if (isSet) execFileSync('chattr', ['-i', what])
  const flagged = isSet
  isSet = false
  return { deploy, result, flagged }
}

/** Whether the file system of a folder knows the flag at all. */
async function knowsFlag(folder: string): Promise<boolean> {
  const file = join(folder, 'flag')
  await writeFile(file, '')
  try {
    execFileSync('chattr', ['+i', file], { stdio: 'pipe' })
    execFileSync('chattr', ['-i', file])
    return true
  } catch {
    return false // then there is nothing to test here
  } finally {
    await rm(file)
  }
}

const needsFlag = { skip: cannotMount || leftOut('chattr') }

test('a file that turns immutable when all is ready: the first step changes nothing, the second is undone', needsFlag, async (t) => {
  const scene = await tinyScene(t)
  if (!await knowsFlag(scene.folder)) return t.skip('this file system knows no immutable files')
  const first = await deployWithFlag(t, scene, scene.certPath, 'do-0:before')
  assert.ok(first.flagged)
  assert.deepEqual(whatItSaid(first.result), ['failed', false, 'FILE_UNWRITABLE'])
  // The second name of an immutable file can't be removed while it is immutable: the next start does it.
  await testEngine(scene.folder).recover()
  await assertWhole(scene, 'old')
  const second = await deployWithFlag(t, scene, scene.keyPath, 'do-1:before')
  assert.ok(second.flagged)
  assert.deepEqual(whatItSaid(second.result), ['rolled-back', true, 'FILE_UNWRITABLE'])
  await testEngine(scene.folder).recover()
  await assertWhole(scene, 'old')
})

test('what can not be undone is named, and its copies stay beside it', needsFlag, async (t) => {
  const scene = await tinyScene(t, { proofSeconds: 1 })
  if (!await knowsFlag(scene.folder)) return t.skip('this file system knows no immutable files')
  scene.fields.testArgv = toolCommand('refuse')
  const { result, flagged, deploy } = await deployWithFlag(t, scene, scene.pairFolder, 'do-2:before')
  assert.ok(flagged)
  assert.deepEqual(whatItSaid(result), ['failed', true, 'ROLLBACK_FAILED'])
  for (const path of [scene.certPath, scene.keyPath]) assert.ok(result.error?.message.includes(path), `${path} is named`)
  assert.equal((await readdir(scene.pairFolder)).filter((name) => name.endsWith('.old')).length, 2)
  assert.equal(await scene.served(), scene.old.fingerprint, 'the server goes on with what it has')
  assert.deepEqual(await outcomeAfterRestart(scene, deploy.deploymentId), result)
})

/** The engine's folder on a small disk, the pair elsewhere or beside it. */
async function sceneWithJournalOn(t: TestContext, disk: string): Promise<Scene & Awaited<ReturnType<typeof tinyScene>>> {
  const scene = await tinyScene(t, { pairFolder: join(disk, 'pair'), proofSeconds: 2 })
  const folder = join(disk, 'engine')
  await mkdir(folder)
  await writeFile(join(folder, `${scene.material.keyId}.pem`), scene.next.keyPem)
  scene.folder = folder
  return scene
}

test('no room for journal and backup: nothing is touched', { skip: cannotMount }, async (t) => {
  const disk = await smallDisk(t, 200) // less than a journal reserves
  const scene = await sceneWithJournalOn(t, disk)
  const result = await testEngine(scene.folder).deploy(await request(scene))
  assert.deepEqual(whatItSaid(result), ['failed', false, 'BACKUP_FAILED'])
  await assertWhole(scene, 'old')
  assert.deepEqual(await readdir(join(scene.folder, 'journals')), [], 'the half-made journal is gone')
})

for (const good of [true, false]) {
  test(`a disk that gets full in the middle, with the journal on it: a ${good ? 'deployment ends' : 'failing deployment is undone'} all the same`, { skip: cannotMount }, async (t) => {
    const disk = await smallDisk(t, 1024)
    const scene = await sceneWithJournalOn(t, disk)
    if (!good) scene.fields.testArgv = toolCommand('refuse')
    const deploy = await request(scene)
    let full = false
    const result = await testEngine(scene.folder, {
      crashPoint: (name) => {
        if (full || name !== 'do-0:before') return
        full = true
        fillDisk(disk)
      },
    }).deploy(deploy)
    assert.ok(full, 'the disk was full before the first step')
    assert.deepEqual(whatItSaid(result), good ? ['deployed', true, undefined] : ['rolled-back', true, 'CONFIG_TEST_FAILED'])
    const { log: kept, ...stored } = await outcomeAfterRestart(scene, deploy.deploymentId) ?? assert.fail('no outcome')
    const { log, ...told } = result
    assert.deepEqual([stored, kept], [told, log.slice(0, kept.length)])
    if (good) {
      // What is its own now could not be noted: the journal stays open until there is room.
      assert.match(log.at(-1)?.message ?? '', /ENOSPC/)
      await rm(join(disk, 'filler'))
      assert.deepEqual((await testEngine(scene.folder).recover()).recovered.map((one) => one.result.outcome), ['deployed'])
    }
    await assertWhole(scene, good ? 'new' : 'old')
  })
}
