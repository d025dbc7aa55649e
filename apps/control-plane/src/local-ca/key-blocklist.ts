import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CertloopError } from '@certloop/contract'
import { readKeyBlocklist, type KeyBlocklist } from '@certloop/pki'

/**
 * Reads every file blacklist.* of a folder. A list that can not be read stops the start: without it broken keys would be certified unseen.
 * @throws CertloopError SETTINGS_INVALID
 */
export async function blocklistIn(folder: string | null): Promise<KeyBlocklist | undefined> {
  if (folder === null) return undefined
  const invalid = (why: string, cause?: unknown) => new CertloopError('SETTINGS_INVALID', `The lists of broken keys in ${folder} can not be used: ${why}`, { setting: '--key-blocklist' }, cause)
  let texts: string[]
  try {
    const names = (await readdir(folder)).filter((name) => name.startsWith('blacklist.')).toSorted()
    texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error), error)
  }
  if (texts.length === 0) throw invalid('it has no file blacklist.*')
  try {
    return readKeyBlocklist(texts)
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error), error)
  }
}
