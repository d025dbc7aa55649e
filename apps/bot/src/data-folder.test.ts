import assert from 'node:assert/strict'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { startProcess, tempFolder } from '@certloop/test-kit'
import { dataFolderPath, lockDataFolder, prepareDataFolder } from './data-folder.ts'

const module = new URL('./data-folder.ts', import.meta.url).href
const holder = (folder: string) => [process.execPath, '--input-type=module', '-e', `import { lockDataFolder } from ${JSON.stringify(module)}; await lockDataFolder(${JSON.stringify(folder)}); console.log('held'); setInterval(() => {}, 1000)`] as const

test('the data folder comes from the option, the environment, or who runs the bot', () => {
  assert.equal(dataFolderPath('/a', { CERTLOOP_BOT_DATA: '/b' }, true), '/a')
  assert.equal(dataFolderPath(undefined, { CERTLOOP_BOT_DATA: '/b' }, true), '/b')
  assert.equal(dataFolderPath(undefined, {}, true), '/var/lib/certloop-bot')
  assert.equal(dataFolderPath(undefined, { HOME: '/home/x' }, false), '/home/x/.local/share/certloop-bot')
})

test('the folder is made for its owner alone, also where it was open before', async (t) => {
  const folder = join(await tempFolder(t), 'deep', 'data')
  await mkdir(folder, { recursive: true, mode: 0o755 })
  await prepareDataFolder(folder)
  assert.equal((await stat(folder)).mode & 0o777, 0o700)
})

test('a folder that can not be made is named', async (t) => {
  const file = join(await tempFolder(t), 'file')
  await writeFile(file, '')
  await assert.rejects(prepareDataFolder(join(file, 'data')), { code: 'DATA_FOLDER_UNWRITABLE', message: /file\/data/ })
})

test('one process holds the folder; kill -9 gives it free', async (t) => {
  const folder = await tempFolder(t)
  const other = await startProcess(t, holder(folder))
  await other.waitFor(/held/)
  await assert.rejects(lockDataFolder(folder), { code: 'DATA_FOLDER_IN_USE', message: new RegExp(`process ${other.pid}\\)`) })
  other.kill('SIGKILL')
  await other.ended
  const lock = await lockDataFolder(folder)
  await assert.rejects(lockDataFolder(folder), { code: 'DATA_FOLDER_IN_USE' }, 'the same process, twice')
  lock.release()
  ;(await lockDataFolder(folder)).release()
})
