import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, realpath, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { tempFolder } from '@certloop/test-kit'
import { holdFolder } from './held-folder.ts'
import { createLimits } from './limits.ts'
import { createLocalHost } from './local-host.ts'

const linux = { skip: process.platform !== 'linux' && 'needs /proc' }
const ownership = { mode: 0o600, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
const host = createLocalHost({ limits: createLimits({ writePaths: null, commands: null, scripts: true }) })

/** user/certs is swapped for a link to root/ by swap(). */
async function scene(t: TestContext) {
  const base = await realpath(await tempFolder(t, 'held'))
  const [certs, root] = [join(base, 'user', 'certs'), join(base, 'root')]
  await mkdir(certs, { recursive: true })
  await mkdir(root)
  await writeFile(join(certs, 'a.pem'), 'old')
  await writeFile(join(root, 'a.pem'), 'of root')
  return { certs, root, moved: `${certs}-moved`, async swap() { await rename(certs, `${certs}-moved`); await symlink(root, certs) } }
}

test('a folder that is held stays the same when a link is put in its place', linux, async (t) => {
  const { certs, root, moved, swap } = await scene(t)
  const held = await holdFolder(certs)
  t.after(() => held.close())
  await swap()
  await writeFile(held.at('b.pem'), 'new')
  await rename(held.at('b.pem'), held.at('a.pem'))
  await held.sync()
  assert.equal(await readFile(join(moved, 'a.pem'), 'utf8'), 'new')
  assert.equal(await readFile(join(root, 'a.pem'), 'utf8'), 'of root')
})

test('no write follows a link among the folders, at the end or on the way', linux, async (t) => {
  const { certs, root, swap } = await scene(t)
  const below = join(certs, 'below')
  await mkdir(join(root, 'below'))
  await writeFile(join(root, 'below', 'a.pem'), 'of root')
  await swap()
  const refused = { code: 'FILE_UNWRITABLE', message: /certs is a link\. The bot writes by real paths alone/ }
  for (const folder of [certs, below]) {
    const [file, staged] = [join(folder, 'a.pem'), join(folder, '.a.new')]
    await assert.rejects(host.stageFile(file, staged, Buffer.from('new'), ownership), refused)
    await assert.rejects(host.linkFile(file, join(folder, 'a.old')), refused)
    await assert.rejects(host.renameFile(file, join(folder, 'c.pem')), refused)
    await assert.rejects(host.removeFile(file), refused)
    await assert.rejects(host.makeDirectory(join(folder, 'more'), ownership), refused)
    await assert.rejects(host.removeDirectory(join(folder, 'more')), refused)
  }
  assert.deepEqual([await readdir(root), await readdir(join(root, 'below'))], [['a.pem', 'below'], ['a.pem']])
})

test('swapping folders all the time never gets a file into the other folder', { ...linux, timeout: 60_000 }, async (t) => {
  const { certs, root, moved } = await scene(t)
  let done = false
  const swapping = (async () => {
    await symlink(root, `${certs}-link`)
    while (!done) {
      await rename(certs, moved)
      await rename(`${certs}-link`, certs)
      await rename(certs, `${certs}-link`)
      await rename(moved, certs)
    }
  })()
  let written = 0
  for (let i = 0; i < 300; i++) {
    const staged = join(certs, `.${i}.new`)
    await host.stageFile(join(certs, 'b.pem'), staged, Buffer.from('new'), ownership).then(() => host.renameFile(staged, join(certs, 'b.pem'))).then(() => { written++ }, (error: unknown) => {
      assert.ok(error instanceof Error && 'code' in error && error.code === 'FILE_UNWRITABLE', String(error))
    })
  }
  done = true
  await swapping
  assert.deepEqual(await readdir(root), ['a.pem'])
  t.diagnostic(`${written} of 300 were written`)
})
