import { CertloopError, type DeployResult, machineOf, type DeploymentId, type Ownership, type Plan, toCertloopError } from '@certloop/contract'
import { mkdir, open, readdir, rm, stat, truncate } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readIfThere } from '../durable-file.ts'
import { type BeginRecord, type Journal, type JournalDeps, type JournalRecord, openJournal, readRecords, writeFirstRecord } from './journal.ts'
import type { Sealer } from './sealing.ts'
import type { EngineLimits, EngineTarget } from './types.ts'

/** One file as it was before. */
export interface BackupFile { path: string; ownership: Ownership; content: Uint8Array }

export interface StoredJournal { folder: string; begin: BeginRecord; records: readonly JournalRecord[] }

export interface NewJournal {
  deploymentId: DeploymentId
  target: EngineTarget
  /** SHA-256 of the DER of the certificate that is installed. */
  leaf: string
  /** Of the plan, as far as its steps need them after a crash. */
  secrets: Readonly<Record<string, string>>
  plan: Plan
  rollback: boolean
  /** The deployment that this takes back. */
  undoes?: DeploymentId
  files: readonly BackupFile[]
}

/** The journals of one bot: a folder each, holding journal.ndjson and backup.sealed. */
export interface JournalStore {
  /** On disk, folder and all, when it returns. @throws CertloopError BACKUP_FAILED; then nothing is left */
  create(journal: NewJournal): Promise<Journal & { folder: string }>
  /** Oldest first. */
  all(): Promise<StoredJournal[]>
  /** Folders without a whole first record: left by a crash before anything was touched. Not while a journal is being made. */
  removeFragments(): Promise<void>
  /** The last attempt of one deployment. */
  latest(deploymentId: DeploymentId): Promise<StoredJournal | undefined>
  reopen(stored: StoredJournal): Promise<Journal>
  /** @throws CertloopError BACKUP_FAILED */
  target(stored: StoredJournal): Promise<EngineTarget>
  /** @throws CertloopError BACKUP_FAILED */
  secrets(stored: StoredJournal): Promise<Record<string, string>>
  /** A file as it was before that deployment. @throws CertloopError BACKUP_FAILED */
  backup(folder: string, path: string): Promise<BackupFile | undefined>
  acknowledge(stored: StoredJournal): Promise<void>
  /** Removes what is beyond the limits, ended and acknowledged; unacknowledged results go by age alone. */
  prune(limits: EngineLimits): Promise<void>
}

/** Where it was; journals of earlier versions were all about the bot's own machine. */
export const machineIn = ({ begin }: StoredJournal): string => begin.machine ?? 'local'
export const outcomeIn = (records: readonly JournalRecord[]): DeployResult | undefined => records.findLast((r) => r.type === 'outcome')?.result
export const isOpen = ({ records }: StoredJournal): boolean => !records.some((r) => r.type === 'closed')
/** What it put there stayed, and was proven where it could be. */
export const keepsNew = ({ records }: Pick<StoredJournal, 'records'>): boolean => records.some((r) => r.type === 'outcome' && r.keeps === 'new' && r.result.outcome === 'deployed')
export const isAcknowledged = ({ records }: StoredJournal): boolean => records.some((r) => r.type === 'acknowledged')

const journalName = 'journal.ndjson'
const backupName = 'backup.sealed'

interface Shelf { parent: string; sealer: Sealer; deps: JournalDeps }

export function createJournalStore(root: string, sealer: Sealer, deps: JournalDeps): JournalStore {
  const shelf: Shelf = { parent: join(root, 'journals'), sealer, deps }
  return {
    create: (journal) => createJournal(shelf, journal),
    all: () => loadAll(shelf),
    removeFragments: () => removeFragments(shelf),
    async latest(deploymentId) {
      const last = (await namesOn(shelf)).findLast((n) => n.deploymentId === deploymentId)
      return last && load(shelf, last.name)
    },
    reopen: (stored) => openJournal(join(stored.folder, journalName), deps),
    async target({ begin }) {
      return JSON.parse(await sealer.open(aboutTarget(begin.deploymentId), begin.target)) as EngineTarget
    },
    async secrets({ begin }) {
      return begin.secrets === undefined ? {} : JSON.parse(await sealer.open(aboutSecrets(begin.deploymentId), begin.secrets)) as Record<string, string>
    },
    backup: (folder, path) => readBackup(shelf, folder, path),
    acknowledge: (stored) => acknowledge(shelf, stored),
    prune: (limits) => prune(shelf, limits),
  }
}

const aboutTarget = (deploymentId: string) => `${deploymentId} target`
const aboutSecrets = (deploymentId: string) => `${deploymentId} secrets`
const aboutBackup = (deploymentId: string) => `${deploymentId} backup`

interface Name { name: string; deploymentId: string; attempt: number }

async function namesOn({ parent }: Shelf): Promise<Name[]> {
  const found = await readdir(parent).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const names = found.flatMap((name) => {
    const [, deploymentId, attempt] = /^(dep_[0-9a-z]+)\.(\d+)$/.exec(name) ?? []
    return deploymentId === undefined ? [] : [{ name, deploymentId, attempt: Number(attempt) }]
  })
  return names.toSorted((a, b) => (a.deploymentId === b.deploymentId ? a.attempt - b.attempt : a.deploymentId < b.deploymentId ? -1 : 1))
}

async function load({ parent }: Shelf, name: string): Promise<StoredJournal | undefined> {
  const folder = join(parent, name)
  const { records } = await readRecords(join(folder, journalName)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return { records: [] as JournalRecord[] }
    throw error
  })
  const [begin] = records
  return begin?.type === 'begin' ? { folder, begin, records } : undefined
}

