// A CRL of a million entries, beside `openssl ca -gencrl`: both read the same index file and write a file; each is a process of its own.
import { spawn, type ChildProcess } from 'node:child_process'
import { createReadStream, readFileSync } from 'node:fs'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  authorityKeyIdentifier, basicConstraints, buildCertificate, buildCrl, generateKey, keyIdOfSpki, keySigner, keyUsage, nameOfCommonName, readCrl, readPrivateKey, spkiOfKey,
  subjectKeyIdentifier, toPem, type CrlEntry, type RevocationReason,
} from '@certloop/pki'
import type { Cleanup } from './index.ts'
import { atMost, within, type Line } from './side-by-side.ts'

const count = 1_000_000
const issuer = nameOfCommonName('Benchmark CA')

/** What a process took: seconds from its start to its end, and the most memory it ever had, in MB (10^6 bytes). */
interface Cost { seconds: number; megabytes: number; output: string }

/** One row of openssl's index: state, end, revocation with reason, serial number, file, subject. Serial numbers of 16 bytes, as if random. */
function indexRow(i: number): string {
  const serial = (BigInt(i + 1) * 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835n) % (1n << 127n)
  return `R\t641231235959Z\t26${String(1 + (i % 9)).padStart(2, '0')}${String(10 + (i % 17))}101112Z,${i % 3 === 0 ? 'keyCompromise' : 'superseded'}\t${serial.toString(16).padStart(32, '0').toUpperCase()}\tunknown\t/CN=${i}\n`
}

async function writeIndex(path: string): Promise<void> {
  const file = await open(path, 'w')
  for (let from = 0; from < count; from += 10_000) await file.write(Array.from({ length: 10_000 }, (_, i) => indexRow(from + i)).join(''))
  await file.close()
}

async function authority(folder: string): Promise<void> {
  const keyPem = await generateKey('ec-256')
  const key = readPrivateKey(keyPem)
  const [spki, signer] = [spkiOfKey(key), keySigner(key)]
  const keyId = keyIdOfSpki(spki)
  const extensions = [basicConstraints(true), keyUsage(['keyCertSign', 'cRLSign']), subjectKeyIdentifier(keyId), authorityKeyIdentifier(keyId)]
  const der = await buildCertificate({ serialNumber: '01', issuer, subject: issuer, spki, notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2064-01-01T00:00:00Z'), extensions }, signer)
  const database = `[ca]\ndefault_ca=it\n[it]\ndatabase=${folder}/index.txt\ncrlnumber=${folder}/crlnumber\ndefault_md=sha256\ncrl_extensions=lists\ndefault_crl_days=7\n[lists]\nauthorityKeyIdentifier=keyid\n`
  const files = { 'ca.key': keyPem, 'ca.pem': toPem('CERTIFICATE', der), 'ca.cnf': database, 'crlnumber': '01\n', 'index.txt.attr': 'unique_subject = no\n' }
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
}

/** The kernel keeps the highest value, so the last look before the end is enough. */
async function watchMemory(child: ChildProcess): Promise<number> {
  let kibibytes = Number.NaN
  while (child.exitCode === null && child.signalCode === null) {
    try {
      kibibytes = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? kibibytes)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && (error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      break // it ended meanwhile, or this system has no /proc: then there is no figure
    }
    await pause(25)
  }
  return kibibytes * 1024 / 1e6
}

async function costOf(cleanup: Cleanup, program: string, args: readonly string[]): Promise<Cost> {
  const begin = performance.now()
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  cleanup(() => child.kill('SIGKILL'))
  let output = ''
  let complaint = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => { output += text })
  child.stderr.setEncoding('utf8').on('data', (text: string) => { complaint = (complaint + text).slice(-2000) })
  const end = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => { if (code === 0) resolve(performance.now()); else reject(new Error(`${program} ended with ${code}: ${complaint}`)) })
  })
  const [megabytes, at] = await Promise.all([watchMemory(child), end])
  return { seconds: (at - begin) / 1000, megabytes, output }
}

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

