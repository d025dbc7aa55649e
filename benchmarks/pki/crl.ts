// A CRL of a million entries, beside `openssl ca -gencrl`: both read the same index file and write a file; each is a process of its own.
import { createReadStream } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { buildCrl, keyIdOfSpki, keySigner, readCrl, readPrivateKey, spkiOfKey, type CrlEntry, type RevocationReason } from '@certloop/pki'
import { watch, type Taken } from './ca/watch.ts'
import type { Cleanup } from './index.ts'
import { costOf, crlIssuer, gencrlName, opensslCost, opensslFolder } from './openssl-crl.ts'
import { atMost, within, type Line } from './side-by-side.ts'

const million = 1_000_000

const two = (digits: string, from: number): number => (digits.charCodeAt(from) - 48) * 10 + digits.charCodeAt(from + 1) - 48

function entryOf(row: string): CrlEntry {
  const [, , revocation = '', serialNumber = ''] = row.split('\t')
  const revokedAt = new Date(Date.UTC(2000 + two(revocation, 0), two(revocation, 2) - 1, two(revocation, 4), two(revocation, 6), two(revocation, 8), two(revocation, 10)))
  return { serialNumber, revokedAt, reason: revocation.slice(14) as RevocationReason }
}

async function* readIndex(path: string): AsyncGenerator<CrlEntry> {
  let rest = ''
  for await (const chunk of createReadStream(path, { encoding: 'latin1' })) {
    const rows = (rest + String(chunk)).split('\n')
    rest = rows.pop() ?? ''
    for (const row of rows) yield entryOf(row)
  }
}

/** What the process of its own does: it plays openssl, with the loop watched. */
async function buildFromIndex(folder: string): Promise<void> {
  const key = readPrivateKey(await readFile(join(folder, 'ca.key'), 'utf8'))
  const signer = keySigner(key)
  await pause(50) // what starting left to do is not counted
  const end = watch(true)
  const crl = await buildCrl({
    issuer: crlIssuer, authorityKeyId: keyIdOfSpki(spkiOfKey(key)), number: 1n, thisUpdate: new Date('2026-11-21T00:00:00Z'), nextUpdate: new Date('2026-11-28T00:00:00Z'), entries: readIndex(join(folder, 'index.txt')),
  }, signer)
  const taken = end()
  await writeFile(join(folder, 'ours.crl'), crl)
  process.stdout.write(JSON.stringify(taken))
}

/** @throws Error when what was made is not what was asked for */
async function checkResult(folder: string, count: number): Promise<number> {
  const crl = readCrl(await readFile(join(folder, 'ours.crl')))
  if (crl.entryCount !== count) throw new Error(`the CRL has ${crl.entryCount} entries instead of ${count}`)
  return crl.parts.der.length
}

/** Building and signing a CRL of a million entries, and what that does to others in the same process. */
export async function measureCrl(cleanup: Cleanup, count = million): Promise<Line[]> {
  const folder = await opensslFolder(cleanup, count)
  const ours = await costOf(cleanup, process.execPath, [fileURLToPath(import.meta.url), folder])
  const own = JSON.parse(ours.output) as Taken
  const bytes = await checkResult(folder, count)
  const theirs = await opensslCost(cleanup, count, folder)
  return [
    atMost(1, {
      name: `a CRL of ${count} entries, read from an index file`, unit: 's', measured: ours.seconds, peer: { name: gencrlName, value: theirs.seconds },
      note: `${(bytes / 1e6).toFixed(0)} MB of DER. Whole processes; reading the index and building took ${(own.ms / 1000).toFixed(1)} s.`,
    }),
    atMost(1, { name: 'most memory of that process', unit: 'MB', measured: ours.megabytes, peer: { name: gencrlName, value: theirs.megabytes } }),
    within(50, {
      name: 'longest time for which the event loop could serve nothing else', unit: 'ms', measured: own.turnMs,
      note: `Processor time of one turn of the loop; ${own.stopMs.toFixed(0)} ms by the clock, in which other processes had the core as well.`,
    }),
  ]
}

if (import.meta.main) await buildFromIndex(process.argv[2] ?? '')
