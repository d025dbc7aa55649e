import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { chmod, chown, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { eventually } from '@certloop/test-kit'
import { createLimits } from '../../src/hosts/limits.ts'
import type { Asked } from '../../src/proofs/proof-list.ts'
import { cannotMount, fillDisk, makeReadOnly, makeWritable, smallDisk } from '../engine/mounts.ts'
import { anything, scene, token } from './proofs-kit.ts'

const asFile = ({ proof }: Asked) => proof.kind === 'file' ? proof : assert.fail('not a file')
const inFolder = (asked: Asked, folder: string, path = asFile(asked).path): Asked => ({ ...asked, proof: { ...asFile(asked), folder, path } })
const notRoot = process.getuid?.() !== 0 && 'needs root'

test('a file is placed with its folders, and removed with them', async (t) => {
  const { start, file, seen, site, listPath } = await scene(t)
  await chmod(site, 0o2755)
  const proofs = await start()
  const asked = file()
  assert.deepEqual(await proofs.place(asked), { where: join(site, token) })
  assert.equal(await readFile(join(site, token), 'utf8'), 'aToken-1.thumbprint')
  assert.deepEqual([(await stat(join(site, token))).mode & 0o7777, (await stat(join(site, '.well-known'))).mode & 0o7777], [0o644, 0o2755])
  assert.deepEqual(await proofs.place(asked), { where: join(site, token) })
  assert.deepEqual(await seen(), ['.well-known', '.well-known/acme-challenge', token], 'and nothing else')
  for (let i = 0; i < 2; i++) assert.deepEqual(await proofs.remove({ validationId: asked.validationId, proof: asked.proof }), { removed: true, left: null })
  assert.deepEqual(await seen(), [])
  assert.deepEqual(JSON.parse(await readFile(listPath, 'utf8')), { proofs: [], folders: [] })
})

test('folders and file belong to whom the folder above belongs to', { skip: notRoot }, async (t) => {
  const { start, file, site } = await scene(t)
  await chown(site, 1234, 2345)
  await chmod(site, 0o750)
  await (await start()).place(file())
  for (const [entry, mode] of [['.well-known', 0o750], ['.well-known/acme-challenge', 0o750], [token, 0o644]] as const) {
    const facts = await stat(join(site, entry))
    assert.deepEqual([facts.uid, facts.gid, facts.mode & 0o7777], [1234, 2345, mode], entry)
  }
})

test('folders that were there stay, and so do others\' files', async (t) => {
  const { start, file, seen, site } = await scene(t)
  await mkdir(join(site, '.well-known'))
  const proofs = await start()
  const [one, two] = [file('aToken-1'), file('aToken-2')]
  await proofs.place(one)
  await proofs.place(two)
  await proofs.remove(one)
  assert.deepEqual(await seen(), ['.well-known', '.well-known/acme-challenge', '.well-known/acme-challenge/aToken-2'])
  await writeFile(join(site, '.well-known/acme-challenge/of-another'), '')
  await proofs.remove(two)
  assert.deepEqual(await seen(), ['.well-known', '.well-known/acme-challenge', '.well-known/acme-challenge/of-another'])
  await rm(join(site, '.well-known/acme-challenge/of-another'))
  await proofs.place(one)
  await proofs.remove(one)
  assert.deepEqual(await seen(), ['.well-known', '.well-known/acme-challenge'], 'a folder that others used is not ours any more')
})

test('another file of that name is left alone: when it is placed, and when it is removed', async (t) => {
  const { start, file, site, listPath } = await scene(t)
  const proofs = await start()
  await mkdir(join(site, '.well-known/acme-challenge'), { recursive: true })
  await writeFile(join(site, token), 'of another')
  await assert.rejects(proofs.place(file()), { code: 'TOKEN_NOT_WRITTEN', message: /another file at .*aToken-1/ })
  assert.equal(await readFile(join(site, token), 'utf8'), 'of another')
  assert.deepEqual(JSON.parse(await readFile(listPath, 'utf8')), { proofs: [], folders: [] })

  await rm(join(site, token))
  const asked = file()
  await proofs.place(asked)
  await writeFile(join(site, token), 'changed since')
  const { removed, left } = await proofs.remove(asked)
  assert.equal(removed, false)
  assert.match(left ?? '', /aToken-1 has another content/)
  assert.equal(await readFile(join(site, token), 'utf8'), 'changed since')
})

test('a file that another made in the same instant is not replaced', async (t) => {
  const { start, file, site, seen } = await scene(t)
  const proofs = await start({ crashPoint: (name) => { if (name === 'staged') writeFileSync(join(site, token), 'of another') } })
  await assert.rejects(proofs.place(file()), { code: 'TOKEN_NOT_WRITTEN' })
  assert.equal(await readFile(join(site, token), 'utf8'), 'of another')
  assert.deepEqual(await seen(), ['.well-known', '.well-known/acme-challenge', token])
})

test('two validations with the same file: it goes with the last', async (t) => {
  const { start, file, seen } = await scene(t)
  const proofs = await start()
  const [one, two] = [file(), file()]
  await proofs.place(one)
  await proofs.place(two)
  await proofs.remove(one)
  assert.ok((await seen()).includes(token))
  await proofs.remove(two)
  assert.deepEqual(await seen(), [])
})

test('a validation that wants another file has the earlier one removed; a late word about that removes nothing else', async (t) => {
  const { start, file, seen } = await scene(t)
  const proofs = await start()
  const first = file()
  const second = { ...file('aToken-2'), validationId: first.validationId }
  await proofs.place(first)
  await proofs.place(second)
  assert.deepEqual((await seen()).filter((name) => name.includes('Token')), ['.well-known/acme-challenge/aToken-2'])
  assert.deepEqual(await proofs.remove(first), { removed: true, left: null })
  assert.deepEqual((await seen()).filter((name) => name.includes('Token')), ['.well-known/acme-challenge/aToken-2'])
  await proofs.remove(second)
  assert.deepEqual(await seen(), [])
})

test('what can not be written says why, each with its own code, and leaves nothing', async (t) => {
  const { start, file, folder, site, seen } = await scene(t)
  const proofs = await start()
  await writeFile(join(folder, 'plain'), '')
  for (const missing of [join(folder, 'nowhere'), join(folder, 'plain')]) await assert.rejects(proofs.place(inFolder(file(), missing)), { code: 'FOLDER_MISSING', message: /There is no folder / })
  await assert.rejects(proofs.place(inFolder(file(), 'site')), { code: 'INPUT_INVALID' })
  for (const path of ['/.well-known/../../outside', '/.well-known//x', '/.well-known/./x', '/.well-known/x/']) await assert.rejects(proofs.place(inFolder(file(), site, path)), { code: 'INPUT_INVALID' }, path)
  await writeFile(join(site, '.well-known'), 'a file')
  await assert.rejects(proofs.place(file()), { code: 'TOKEN_NOT_WRITTEN', message: /is no folder/ })
  await assert.rejects(proofs.place({ ...file(), expires: '2026-05-01T11:59:59Z' }), { code: 'VALIDATION_EXPIRED' })
  assert.deepEqual(await seen(), ['.well-known'])
})

test('bot.toml says where it may write', async (t) => {
  const { start, file, folder, site, seen } = await scene(t)
  const limited = (...writePaths: string[]) => start({ limits: createLimits({ writePaths, commands: null, scripts: false }) })
  await mkdir(join(folder, 'other'))
  await assert.rejects((await limited(join(folder, 'other'))).place(file()), { code: 'PATH_NOT_ALLOWED', message: /limits\.write_paths/ })
  assert.deepEqual(await seen(), [])
  await symlink(join(folder, 'other'), join(site, 'out'))
  await assert.rejects((await limited(site)).place(inFolder(file(), join(site, 'out'))), { code: 'PATH_NOT_ALLOWED' })
  const proofs = await limited(join(site, '.well-known'))
  const asked = file()
  await proofs.place(asked)
  assert.deepEqual(await proofs.remove(asked), { removed: true, left: null })
  assert.deepEqual(await seen(), ['out'])
})

test('the folder of the domain may be a link; below it none is followed, neither to place nor to remove', { skip: process.platform !== 'linux' && 'needs /proc' }, async (t) => {
  const { start, file, folder, site, seen } = await scene(t)
  const proofs = await start()
  await symlink(site, join(folder, 'current'))
  const asked = inFolder(file(), join(folder, 'current'))
  assert.deepEqual(await proofs.place(asked), { where: join(site, token) })
  // A deployment of the site: what was placed is found where it was placed.
  await rm(join(folder, 'current'))
  await mkdir(join(folder, 'next'))
  await symlink(join(folder, 'next'), join(folder, 'current'))
  await proofs.remove(asked)
  assert.deepEqual(await seen(), [])

  const elsewhere = join(folder, 'next')
  await symlink(elsewhere, join(site, '.well-known'))
  await assert.rejects(proofs.place(file()), { code: 'TOKEN_NOT_WRITTEN', message: /is a link/ })
  await rm(join(site, '.well-known'))
  const swapped = file()
  await proofs.place(swapped)
  await rename(join(site, '.well-known'), join(site, 'moved'))
  await mkdir(join(elsewhere, 'acme-challenge'))
  await writeFile(join(elsewhere, 'acme-challenge/aToken-1'), 'aToken-1.thumbprint')
  await symlink(elsewhere, join(site, '.well-known'))
  await assert.rejects(proofs.remove(swapped), { code: 'FILE_UNWRITABLE', message: /is a link/ })
  assert.equal(await readFile(join(elsewhere, 'acme-challenge/aToken-1'), 'utf8'), 'aToken-1.thumbprint')
})

test('a full disk and a read-only one', { skip: cannotMount }, async (t) => {
  const { start, file, logger, clock } = await scene(t)
  const proofs = await start()
  const disk = await smallDisk(t, 64)
  await mkdir(join(disk, '.well-known/acme-challenge'), { recursive: true })
  fillDisk(disk)
  await assert.rejects(proofs.place(inFolder(file(), disk)), { code: 'DISK_FULL', message: /aToken-1/ })
  await rm(join(disk, 'filler'))
  makeReadOnly(disk)
  await assert.rejects(proofs.place(inFolder(file(), disk)), { code: 'FILE_UNWRITABLE', message: /mounted read-only/ })
  makeWritable(disk)
  const asked = inFolder(file(), disk)
  await proofs.place(asked)
  makeReadOnly(disk)
  await assert.rejects(proofs.remove(asked), { code: 'FILE_UNWRITABLE' })
  // Expired, it is not forgotten before it is gone, and says so once.
  clock.at += 2 * 3_600_000
  for (let i = 0; i < 2; i++) await proofs.resume()
  assert.equal(logger.lines.filter(({ level }) => level === 'error').length, 1)
  makeWritable(disk)
  await proofs.resume()
  await assert.rejects(stat(join(disk, token)), { code: 'ENOENT' })
})

test('an expired file goes by itself, and a list that can not be read is set aside', async (t) => {
  const { start, file, seen, later, listPath, logger } = await scene(t, { now: () => new Date() })
  const proofs = await start()
  await proofs.place({ ...file(), expires: new Date(Date.now() + 300).toISOString() })
  assert.ok(later(0) && (await seen()).includes(token))
  await eventually(async () => (await seen()).length === 0, { what: 'the end of the expired file' })
  await eventually(async () => await readFile(listPath, 'utf8') === `${JSON.stringify({ proofs: [], folders: [] }, null, 1)}\n`)

  await writeFile(listPath, '{"proofs":[{"asked":{}}],"folders":[]}')
  const again = await start()
  assert.match(String(logger.lines.find(({ level }) => level === 'error')?.facts['file']), /\.damaged$/)
  const next = { ...file(), expires: new Date(Date.now() + 3_600_000).toISOString() }
  await again.place(next)
  await again.remove(next)
  assert.deepEqual(await seen(), [])
})

test('a file system that hangs holds nobody up: it is told in time, and nothing is forgotten', async (t) => {
  const { start, file, seen, clock } = await scene(t)
  const hanging = Promise.withResolvers<void>()
  let hangs = true
  const proofs = await start({ patienceMs: 50, limits: { ...anything, allowWrite: () => (hangs ? hanging.promise : Promise.resolve()) } })
  const asked = file()
  await assert.rejects(proofs.place(asked), { code: 'FILE_UNWRITABLE', message: /does not answer/ })
  await assert.rejects(proofs.remove(asked), { code: 'FILE_UNWRITABLE' })
  hangs = false
  hanging.resolve()
  clock.at += 2 * 3_600_000
  await proofs.resume()
  assert.deepEqual(await seen(), [], 'what came late was removed after all')
})

test('a list that was lost: the file goes when it is just the one', async (t) => {
  const { start, file, listPath, site } = await scene(t)
  const asked = file()
  await (await start()).place(asked)
  await rm(listPath)
  const proofs = await start()
  assert.deepEqual(await proofs.remove(asked), { removed: true, left: null })
  await assert.rejects(stat(join(site, token)), { code: 'ENOENT' })
  assert.deepEqual(await proofs.remove(inFolder(asked, join(site, 'nowhere'))), { removed: true, left: null })
})

test('a pipe or a folder in the place of the file holds up nothing', async (t: TestContext) => {
  const { start, file, site } = await scene(t)
  await mkdir(join(site, token), { recursive: true })
  await assert.rejects((await start()).place(file()), { code: 'TOKEN_NOT_WRITTEN' })
})
