import { randomBytes } from 'node:crypto'
import { open, readdir, readFile, stat, writeFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { CertloopError, newId, type IssuerId } from '@certloop/contract'
import type { RevocationReason } from '@certloop/pki'
import type { Database, Tx } from '../database/database.ts'
import { schedulePublishing } from './crl-schedule.ts'
import { followCa, followKey } from './follow-ca.ts'
import { changeStatus, findBySerial, getIssued, insertIntent, type IssuedStatus } from './issued-store.ts'
import { nextChangeNumber } from './issuer-store.ts'

/**
 * What was about to be signed, and what was revoked, in files beside the database. A database that is put back from a
 * backup forgets what was issued and revoked since; the ledger does not. Keep it on another disk than the
 * database where there is one. Each replica has a folder of its own.
 */
export interface Ledger {
  /** Returns once the entry is on the disk. */
  append(entry: LedgerEntry | LedgerChange): Promise<void>
  close(): Promise<void>
}
export interface LedgerEntry {
  issuerId: IssuerId
  serialNumber: string
  reference: string
  profile: string
  subject: string
  names: readonly string[]
  notBefore: Date
  notAfter: Date
  spki: Buffer
  /** Of its revocation list: what the certificate names can't be changed later. */
  shard: number
}

/** A certificate that is revoked, suspended or resumed, as its issuer numbers the change. */
export interface LedgerChange {
  issuerId: IssuerId
  serialNumber: string
  changeNumber: number
  status: IssuedStatus
  revokedAt: Date | null
  reason: RevocationReason | null
  invalidityDate: Date | null
}

/** How far each file was read into this database, in bytes. */
export interface LedgerTables { ca_ledger_mark: { file: string; bytes: number } }

const prefix = 'issued-'
const monthOf = (at: Date) => at.toISOString().slice(0, 7)

function lineOf(entry: LedgerEntry | LedgerChange): string {
  const json = JSON.stringify('spki' in entry ? { v: 1, ...entry, spki: entry.spki.toString('base64') } : { v: 1, ...entry })
  // ASCII alone, so that a file can be read in pieces of any length.
  return `${json.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`
}

/** Tells the folders of several replicas apart, whose files one database remembers; made when a folder is first read. */
async function ledgerId(folder: string): Promise<string> {
  const path = join(folder, 'ledger-id')
  try {
    await writeFile(path, `${randomBytes(8).toString('hex')}\n`, { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return (await readFile(path, 'utf8')).trim()
}

/** Appends to one file a month. Lines that come while a write is under way go to the disk together. */
export function createLedger(folder: string, now: () => Date): Ledger {
  let file: { month: string; handle: FileHandle } | undefined
  let waiting: { line: string; done: () => void; fail: (error: unknown) => void }[] = []
  let running: Promise<void> | undefined

  /** Whoever moves or deletes the file must not make us write where nobody will read. */
  async function isStillThere(handle: FileHandle, month: string): Promise<boolean> {
    const [open, named] = [await handle.stat(), await stat(join(folder, `${prefix}${month}.jsonl`)).catch(() => undefined)] // gone: a new one is made
    return named !== undefined && named.ino === open.ino && named.dev === open.dev
  }

  async function handleFor(month: string): Promise<FileHandle> {
    if (file?.month === month && await isStillThere(file.handle, month)) return file.handle
    await file?.handle.close()
    file = undefined
    const handle = await open(join(folder, `${prefix}${month}.jsonl`), 'a', 0o600)
    // A line that a crash cut off must not swallow the next one.
    if ((await handle.stat()).size > 0) await handle.write('\n')
    file = { month, handle }
    return handle
  }

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        const handle = await handleFor(monthOf(now()))
        await handle.appendFile(batch.map(({ line }) => line).join(''))
        await handle.datasync()
        for (const { done } of batch) done()
      } catch (error) {
        // What is half written must not swallow the next line: that begins with a new file handle, and so with a new line.
        await file?.handle.close().catch(() => {}) // the failure that counts is told below
        file = undefined
        const failure = new CertloopError('DATA_FOLDER_UNWRITABLE', `The issuance ledger in ${folder} can not be written, so nothing is signed.`, { folder }, error)
        for (const { fail } of batch) fail(failure)
      }
    }
    running = undefined
  }

  return {
    append: (entry) => new Promise((done, fail) => {
      waiting.push({ line: lineOf(entry), done, fail })
      running ??= writeAll()
    }),
    async close() {
      await running
      await file?.handle.close()
      file = undefined
    },
  }
}

/** For tests of other things and for tools that issue nothing. */
export const noLedger: Ledger = { append: async () => {}, close: async () => {} }

const readBytes = 1 << 20

/**
 * Brings into the database what the ledger has and the database lost: certificates, and what became of them. Each file
 * is read on from where this database last read it, so a database from a backup reads again what came after the backup.
 * @param strangers counts certificates of issuers that the database does not know: made since the backup, they are lost with their keys
 * @returns how many certificates and changes were brought back
 */
export async function recoverFromLedger(folder: string, database: Database, now: () => Date, strangers = new Map<IssuerId, number>()): Promise<number> {
  const files = (await readdir(folder)).filter((name) => name.startsWith(prefix) && name.endsWith('.jsonl')).toSorted()
  if (files.length === 0) return 0
  const id = await ledgerId(folder)
  let recovered = 0
  const changes: StoredChange[] = []
  const marks: { file: string; bytes: number }[] = []
  for (const name of files) {
    const file = `${id}/${name}`
    const read = await recoverFile(join(folder, name), file, database, now, { changes, strangers })
    recovered += read.recovered
    marks.push({ file, bytes: read.bytes })
  }
  return recovered + await recoverChanges(changes, marks, database, now)
}

async function recoverFile(path: string, markName: string, database: Database, now: () => Date, { changes, strangers }: { changes: StoredChange[]; strangers: Map<IssuerId, number> }): Promise<{ recovered: number; bytes: number }> {
  const { size } = await stat(path)
  const mark = await database.db.selectFrom('ca_ledger_mark').select('bytes').where('file', '=', markName).executeTakeFirst()
  // A file shorter than the mark is another one: read it whole.
  let at = mark && Number(mark.bytes) <= size ? Number(mark.bytes) : 0
  let [recovered, rest] = [0, '']
  const handle = await open(path, 'r')
  try {
    while (at < size) {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(readBytes, size - at)), 0, undefined, at)
      if (bytesRead === 0) break
      const lines = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n')
      rest = lines.pop() ?? ''
      at += bytesRead
      for (const line of lines) {
        const entry = readLine(line)
        if (entry && 'changeNumber' in entry) changes.push(entry)
        else if (entry && await recoverEntry(entry, database, now, strangers)) recovered++
      }
    }
  } finally {
    await handle.close()
  }
  return { recovered, bytes: at - rest.length }
}

