import { CertloopError, type DeployResult, type DeploymentId, type Plan, type WireError } from '@certloop/contract'
import { type FileHandle, open, readFile } from 'node:fs/promises'

/** What is on disk about one deployment, in order. `at` is UTC. */
export type JournalRecord = { at: string } & (
  | { type: 'begin'; version: 1; deploymentId: DeploymentId; attempt: number; machine?: string; leaf?: string; target: string; secrets?: string; plan: Plan; rollback: boolean; undoes?: DeploymentId }
  /** `digests`: SHA-256 of what lies staged, by the places of the steps. */
  | { type: 'staged'; digests?: Record<string, string> }
  | { type: 'begun'; step: number }
  | { type: 'done'; step: number }
  | { type: 'forward' }
  /** A person asked to stop: whatever lies ready, the way is back. */
  | { type: 'cancel' }
  | { type: 'undo'; error: WireError }
  | { type: 'undone'; step: number }
  | { type: 'outcome'; keeps: 'new' | 'old'; unclean: number[]; result: DeployResult }
  | { type: 'closed' }
  | { type: 'acknowledged' }
)
export type BeginRecord = Extract<JournalRecord, { type: 'begin' }>
/** A record without its time: the journal adds it. */
export type NewRecord = JournalRecord extends infer R ? R extends { at: string } ? Omit<R, 'at'> : never : never

/** Space taken when a journal is opened, so that neither later records nor an undo need new blocks. */
const reservedBytes = 256 * 1024
/** Kept free for the records after the outcome. */
const tailBytes = 4096

export interface Journal {
  readonly records: readonly JournalRecord[]
  /** Writes these after the noted ones: on disk when it returns. @throws CertloopError BACKUP_FAILED */
  append(...records: NewRecord[]): Promise<void>
  /** Goes to disk with the next append: for what recovery finds out by itself. */
  note(record: NewRecord): void
  /** Cuts a result down to what the reserved space holds: outputs first, then lines, then the inspection. */
  fitting(result: DeployResult): DeployResult
  close(): Promise<void>
}

export interface JournalDeps { now: () => Date; point: (name: string) => void }

/** The file of a new journal with its first record and the reserved space, not yet synced. */
export async function writeFirstRecord(path: string, begin: BeginRecord): Promise<void> {
  const line = lineOf(begin)
  const handle = await open(path, 'wx', 0o600)
  try {
    await handle.writeFile(Buffer.concat([line, Buffer.alloc(reservedBytes)]))
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** All whole records. A last one that was cut off by a crash doesn't count: what it says was never acted on. */
export async function readRecords(path: string): Promise<{ records: JournalRecord[]; end: number }> {
  const bytes = await readFile(path)
  const records: JournalRecord[] = []
  let end = 0
  for (;;) {
    const newline = bytes.indexOf(10, end)
    const record = newline < 0 ? undefined : parseLine(bytes.subarray(end, newline))
    if (record === undefined) return { records, end }
    records.push(record)
    end = newline + 1
  }
}

/** Opens a journal for more records, at its start or after a crash. */
export async function openJournal(path: string, { now, point }: JournalDeps): Promise<Journal> {
  const { records, end: firstFree } = await readRecords(path)
  const handle = await open(path, 'r+')
  const size = (await handle.stat()).size
  await wipeTornTail(handle, firstFree, size)
  let end = firstFree
  let noted: JournalRecord[] = []
  let last: Promise<unknown> = Promise.resolve()
  const stamped = (record: NewRecord): JournalRecord => ({ ...record, at: now().toISOString() })

  return {
    records,
    append(...added) {
      // A request to stop comes at any time, also within another append.
      const done = last.then(() => write(added))
      last = done.catch(() => undefined)
      return done
    },
    note(record) { noted.push(stamped(record)) },
    fitting: (result) => fit(result, Math.max(size - end - tailBytes, tailBytes)),
    async close() {
      await last
      await handle.close()
    },
  }

  async function write(added: readonly NewRecord[]): Promise<void> {
    const batch = [...noted, ...added.map(stamped)]
    const name = `journal:${batch.map((r) => ('step' in r ? `${r.type}-${r.step}` : r.type)).join('+')}`
    point(`${name}:before`)
    await writeAt(handle, Buffer.concat(batch.map(lineOf)), end, path)
    end += batch.reduce((sum, record) => sum + lineOf(record).length, 0)
    records.push(...batch)
    noted = []
    point(`${name}:after`)
  }
}

const lineOf = (record: JournalRecord) => Buffer.from(`${JSON.stringify(record)}\n`)

function parseLine(bytes: Uint8Array): JournalRecord | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    return typeof value === 'object' && value !== null && 'type' in value ? value as JournalRecord : undefined
  } catch {
    return undefined // cut off, or the zeros of the reserved space
  }
}

/** Otherwise the rest of a torn record could be read as the end of the next one. */
async function wipeTornTail(handle: FileHandle, from: number, size: number): Promise<void> {
  if (from >= size) return
  const [tail, zeros] = [Buffer.alloc(size - from), Buffer.alloc(size - from)]
  await handle.read(tail, 0, tail.length, from)
  if (tail.equals(zeros)) return
  await handle.write(zeros, 0, zeros.length, from)
  await handle.datasync()
}

async function writeAt(handle: FileHandle, bytes: Uint8Array, position: number, path: string): Promise<void> {
  try {
    let written = 0
    while (written < bytes.length) {
      written += (await handle.write(bytes, written, bytes.length - written, position + written)).bytesWritten
    }
    await handle.datasync()
  } catch (error) {
    throw new CertloopError('BACKUP_FAILED', `The journal ${path} can not be written: ${(error as Error).message}.`, { path }, error)
  }
}

function fit(result: DeployResult, room: number): DeployResult {
  const fits = (candidate: DeployResult) => Buffer.byteLength(JSON.stringify(candidate)) <= room
  if (fits(result)) return result
  let smaller: DeployResult = { ...result, log: result.log.map((entry) => ({ ...entry, output: entry.output?.slice(0, 500) ?? null })) }
  if (fits(smaller)) return smaller
  smaller = { ...smaller, log: smaller.log.slice(-20).map((entry) => ({ ...entry, message: entry.message.slice(0, 500), output: null })) }
  if (fits(smaller)) return smaller
  return { ...smaller, log: [], inspection: null, differences: [] }
}
