import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { CertloopError, toCertloopError, type BotTaskPayload, type BotTaskResult } from '@certloop/contract'
import type { Limits } from '../hosts/limits.ts'
import { errorFacts, type Logger } from '../log.ts'
import type { AlpnResponder } from './alpn-responder.ts'
import { placeOfFile, presentPlaceOf } from './file-place.ts'
import { placeFile, removeFile, removeFolder, type FileDeps, type FileProof } from './file-proof.ts'
import type { Asked, KeptProof, Proof, ProofList } from './proof-list.ts'

export interface PlacingDeps {
  list: ProofList
  responder: AlpnResponder
  limits: Limits
  now: () => Date
  logger: Logger
  crashPoint: (name: string) => void
}

/** Placing and taking away, one call at a time. Each can be repeated, also after a crash in its middle. */
export interface Placing {
  place(asked: Asked): Promise<BotTaskResult<'place-proof'>>
  remove(asked: BotTaskPayload<'remove-proof'>): Promise<BotTaskResult<'remove-proof'>>
  /** @returns what was left there, and why; null: nothing */
  takeAway(kept: KeptProof): Promise<string | null>
  isOver(kept: KeptProof): boolean
}

export function createPlacing(deps: PlacingDeps): Placing {
  const { list, responder, now, logger } = deps
  const find = (id: string) => list.proofs.find(({ asked }) => asked.validationId === id)
  const isOver = ({ asked }: Pick<KeptProof, 'asked'>) => Date.parse(asked.expires) <= now().getTime()

  async function takeAway(kept: KeptProof): Promise<string | null> {
    const { asked: { validationId, proof }, file } = kept
    await responder.close(validationId)
    const isShared = list.proofs.some((other) => other.asked.validationId !== validationId && other.file === file)
    const left = proof.kind === 'file' && file !== null && !isShared ? await removeFile(fileProof(validationId, proof, file), deps) : null
    await forget(validationId, deps)
    return left
  }

  async function putInPlace({ asked: { validationId, proof }, file }: KeptProof): Promise<string> {
    if (proof.kind === 'tls-alpn') {
      if (!responder.isOpen(validationId)) await responder.open(validationId, proof)
      return `${proof.listenOn} for ${proof.name}`
    }
    const real = file ?? ''
    await placeFile(fileProof(validationId, proof, real), list.folders.filter((folder) => isBelow(real, folder)), deps)
    return real
  }

  return {
    takeAway, isOver,
    async place(asked) {
      if (isOver({ asked })) throw new CertloopError('VALIDATION_EXPIRED', `The proof was to be in place until ${asked.expires}, and that is over. Nothing was placed.`)
      const earlier = find(asked.validationId)
      if (earlier && !isDeepStrictEqual(earlier.asked.proof, asked.proof)) await takeAway(earlier)
      const kept = await note(asked, deps)
      try {
        return { where: await putInPlace(kept) }
      } catch (error) {
        await takeAway(kept).catch((second: unknown) => logger.warn('What is left of a proof that could not be placed is removed later.', { validation: asked.validationId, ...errorFacts(toCertloopError(second)) }))
        throw error
      }
    },
    async remove({ validationId, proof }) {
      const known = find(validationId)
      // A list that was lost, or a word that comes late: the file goes if it is just what was to be placed.
      const left = known && isDeepStrictEqual(known.asked.proof, proof) ? await takeAway(known) : await removeUnknown(validationId, proof, deps)
      return { removed: left === null, left }
    },
  }
}

/** Noted first, with the folders that will be made: a crash from here on leaves nothing that nobody knows of. */
async function note(asked: Asked, { list, limits, crashPoint }: PlacingDeps): Promise<KeptProof> {
  const { file, missing } = asked.proof.kind === 'file' ? await placeOfFile(asked.proof) : { file: null, missing: [] }
  const first = missing[0] ?? file
  if (first !== null) await limits.allowWrite(first)
  const kept = { asked, file }
  await list.change(({ proofs, folders }) => ({
    proofs: [...proofs.filter((other) => other.asked.validationId !== asked.validationId), kept],
    folders: [...new Set([...folders, ...missing])].toSorted((a, b) => a.length - b.length),
  }))
  crashPoint('noted')
  return kept
}

/** Folders that were made and hold no proof any more go with it, if they are empty. */
async function forget(validationId: string, deps: PlacingDeps): Promise<void> {
  const rest = deps.list.proofs.filter(({ asked }) => asked.validationId !== validationId)
  const idle = deps.list.folders.filter((folder) => !rest.some(({ file }) => file !== null && isBelow(file, folder)))
  for (const folder of idle.toReversed()) await removeFolder(folder, deps)
  await deps.list.change(({ folders }) => ({ proofs: rest, folders: folders.filter((folder) => !idle.includes(folder)) }))
  deps.crashPoint('forgotten')
}

async function removeUnknown(validationId: string, proof: Proof, deps: FileDeps): Promise<string | null> {
  const file = proof.kind === 'file' ? await presentPlaceOf(proof) : undefined
  return proof.kind === 'file' && file !== undefined ? removeFile(fileProof(validationId, proof, file), deps) : null
}

const fileProof = (validationId: string, { content }: Extract<Proof, { kind: 'file' }>, file: string): FileProof => ({ file, content, staged: `.${validationId}.new` })
const isBelow = (file: string, folder: string) => file.startsWith(`${folder}${path.sep}`)
