import { botTaskKinds, checkShape, type BotTaskPayload } from '@certloop/contract'
import { readIfThere, renameDurably, writeDurably } from '../durable-file.ts'
import { fileError } from '../hosts/file-errors.ts'

export type Asked = BotTaskPayload<'place-proof'>
export type Proof = Asked['proof']

/** A proof that is in place, or about to be. */
export interface KeptProof {
  asked: Asked
  /** Of a file: where it lies, by its real path. */
  file: string | null
}
interface Contents {
  proofs: readonly KeptProof[]
  /** Folders that were made for files, by their real paths; the outer one first. */
  folders: readonly string[]
}

/** What this bot placed: written before anything is placed, and again after it was removed. */
export interface ProofList extends Readonly<Contents> {
  /** On disk when it returns. @throws CertloopError DISK_FULL, FILE_UNWRITABLE; then the list is as it was */
  change(apply: (present: Contents) => Contents): Promise<void>
}

/**
 * Reads the list, or begins an empty one. One that can't be read is set aside under another name.
 * @param onDamaged is told where that lies
 */
export async function openProofList(path: string, onDamaged: (aside: string) => void): Promise<ProofList> {
  let contents: Contents = { proofs: [], folders: [] }
  const text = await readIfThere(path)
  if (text !== undefined) {
    try {
      contents = read(text, path)
    } catch {
      await renameDurably(path, `${path}.damaged`)
      onDamaged(`${path}.damaged`)
    }
  }
  return {
    get proofs() { return contents.proofs },
    get folders() { return contents.folders },
    async change(apply) {
      const next = apply(contents)
      await writeDurably(path, `${JSON.stringify(next, null, 1)}\n`).catch(async (error: unknown) => { throw await fileError(error, path, 'note what is to be placed') })
      contents = next
    },
  }
}

function read(text: string, path: string): Contents {
  const { proofs, folders } = JSON.parse(text) as Contents
  if (!folders.every((folder) => typeof folder === 'string')) throw new TypeError(`${path}: folders are paths`)
  return { folders, proofs: proofs.map(({ asked, file }) => ({ asked: checkShape(botTaskKinds['place-proof'].payload, asked, { what: path }), file })) }
}
