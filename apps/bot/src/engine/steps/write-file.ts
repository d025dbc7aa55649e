import { CertloopError, type WriteFileStep } from '@certloop/contract'
import { fileDigest, type Host } from '@certloop/plugin-kit'
import path from 'node:path'
import type { Sides, StepContext, StepExecutor } from './executor.ts'

/** The path rules of the target's host, which need not be those of the bot's. */
const rulesOf = (file: string) => (file.startsWith('/') ? path.posix : path.win32)
const longestName = 255

/** Hidden names in the folder of the file: a rename between them is atomic, and includes such as *.pem don't match them. */
function namesOf(step: WriteFileStep, { short, index }: StepContext): { staged: string; old: string; stem: string; folder: string } {
  const rules = rulesOf(step.path)
  const folder = rules.dirname(step.path)
  const tail = `.certloop-${short}-${index}`
  let name = rules.basename(step.path)
  while (Buffer.byteLength(`.${name}${tail}.new`) > longestName - 20) name = name.slice(0, -1)
  const stem = `.${name}${tail}`
  return { staged: rules.join(folder, `${stem}.new`), old: rules.join(folder, `${stem}.old`), stem, folder }
}

async function digestAt(host: Host, step: WriteFileStep, file: string): Promise<string | null> {
  const content = await host.readFile(file)
  return content === undefined ? null : fileDigest(step.part, content, step.encoding)
}

async function check({ host }: StepContext, step: WriteFileStep): Promise<Sides> {
  const digest = await digestAt(host, step, step.path)
  return { old: digest === step.replaces, new: digest === step.contentDigest }
}

const changedMeanwhile = (step: WriteFileStep) =>
  new CertloopError('PLAN_CHANGED', `${step.path} changed since the plan was made.`, { path: step.path })

/** Replaces or makes one file: staged beside it, the old one kept under a second name, then one rename. */
export const writeFile: StepExecutor<WriteFileStep> = {
  role: () => 'change',

  async backup(host, step) {
    const facts = await host.stat(step.path)
    if (facts !== undefined && facts.type !== 'file') throw new CertloopError('PLAN_CHANGED', `${step.path} is not a regular file any more.`, { path: step.path })
    const content = await host.readFile(step.path)
    const digest = content === undefined ? null : fileDigest(step.part, content, step.encoding)
    if (digest !== step.replaces) throw changedMeanwhile(step)
    return content === undefined || facts === undefined ? [] : [{ path: step.path, ownership: { mode: facts.mode, uid: facts.uid, gid: facts.gid }, content }]
  },

  async stage(context, step) {
    const { staged, old } = namesOf(step, context)
    await context.host.stageFile(step.path, staged, context.content(step), step.ownership)
    if (step.replaces === null) return
    await context.host.linkFile(step.path, old)
    // What the link holds is what an undo brings back: it must be what the plan was made for.
    if (await digestAt(context.host, step, old) !== step.replaces) throw changedMeanwhile(step)
  },

  async do(context, step) {
    const { staged } = namesOf(step, context)
    if (await context.host.stat(staged) !== undefined) await context.host.renameFile(staged, step.path)
    else if (!(await check(context, step)).new) throw new CertloopError('FILE_UNWRITABLE', `The new content of ${step.path} that lay ready in ${staged} is gone.`, { path: step.path })
    return { message: `${step.path} holds the new content.` }
  },

  check,

  async canResume(context, step) {
    const sides = await check(context, step)
    const { staged } = namesOf(step, context)
    return sides.new || (sides.old && await digestAt(context.host, step, staged) === step.contentDigest)
  },

  async undo(context, step) {
    const { host } = context
    const { old, staged } = namesOf(step, context)
    if (step.replaces === null) return removeOurs(context, step)
    const before = await check(context, step)
    if (before.old && !before.new) return // never replaced, or put back by an undo that was cut off
    if (await host.stat(old) !== undefined) await host.renameFile(old, step.path)
    if ((await check(context, step)).old) return
    const copy = await context.backup(step.path)
    if (copy === undefined) throw new CertloopError('ROLLBACK_FAILED', `There is no copy of ${step.path} as it was before.`, { path: step.path })
    await host.stageFile(step.path, staged, copy.content, copy.ownership)
    await host.renameFile(staged, step.path)
  },

  async clean(context, step) {
    const { staged, old, stem, folder } = namesOf(step, context)
    for (const file of [staged, old]) await removeIfThere(context.host, file)
    if (!context.troubled) return
    // A host that was stopped within one of its calls may have left a name of its own, made from ours.
    for (const name of await context.host.list(folder)) {
      if (name.includes(stem)) await context.host.removeFile(rulesOf(step.path).join(folder, name))
    }
  },
}

/** A disk that became read-only refuses to remove even what is not there. */
async function removeIfThere(host: Host, file: string): Promise<void> {
  if (await host.stat(file) !== undefined) await host.removeFile(file)
}

/** Takes a new file away, unless somebody put something else there. */
async function removeOurs(context: StepContext, step: WriteFileStep): Promise<void> {
  const digest = await digestAt(context.host, step, step.path)
  if (digest === null) return
  if (digest !== step.contentDigest) throw new CertloopError('ROLLBACK_FAILED', `${step.path} was not there before, and what is there now was not put there by this deployment.`, { path: step.path })
  await context.host.removeFile(step.path)
}
