// `openssl ca -gencrl` on an index of revoked certificates: the peer of all long lists.
import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { authorityKeyIdentifier, basicConstraints, buildCertificate, generateKey, keyIdOfSpki, keySigner, keyUsage, nameOfCommonName, readPrivateKey, spkiOfKey, subjectKeyIdentifier, toPem } from '@certloop/pki'
import { requireTool } from '@certloop/test-kit'
import type { Cleanup } from './index.ts'

export const crlIssuer = nameOfCommonName('Benchmark CA')

/** What a process took: seconds from its start to its end, and the most memory it ever had, in MB (10^6 bytes). */
export interface Cost { seconds: number; megabytes: number; output: string }

/** One row of openssl's index: state, end, revocation with reason, serial number, file, subject. Serial numbers of 16 bytes, as if random. */
function indexRow(i: number): string {
  const serial = (BigInt(i + 1) * 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835n) % (1n << 127n)
  return `R\t641231235959Z\t26${String(1 + (i % 9)).padStart(2, '0')}${String(10 + (i % 17))}101112Z,${i % 3 === 0 ? 'keyCompromise' : 'superseded'}\t${serial.toString(16).padStart(32, '0').toUpperCase()}\tunknown\t/CN=${i}\n`
}

async function writeIndex(path: string, count: number): Promise<void> {
  const file = await open(path, 'w')
  for (let from = 0; from < count; from += 10_000) await file.write(Array.from({ length: Math.min(10_000, count - from) }, (_, i) => indexRow(from + i)).join(''))
  await file.close()
}

async function authority(folder: string): Promise<void> {
  const keyPem = await generateKey('ec-256')
  const key = readPrivateKey(keyPem)
  const [spki, signer] = [spkiOfKey(key), keySigner(key)]
  const keyId = keyIdOfSpki(spki)
  const extensions = [basicConstraints(true), keyUsage(['keyCertSign', 'cRLSign']), subjectKeyIdentifier(keyId), authorityKeyIdentifier(keyId)]
  const der = await buildCertificate({ serialNumber: '01', issuer: crlIssuer, subject: crlIssuer, spki, notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2064-01-01T00:00:00Z'), extensions }, signer)
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

export async function costOf(cleanup: Cleanup, program: string, args: readonly string[]): Promise<Cost> {
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

/** A folder with a CA (ca.key, ca.pem, ca.cnf) whose index.txt names so many revoked certificates. */
export async function opensslFolder(cleanup: Cleanup, count: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'certloop-bench-crl-'))
  cleanup(() => rm(folder, { recursive: true, force: true }))
  await Promise.all([authority(folder), writeIndex(join(folder, 'index.txt'), count)])
  return folder
}

export const gencrlName = 'openssl ca -gencrl'
const known = new Map<number, Cost>()

/** What openssl takes for a list of that many; measured once in a run. @param folder of opensslFolder, when there is one */
export async function opensslCost(cleanup: Cleanup, count: number, folder?: string): Promise<Cost> {
  const present = known.get(count)
  if (present) return present
  const at = folder ?? await opensslFolder(cleanup, count)
  const cost = await costOf(cleanup, requireTool('openssl'), ['ca', '-gencrl', '-config', join(at, 'ca.cnf'), '-cert', join(at, 'ca.pem'), '-keyfile', join(at, 'ca.key'), '-out', join(at, 'theirs.pem')])
  known.set(count, cost)
  return cost
}