interface StoredEntry { issuerId: IssuerId; serialNumber: string; reference: string; profile: string; subject: string; names: string[]; notBefore: string; notAfter: string; spki: string; /** Missing in the oldest lines. */ shard?: number }
interface StoredChange { issuerId: IssuerId; serialNumber: string; changeNumber: number; status: IssuedStatus; revokedAt: string | null; reason: RevocationReason | null; invalidityDate: string | null }

/** A line that a crash cut short was followed by no signature, so it is passed over. */
function readLine(line: string): StoredEntry | StoredChange | undefined {
  try {
    const entry = JSON.parse(line) as Partial<StoredEntry & StoredChange>
    if (typeof entry.serialNumber !== 'string' || typeof entry.issuerId !== 'string') return undefined
    if (typeof entry.changeNumber === 'number' && typeof entry.status === 'string') return entry as StoredChange
    return typeof entry.notAfter === 'string' ? entry as StoredEntry : undefined
  } catch {
    return undefined
  }
}

async function recoverEntry(entry: StoredEntry, database: Database, now: () => Date, strangers: Map<IssuerId, number>): Promise<boolean> {
  if (new Date(entry.notAfter) < now()) return false
  const { db } = database
  if (await findBySerial(db, entry.issuerId, entry.serialNumber)) return false
  if (!await db.selectFrom('ca_issuer').select('id').where('id', '=', entry.issuerId).executeTakeFirst()) {
    strangers.set(entry.issuerId, (strangers.get(entry.issuerId) ?? 0) + 1)
    return false
  }
  const { issuerId, serialNumber, profile, subject, names, notBefore, notAfter, spki, reference, shard = 0 } = entry
  return insertIntent(db, {
    id: newId('cac', now()), reference: `ledger:${issuerId}:${serialNumber}:${reference}`, issuerId, serialNumber, profile, subject, commonName: null, names, request: null, spki: Buffer.from(spki, 'base64'),
    notBefore: new Date(notBefore), notAfter: new Date(notAfter), tbs: null, shard,
  }, now())
}

