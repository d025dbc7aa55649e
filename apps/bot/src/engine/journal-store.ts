import { CertloopError, type BotTarget, type DeployResult, type DeploymentId, type Ownership, type Plan, toCertloopError } from '@certloop/contract'
import { mkdir, open, readdir, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { readIfThere } from '../durable-file.ts'
import { type BeginRecord, type Journal, type JournalDeps, type JournalRecord, openJournal, readRecords, writeFirstRecord } from './journal.ts'
import type { Sealer } from './sealing.ts'
import type { EngineLimits } from './types.ts'

/** One file as it was before. */
export interface BackupFile { path: string; ownership: Ownership; content: Uint8Array }

export interface StoredJournal { folder: string; begin: BeginRecord; records: readonly JournalRecord[] }

export interface NewJournal {
  deploymentId: DeploymentId
  target: BotTarget
  plan: Plan
  rollback: boolean
  chainPem: readonly string[]
  files: readonly BackupFile[]
}

/** The journals of one bot: a folder each, holding journal.ndjson and backup.sealed. */
export interface JournalStore {
  /** On disk, folder and all, when it returns. @throws CertloopError BACKUP_FAILED; then nothing is left */
  create(journal: NewJournal): Promise<Journal & { folder: string; attempt: number }>
  /** Oldest first. */
  all(): Promise<StoredJournal[]>
  /** Folders without a whole first record: left by a crash before anything was touched. Not while a journal is being made. */
  removeFragments(): Promise<void>
  /** The last attempt of one deployment. */
  latest(deploymentId: DeploymentId): Promise<StoredJournal | undefined>
  reopen(stored: StoredJournal): Promise<Journal>
  target(stored: StoredJournal): Promise<BotTarget>
  /** A file as it was before that deployment. @throws CertloopError BACKUP_FAILED */
  backup(folder: string, path: string): Promise<BackupFile | undefined>
  acknowledge(stored: StoredJournal): Promise<void>
  /** Removes what is beyond the limits, ended and acknowledged; unacknowledged results go by age alone. */
  prune(limits: EngineLimits): Promise<void>
}

export const outcomeIn = (records: readonly JournalRecord[]): DeployResult | undefined => records.findLast((r) => r.type === 'outcome')?.result
export const isOpen = ({ records }: StoredJournal): boolean => !records.some((r) => r.type === 'closed')
export const isAcknowledged = ({ records }: StoredJournal): boolean => records.some((r) => r.type === 'acknowledged')

const journalName = 'journal.ndjson'
const backupName = 'backup.sealed'

export function createJournalStore(root: string, sealer: Sealer, deps: JournalDeps): JournalStore {
  const parent = join(root, 'journals')

  async function names(): Promise<{ name: string; deploymentId: string; attempt: number }[]> {
    const found = await readdir(parent).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    return found.flatMap((name) => {
      const match = /^(dep_[0-9a-z]+)\.(\d+)$/.exec(name)
      return match ? [{ name, deploymentId: match[1] ?? '', attempt: Number(match[2]) }] : []
    }).toSorted((a, b) => (a.deploymentId === b.deploymentId ? a.attempt - b.attempt : a.deploymentId < b.deploymentId ? -1 : 1))
  }

  async function load(name: string): Promise<StoredJournal | undefined> {
    const folder = join(parent, name)
    const { records } = await readRecords(join(folder, journalName)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return { records: [] as JournalRecord[] }
      throw error
    })
    const [begin] = records
    return begin?.type === 'begin' ? { folder, begin, records } : undefined
  }

  async function all(): Promise<StoredJournal[]> {
    const loaded = await Promise.all((await names()).map(({ name }) => load(name)))
    return loaded.filter((journal) => journal !== undefined)
  }

  async function create({ deploymentId, target, files, ...rest }: NewJournal) {
    deps.point('journal:create:before')
    const attempt = Math.max(0, ...(await names()).filter((n) => n.deploymentId === deploymentId).map((n) => n.attempt)) + 1
    const folder = join(parent, `${deploymentId}.${attempt}`)
    try {
      await mkdir(parent, { recursive: true, mode: 0o700 })
      await mkdir(folder, { mode: 0o700 })
      deps.point('journal:create:folder')
      const sealedTarget = await sealer.seal(`${deploymentId} target`, JSON.stringify(target))
      const sealedFiles = await sealer.seal(`${deploymentId} backup`, JSON.stringify(files.map(portable)))
      const begin: BeginRecord = { type: 'begin', version: 1, at: deps.now().toISOString(), deploymentId, attempt, target: sealedTarget, ...rest }
      // The backup first: once there is a first record, there is something to go back to.
      await writeSynced(join(folder, backupName), sealedFiles)
      deps.point('backup:after')
      await writeFirstRecord(join(folder, journalName), begin)
      deps.point('journal:begin:after')
      await Promise.all([syncFolder(folder), syncFolder(parent)])
      return Object.assign(await openJournal(join(folder, journalName), deps), { folder, attempt })
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      throw error instanceof CertloopError ? error : new CertloopError('BACKUP_FAILED', `No journal and backup could be written in ${parent}: ${toCertloopError(error).message}.`, { folder: parent }, error)
    }
  }

  return {
    create,
    all,
    async removeFragments() {
      for (const { name } of await names()) {
        if (await load(name) === undefined) await rm(join(parent, name), { recursive: true, force: true })
      }
    },
    async latest(deploymentId) {
      const last = (await names()).findLast((n) => n.deploymentId === deploymentId)
      return last && load(last.name)
    },
    reopen: (stored) => openJournal(join(stored.folder, journalName), deps),
    async target({ begin }) {
      return JSON.parse(await sealer.open(`${begin.deploymentId} target`, begin.target)) as BotTarget
    },
    async backup(folder, path) {
      const deploymentId = folder.slice(parent.length + 1).replace(/\.\d+$/, '')
      const sealed = await readIfThere(join(folder, backupName))
      if (sealed === undefined) throw new CertloopError('BACKUP_FAILED', `${join(folder, backupName)} is gone.`, { folder })
      const files = JSON.parse(await sealer.open(`${deploymentId} backup`, sealed)) as Portable[]
      const file = files.find((f) => f.path === path)
      return file && { path, ownership: file.ownership, content: Buffer.from(file.content, 'base64') }
    },
    async acknowledge(stored) {
      const journal = await openJournal(join(stored.folder, journalName), deps)
      try {
        await journal.append({ type: 'acknowledged' })
      } finally {
        await journal.close()
      }
      await truncate(join(stored.folder, journalName), (await readRecords(join(stored.folder, journalName))).end)
    },
    async prune(limits) {
      const oldest = new Date(deps.now().getTime() - limits.backupDays * 86_400_000).toISOString()
      const perPath = new Map<string, number>()
      for (const stored of (await all()).toReversed()) {
        if (isOpen(stored)) continue
        const beyond = isAcknowledged(stored) && countPaths(stored.begin.plan, perPath, limits.backupsPerPath)
        if (stored.begin.at < oldest || beyond) await rm(stored.folder, { recursive: true, force: true })
      }
    },
  }
}

interface Portable { path: string; ownership: Ownership; content: string }
const portable = ({ path, ownership, content }: BackupFile): Portable => ({ path, ownership, content: Buffer.from(content).toString('base64') })

/** Counts a deployment for each path it writes; true when every one of them has enough newer ones. */
function countPaths(plan: Plan, counts: Map<string, number>, limit: number): boolean {
  const paths = plan.steps.flatMap((step) => ('path' in step ? [step.path] : []))
  for (const path of paths) counts.set(path, (counts.get(path) ?? 0) + 1)
  return paths.every((path) => (counts.get(path) ?? 0) > limit)
}

async function writeSynced(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return // keeps new names by itself and can't open folders
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
