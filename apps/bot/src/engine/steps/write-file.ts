import type { WriteFileStep } from '@certloop/contract'
import { fileDigest, materialContent } from '@certloop/plugin-kit'
import { replaceFile } from './replace-file.ts'

/** A file that holds a part of the material. */
export const writeFile = replaceFile<WriteFileStep>({
  async content({ material }, { part, encoding }) {
    const { plan, keyPem } = material()
    return materialContent(part, plan.chainPem, keyPem, encoding)
  },
  digest: ({ part, encoding }, content) => fileDigest(part, content, encoding),
  newDigest: (_context, { contentDigest }) => contentDigest,
})