/**
 * Repeats what happened to certificates and the database forgot. Together with the marks, so that a crash in between
 * repeats it.
 */
async function recoverChanges(changes: readonly StoredChange[], marks: readonly { file: string; bytes: number }[], database: Database, now: () => Date): Promise<number> {
  return database.transaction(async (tx, wake) => {
    let recovered = 0
    const repeated = new Set<IssuerId>()
    const known = new Map((await tx.selectFrom('ca_issuer').select(['id', 'changeNumber']).execute()).map((row) => [row.id, row.changeNumber]))
    // What became of a certificate in the end is what counts.
    const last = new Map(changes.toSorted((a, b) => a.changeNumber - b.changeNumber).map((change) => [`${change.issuerId} ${change.serialNumber}`, change]))
    for (const change of last.values()) {
      if (!await isForgotten(tx, change, known.get(change.issuerId)) || !await repeatChange(tx, change, now())) continue
      recovered++
      repeated.add(change.issuerId)
    }
    for (const issuerId of repeated) await schedulePublishing(tx, wake, issuerId, now(), now())
    for (const { file, bytes } of marks) await tx.insertInto('ca_ledger_mark').values({ file, bytes }).onConflict((c) => c.column('file').doUpdateSet({ bytes })).execute()
    return recovered
  })
}

/**
 * Whether the database knows nothing of a change. Replicas that started earlier may have gone on counting where the
 * backup ended: a number that the issuer has reached may be that of another change, but not one that its certificate has.
 */
async function isForgotten(tx: Tx, { issuerId, serialNumber, changeNumber, status }: StoredChange, known: number | undefined): Promise<boolean> {
  if (known === undefined) return false
  if (changeNumber > known) return true
  const row = await tx.selectFrom('ca_certificate').select(['status', 'changeNumber']).where('issuerId', '=', issuerId).where('serialNumber', '=', serialNumber).executeTakeFirst()
  return row !== undefined && row.status !== status && (row.changeNumber ?? 0) < changeNumber
}

async function repeatChange(tx: Tx, { issuerId, serialNumber, changeNumber: given, status, revokedAt, reason, invalidityDate }: StoredChange, now: Date): Promise<boolean> {
  const changeNumber = Math.max(given, await nextChangeNumber(tx, issuerId))
  await tx.updateTable('ca_issuer').set({ changeNumber }).where('id', '=', issuerId).execute()
  const row = await findBySerial(tx, issuerId, serialNumber)
  if (!row || row.status === 'revoked' && status !== 'revoked') return false
  // What came back from the ledger has no text: resumed, it is again something that may have been signed.
  const to = status === 'good' && row.certificatePem === null ? 'intended' : status
  await changeStatus(tx, row.id, row.status, { status: to, revokedAt: revokedAt === null ? null : new Date(revokedAt), reason, invalidityDate: invalidityDate === null ? null : new Date(invalidityDate), changeNumber })
  const after = await getIssued(tx, row.id)
  await followCa(tx, after, now)
  await followKey(tx, after, now)
  return true
}
