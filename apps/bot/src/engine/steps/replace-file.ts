import { CertloopError, type Ownership, sha256Hex, type Step } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import type { BackupFile } from '../journal-store.ts'
import type { Sides, StepContext, StepExecutor } from './executor.ts'

/** What the steps that replace one file have in common. */
type FileStep = Step & { path: string; ownership: Ownership | null; replaces: string | null }

/** What one of them does of its own. */
export interface Replacing<S> {
  /** The new content. What is in use stays as it is. @throws CertloopError */
  content(context: StepContext, step: S): Promise<Uint8Array>
  /** Looks at what lies staged before anything is touched. @throws CertloopError */
  accept?(context: StepContext, step: S, staged: Uint8Array): Promise<void>
  /** Names a content; `replaces` is such a name. Hex. */
  digest(step: S, content: Uint8Array): string
  /** Of the new content, also after a crash. undefined: nothing was staged yet; null: there is to be no file. */
  newDigest(context: StepContext, step: S): string | null | undefined
}

/** The path rules of the target's host, which need not be those of the bot's. */
const rulesOf = (file: string) => (file.startsWith('/') ? path.posix : path.win32)
const longestName = 255

interface Names { staged: string; old: string; stem: string; folder: string }

/** Hidden names in the folder of the file: a rename between them is atomic, and includes such as *.pem don't match them. */
function namesOf(step: FileStep, { short, index }: StepContext): Names {
  const rules = rulesOf(step.path)
  const folder = rules.dirname(step.path)
  const tail = `.certloop-${short}-${index}`
  let name = rules.basename(step.path)
  while (Buffer.byteLength(`.${name}${tail}.new`) > longestName - 20) name = name.slice(0, -1)
  const stem = `.${name}${tail}`
  return { staged: rules.join(folder, `${stem}.new`), old: rules.join(folder, `${stem}.old`), stem, folder }
}

const changedMeanwhile = ({ path: file }: FileStep) => new CertloopError('PLAN_CHANGED', `${file} changed since the plan was made.`, { path: file })

/** Replaces or makes one file: staged beside it, the old one kept under a second name, then one rename. */
export const replaceFile = <S extends FileStep>(how: Replacing<S>): StepExecutor<S> => ({
  role: () => 'change',
  backup: (host, step) => backup(how, host, step),
  stage: (context, step) => stage(how, context, step),
  async do(context, step) {
    const { staged } = namesOf(step, context)
    if (how.newDigest(context, step) === null) {
      await context.host.removeFile(step.path)
      return { message: `${step.path} is gone.` }
    }
    if (await context.host.stat(staged) !== undefined) await context.host.renameFile(staged, step.path)
    else if (!(await check(how, context, step)).new) throw new CertloopError('FILE_UNWRITABLE', `The new content of ${step.path} that lay ready in ${staged} is gone.`, { path: step.path })
    return { message: `${step.path} holds the new content.` }
  },
  check: (context, step) => check(how, context, step),
  async canResume(context, step) {
    const sides = await check(how, context, step)
    if (how.newDigest(context, step) === null) return sides.new || sides.old
    const { staged } = namesOf(step, context)
    return sides.new || (sides.old && await digestAt(how, context.host, step, staged) === how.newDigest(context, step))
  },
  undo: (context, step) => undo(how, context, step),
  clean,
})

async function digestAt<S extends FileStep>(how: Replacing<S>, host: Host, step: S, file: string): Promise<string | null> {
  const content = await host.readFile(file)
  return content === undefined ? null : how.digest(step, content)
}

async function check<S extends FileStep>(how: Replacing<S>, context: StepContext, step: S): Promise<Sides> {
  const digest = await digestAt(how, context.host, step, step.path)
  const wanted = how.newDigest(context, step)
  return { old: digest === step.replaces, new: wanted !== undefined && digest === wanted }
}

async function backup<S extends FileStep>(how: Replacing<S>, host: Host, step: S): Promise<BackupFile[]> {
  const facts = await host.stat(step.path)
  if (facts !== undefined && facts.type !== 'file') throw new CertloopError('PLAN_CHANGED', `${step.path} is not a regular file any more.`, { path: step.path })
  const content = await host.readFile(step.path)
  const digest = content === undefined ? null : how.digest(step, content)
  if (digest !== step.replaces) throw changedMeanwhile(step)
  return content === undefined || facts === undefined ? [] : [{ path: step.path, ownership: { mode: facts.mode, uid: facts.uid, gid: facts.gid }, content }]
}

async function stage<S extends FileStep>(how: Replacing<S>, context: StepContext, step: S): Promise<void> {
  const { host } = context
  const { staged, old } = namesOf(step, context)
  if (how.newDigest(context, step) !== null) {
    const content = await how.content(context, step)
    await host.stageFile(step.path, staged, content, step.ownership)
    context.noteStaged(sha256Hex(content))
  }
  if (how.accept !== undefined) await how.accept(context, step, await host.readFile(staged) ?? new Uint8Array())
  if (step.replaces === null) return
  await host.linkFile(step.path, old)
  // What the link holds is what an undo brings back: it must be what the plan was made for.
  if (await digestAt(how, host, step, old) !== step.replaces) throw changedMeanwhile(step)
}

async function undo<S extends FileStep>(how: Replacing<S>, context: StepContext, step: S): Promise<void> {
  const { host } = context
  const { old, staged } = namesOf(step, context)
  if (step.replaces === null) return removeOurs(how, context, step)
  const before = await check(how, context, step)
  if (before.old && !before.new) return // never replaced, or put back by an undo that was cut off
  if (await host.stat(old) !== undefined) await host.renameFile(old, step.path)
  if ((await check(how, context, step)).old) return
  const copy = await context.backup(step.path)
  if (copy === undefined) throw new CertloopError('ROLLBACK_FAILED', `There is no copy of ${step.path} as it was before.`, { path: step.path })
  await host.stageFile(step.path, staged, copy.content, copy.ownership)
  await host.renameFile(staged, step.path)
}

/** Takes a new file away, unless somebody put something else there. */
async function removeOurs<S extends FileStep>(how: Replacing<S>, context: StepContext, step: S): Promise<void> {
  const digest = await digestAt(how, context.host, step, step.path)
  if (digest === null) return
  if (digest !== how.newDigest(context, step)) throw new CertloopError('ROLLBACK_FAILED', `${step.path} was not there before, and what is there now was not put there by this deployment.`, { path: step.path })
  await context.host.removeFile(step.path)
}

async function clean(context: StepContext, step: FileStep): Promise<void> {
  const { staged, old, stem, folder } = namesOf(step, context)
  for (const file of [staged, old]) await removeIfThere(context.host, file)
  if (!context.troubled) return
  // A host that was stopped within one of its calls may have left a name of its own, made from ours.
  for (const name of await context.host.list(folder)) {
    if (name.includes(stem)) await context.host.removeFile(rulesOf(step.path).join(folder, name))
  }
}

/** A disk that became read-only refuses to remove even what is not there. */
async function removeIfThere(host: Host, file: string): Promise<void> {
  if (await host.stat(file) !== undefined) await host.removeFile(file)
}
