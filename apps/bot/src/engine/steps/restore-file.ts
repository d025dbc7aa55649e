import { CertloopError, type RestoreFileStep, sha256Hex } from '@certloop/contract'
import { replaceFile } from './replace-file.ts'

/** A file as the backup of an earlier deployment holds it; or none, where there was none. */
export const restoreFile = replaceFile<RestoreFileStep>({
  async content({ restored }, { path }) {
    const copy = await restored(path)
    if (copy === undefined) throw new CertloopError('UNDO_NOT_POSSIBLE', `There is no copy of ${path} as it was before.`, { path })
    return copy.content
  },
  digest: (_step, content) => sha256Hex(content),
  newDigest: (_context, { contentDigest }) => contentDigest,
})
