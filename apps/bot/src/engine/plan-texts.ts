import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readIfThere, writeDurably } from '../durable-file.ts'
import type { Sealer } from './sealing.ts'
import type { EngineLimits } from './types.ts'

export type Texts = Readonly<Record<string, string>>

/** The texts that plans were made from, by the digest of the plan: <folder>/plans/<digest>.sealed. They may hold passwords. */
export interface PlanTexts {
  keep(digest: string, texts: Texts): Promise<void>
  find(digest: string): Promise<Texts | undefined>
  prune(limits: EngineLimits, now: Date): Promise<void>
}

export function createPlanTexts(root: string, sealer: Sealer): PlanTexts {
  const folder = join(root, 'plans')
  const pathOf = (digest: string) => join(folder, `${digest}.sealed`)
  const about = (digest: string) => `plan ${digest}`
  return {
    async keep(digest, texts) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await writeDurably(pathOf(digest), await sealer.seal(about(digest), JSON.stringify(texts)))
    },
    async find(digest) {
      const sealed = /^[0-9a-f]{64}$/.test(digest) ? await readIfThere(pathOf(digest)) : undefined
      return sealed === undefined ? undefined : JSON.parse(await sealer.open(about(digest), sealed)) as Texts
    },
    async prune({ planDays, plansKept }, now) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const files = await Promise.all((await readdir(folder)).map(async (name) => ({ path: join(folder, name), at: (await stat(join(folder, name))).mtimeMs })))
      const oldest = now.getTime() - planDays * 86_400_000
      const beyond = files.toSorted((a, b) => b.at - a.at).filter((file, index) => index >= plansKept || file.at < oldest)
      for (const { path } of beyond) await rm(path, { force: true })
    },
  }
}