async function loadAll(shelf: Shelf): Promise<StoredJournal[]> {
  const loaded = await Promise.all((await namesOn(shelf)).map(({ name }) => load(shelf, name)))
  return loaded.filter((journal) => journal !== undefined)
}

async function removeFragments(shelf: Shelf): Promise<void> {
  for (const { name } of await namesOn(shelf)) {
    if (await load(shelf, name) === undefined) await rm(join(shelf.parent, name), { recursive: true, force: true })
  }
}

async function createJournal(shelf: Shelf, journal: NewJournal): Promise<Journal & { folder: string }> {
  const { parent, deps } = shelf
  deps.point('journal:create:before')
  const attempts = (await namesOn(shelf)).filter((n) => n.deploymentId === journal.deploymentId).map((n) => n.attempt)
  const attempt = Math.max(0, ...attempts) + 1
  const folder = join(parent, `${journal.deploymentId}.${attempt}`)
  try {
    const made = await mkdir(parent, { recursive: true, mode: 0o700 })
    if (made !== undefined) await syncFolder(dirname(parent))
    await mkdir(folder, { mode: 0o700 })
    deps.point('journal:create:folder')
    await writeNew(shelf, folder, attempt, journal)
    return Object.assign(await openJournal(join(folder, journalName), deps), { folder })
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    if (error instanceof CertloopError) throw error
    throw new CertloopError('BACKUP_FAILED', `No journal and backup could be written in ${parent}: ${toCertloopError(error).message}.`, { folder: parent }, error)
  }
}

async function writeNew({ parent, sealer, deps }: Shelf, folder: string, attempt: number, { deploymentId, target, leaf, secrets, files, plan, rollback, undoes }: NewJournal): Promise<void> {
  const sealedTarget = await sealer.seal(aboutTarget(deploymentId), JSON.stringify(target))
  const sealedFiles = await sealer.seal(aboutBackup(deploymentId), JSON.stringify(files.map(portable)))
  const sealedSecrets = Object.keys(secrets).length === 0 ? {} : { secrets: await sealer.seal(aboutSecrets(deploymentId), JSON.stringify(secrets)) }
  const begin: BeginRecord = { type: 'begin', version: 1, at: deps.now().toISOString(), deploymentId, attempt, machine: machineOf(target), leaf, target: sealedTarget, ...sealedSecrets, plan, rollback, ...(undoes === undefined ? {} : { undoes }) }
  // The backup first: once there is a first record, there is something to go back to.
  await writeSynced(join(folder, backupName), sealedFiles)
  deps.point('backup:after')
  await writeFirstRecord(join(folder, journalName), begin)
  deps.point('journal:begin:after')
  await Promise.all([syncFolder(folder), syncFolder(parent)])
}

async function readBackup({ parent, sealer }: Shelf, folder: string, path: string): Promise<BackupFile | undefined> {
  const deploymentId = folder.slice(parent.length + 1).replace(/\.\d+$/, '')
  const sealed = await readIfThere(join(folder, backupName))
  if (sealed === undefined) throw new CertloopError('BACKUP_FAILED', `${join(folder, backupName)} is gone.`, { folder })
  const files = JSON.parse(await sealer.open(aboutBackup(deploymentId), sealed)) as Portable[]
  const file = files.find((f) => f.path === path)
  return file && { path, ownership: file.ownership, content: Buffer.from(file.content, 'base64') }
}

async function acknowledge({ deps }: Shelf, { folder }: StoredJournal): Promise<void> {
  const path = join(folder, journalName)
  const journal = await openJournal(path, deps)
  try {
    await journal.append({ type: 'acknowledged' })
  } finally {
    await journal.close()
  }
  await truncate(path, (await readRecords(path)).end)
}

async function prune(shelf: Shelf, limits: EngineLimits): Promise<void> {
  const oldest = new Date(shelf.deps.now().getTime() - limits.backupDays * 86_400_000).toISOString()
  const perPath = new Map<string, number>()
  for (const stored of (await loadAll(shelf)).toReversed()) {
    if (isOpen(stored)) continue
    const beyond = isAcknowledged(stored) && countPaths(stored, perPath, limits.backupsPerPath)
    if (stored.begin.at < oldest || beyond) await rm(stored.folder, { recursive: true, force: true })
  }
  await forgetBackups(shelf, limits)
}

/**
 * What a committed deployment replaced is kept to be put back: until the next one to the same place is committed, or the
 * time is over; and of all together no more than a size, the oldest going first.
 */
async function forgetBackups(shelf: Shelf, { undoDays, backupBytes }: EngineLimits): Promise<void> {
  const oldest = new Date(shelf.deps.now().getTime() - undoDays * 86_400_000).toISOString()
  const replaced = new Set<string>()
  let bytes = 0
  for (const stored of (await loadAll(shelf)).toReversed()) {
    if (isOpen(stored) || !keepsNew(stored)) continue
    const paths = stored.begin.plan.steps.flatMap((step) => ('path' in step ? [`${machineIn(stored)} ${step.path}`] : []))
    const file = join(stored.folder, backupName)
    bytes += (await stat(file).catch(() => undefined))?.size ?? 0
    if (stored.begin.at < oldest || bytes > backupBytes || paths.every((path) => replaced.has(path))) await rm(file, { force: true })
    for (const path of paths) replaced.add(path)
  }
}

interface Portable { path: string; ownership: Ownership; content: string }
const portable = ({ path, ownership, content }: BackupFile): Portable => ({ path, ownership, content: Buffer.from(content).toString('base64') })

/** Counts a deployment for each path it writes; true when every one of them has enough newer ones. */
function countPaths(stored: StoredJournal, counts: Map<string, number>, limit: number): boolean {
  const paths = stored.begin.plan.steps.flatMap((step) => ('path' in step ? [`${machineIn(stored)} ${step.path}`] : []))
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
