// Issuing as the control plane does it: request checked, ledger and intent on the disk, then signed and stored.
import { createPublicKey, randomBytes, sign, verify } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createCsr, generateKey, readPrivateKey, spkiOfKey } from '@certloop/pki'
import { openCa } from './ca/open-ca.ts'
import { caFolder } from './ca/stand.ts'
import type { Cleanup } from './index.ts'
import { atLeast, atMost, sideBySide, type Line } from './side-by-side.ts'

export interface LedgerIssuingSize { rounds: number; times: number; atOnce: number }
const size: LedgerIssuingSize = { rounds: 12, times: 20, atOnce: 50 }

/** What no issuing that keeps its promises can leave out, each alone: the disk (one line in a file, two commits) and the cryptography. */
async function leastWork(cleanup: Cleanup, folder: string) {
  const file = await open(join(folder, 'bare.jsonl'), 'a')
  const database = new DatabaseSync(join(folder, 'bare.sqlite'))
  cleanup(async () => { await file.close(); database.close() })
  for (const pragma of ['journal_mode = WAL', 'synchronous = FULL']) database.exec(`PRAGMA ${pragma}`)
  database.exec('CREATE TABLE issued (id TEXT PRIMARY KEY, certificate TEXT)')
  const [insert, update] = [database.prepare('INSERT INTO issued VALUES (?, ?)'), database.prepare('UPDATE issued SET certificate = ? WHERE id = ?')]
  const key = readPrivateKey(await generateKey('ec-256'))
  const spki = spkiOfKey(key)
  const [message, certificate, line] = [randomBytes(700), 'A'.repeat(1300), `${'a'.repeat(600)}\n`]
  const signature = sign('sha256', message, key)
  return {
    disk: async () => {
      const id = randomBytes(16).toString('hex')
      await file.write(line)
      await file.datasync()
      insert.run(id, certificate)
      update.run(certificate, id)
    },
    crypto: () => {
      verify('sha256', message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature)
      sign('sha256', message, key)
    },
  }
}

/** Whole issuing on SQLite with the ledger: one after the other, and many at once. */
export async function measureLedgerIssuing(cleanup: Cleanup, { rounds, times, atOnce } = size): Promise<Line[]> {
  const folder = await caFolder(cleanup)
  const { ca, close } = await openCa({ folder })
  cleanup(close)
  const names = ['shop.example.com', 'www.shop.example.com']
  const csrPem = await createCsr({ privateKeyPem: await generateKey('ec-256'), commonName: null, names })
  let count = 0
  const issue = () => ca.issue({ reference: `bench ${count++}`, csrPem, names, commonName: null, validityDays: null, profile: 'server' })
  const { disk, crypto } = await leastWork(cleanup, folder)
  const micros = await sideBySide({
    one: issue, disk, crypto,
    many: async (i) => { if (i === 0) await Promise.all(Array.from({ length: Math.max(times, atOnce) }, issue)) },
  }, { rounds, times })
  const one = micros.one
  const many = micros.many * times / Math.max(times, atOnce)
  const least = micros.disk + micros.crypto
  const rest = one - least
  return [
    atLeast(0.3, {
      name: 'a certificate from PEM request to stored certificate, SQLite and ledger, one after the other', unit: 'per second', measured: 1e6 / one, peer: { name: 'disk and cryptography alone', value: 1e6 / least },
      note: `${one.toFixed(0)} µs: disk ${micros.disk.toFixed(0)} (ledger and two commits), createPublicKey, verify and sign ${micros.crypto.toFixed(0)}, queries, checks and encoding ${rest.toFixed(0)}.`,
    }),
    atMost(1, { name: `the same, ${atOnce} at once`, unit: 'µs', measured: many, peer: { name: 'one after the other', value: one }, note: `${(1e6 / many).toFixed(0)} per second: lines of the ledger go to the disk together.` }),
  ]
}