interface OwnFigures { milliseconds: number; longestStopMs: number; longestTurnMs: number }

/**
 * Follows the turns of the event loop: the most time of this thread that one of them took. Unlike the delay by the
 * clock it does not count the time in which other processes had the core.
 */
function watchTurns(): () => number {
  let longest = 0
  let before = process.threadCpuUsage()
  let timer = setImmediate(turn)
  function turn(): void {
    const now = process.threadCpuUsage()
    longest = Math.max(longest, now.user + now.system - before.user - before.system)
    before = now
    timer = setImmediate(turn)
  }
  return () => { clearImmediate(timer); return longest / 1000 }
}

/** What the process of its own does: it plays openssl, with the loop watched. */
async function buildFromIndex(folder: string): Promise<void> {
  const key = readPrivateKey(await readFile(join(folder, 'ca.key'), 'utf8'))
  const signer = keySigner(key)
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  await pause(50)
  loop.reset()
  const longestTurn = watchTurns()
  const begin = performance.now()
  const crl = await buildCrl({
    issuer, authorityKeyId: keyIdOfSpki(spkiOfKey(key)), number: 1n, thisUpdate: new Date('2026-11-21T00:00:00Z'), nextUpdate: new Date('2026-11-28T00:00:00Z'), entries: readIndex(join(folder, 'index.txt')),
  }, signer)
  const figures: OwnFigures = { milliseconds: performance.now() - begin, longestStopMs: loop.max / 1e6, longestTurnMs: longestTurn() }
  loop.disable()
  await writeFile(join(folder, 'ours.crl'), crl)
  process.stdout.write(JSON.stringify(figures))
}

/** @throws Error when what was made is not what was asked for */
async function checkResult(folder: string): Promise<number> {
  const crl = readCrl(await readFile(join(folder, 'ours.crl')))
  if (crl.entryCount !== count) throw new Error(`the CRL has ${crl.entryCount} entries instead of ${count}`)
  return crl.parts.der.length
}

/** Building and signing a CRL of a million entries, and what that does to others in the same process. */
export async function measureCrl(cleanup: Cleanup): Promise<Line[]> {
  const folder = await mkdtemp(join(tmpdir(), 'certloop-bench-crl-'))
  cleanup(() => rm(folder, { recursive: true, force: true }))
  await Promise.all([authority(folder), writeIndex(join(folder, 'index.txt'))])
  const ours = await costOf(cleanup, process.execPath, [fileURLToPath(import.meta.url), folder])
  const own = JSON.parse(ours.output) as OwnFigures
  const bytes = await checkResult(folder)
  const at = (name: string) => join(folder, name)
  const theirs = await costOf(cleanup, 'openssl', ['ca', '-gencrl', '-config', at('ca.cnf'), '-cert', at('ca.pem'), '-keyfile', at('ca.key'), '-out', at('theirs.pem')])
  const peer = 'openssl ca -gencrl'
  return [
    atMost(1, {
      name: 'a CRL of a million entries, read from an index file', unit: 's', measured: ours.seconds, peer: { name: peer, value: theirs.seconds },
      note: `${(bytes / 1e6).toFixed(0)} MB of DER. Whole processes; reading the index and building took ${(own.milliseconds / 1000).toFixed(1)} s.`,
    }),
    atMost(1, { name: 'most memory of that process', unit: 'MB', measured: ours.megabytes, peer: { name: peer, value: theirs.megabytes } }),
    within(50, {
      name: 'longest time for which the event loop could serve nothing else', unit: 'ms', measured: own.longestTurnMs,
      note: `Processor time of one turn of the loop; ${own.longestStopMs.toFixed(0)} ms by the clock, in which other processes had the core as well.`,
    }),
  ]
}

if (import.meta.main) await buildFromIndex(process.argv[2] ?? '')
