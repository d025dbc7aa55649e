import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { access, chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { lastingFolder, madeOnce } from './made-once.ts'
import { archiveLeftOut, unpackedArchive } from './maven.ts'

function uniqueName(t: TestContext): string {
  const name = `made-once-${randomBytes(6).toString('hex')}`
  t.after(() => rm(lastingFolder(name), { recursive: true, force: true }))
  return name
}

test('a lasting folder is whole for everybody, however many make it at once, and made no second time', async (t) => {
  const name = uniqueName(t)
  const make = (content: string) => async (folder: string) => writeFile(join(folder, 'file'), content)
  const folders = await Promise.all(['a', 'b', 'c'].map((content) => madeOnce(name, make(content))))
  assert.deepEqual(folders, Array.from({ length: 3 }, () => lastingFolder(name)))
  const content = await readFile(join(lastingFolder(name), 'file'), 'utf8')
  await madeOnce(name, make('later'))
  assert.equal(await readFile(join(lastingFolder(name), 'file'), 'utf8'), content)
})

test('what could not be made leaves nothing, and a folder that others can write is not used', async (t) => {
  const name = uniqueName(t)
  await assert.rejects(madeOnce(name, async () => { throw new Error('no network') }), { message: 'no network' })
  await assert.rejects(access(lastingFolder(name)))
  await mkdir(lastingFolder(name))
  await chmod(lastingFolder(name), 0o777)
  await assert.rejects(madeOnce(name, async () => undefined), /can be written by others/)
})

test('an archive of Maven Central is unpacked once, for all accounts', { skip: await archiveLeftOut('tomcat-9') }, async () => {
  const [one, two] = await Promise.all([unpackedArchive('tomcat-9'), unpackedArchive('tomcat-9')])
  assert.equal(one, two)
  assert.match(await readFile(join(one, 'conf/server.xml'), 'utf8'), /<Server /)
})
