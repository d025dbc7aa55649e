import { constants } from 'node:fs'
import { lstat, mkdir, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { CertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import { fileError, hasCode } from './file-errors.ts'
import type { Limits } from './limits.ts'

const folderOf = (name: string): string => {
  if (!/^[A-Za-z0-9-]+$/.test(name)) throw new Error(`A script can not be called "${name}".`)
  return path.join(tmpdir(), `certloop-script-${name}`)
}

/** Scripts lie in the folder for temporary files, where nobody can put another in the place of a folder that is ours. */
export function localScripts(limits: Limits): Pick<Host, 'placeScript' | 'removeScript'> {
  return {
    async placeScript(name, content) {
      const folder = folderOf(name)
      limits.allowScripts()
      await ownFolder(folder)
      const file = path.join(folder, 'script')
      try {
        const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW, 0o700)
        try {
          await handle.writeFile(content)
        } finally {
          await handle.close()
        }
      } catch (error) {
        throw await fileError(error, file, 'write it')
      }
      return file
    },
    removeScript: (name) => rm(folderOf(name), { recursive: true, force: true }),
  }
}

async function ownFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 })
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw await fileError(error, folder, 'make this folder')
    const facts = await lstat(folder)
    if (!facts.isDirectory() || facts.uid !== process.getuid?.() || (facts.mode & 0o077) !== 0) {
      throw new CertloopError('FILE_UNWRITABLE', `${folder} was made by somebody else, so no script is put there. Remove it.`, { path: folder })
    }
  }
}
