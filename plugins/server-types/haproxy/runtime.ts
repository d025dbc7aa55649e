import { type SocketCommandStep, toCertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { ReadableSlot } from '../shared/pem-files/slots.ts'
import { commandSocket } from './addresses.ts'
import type { Configuration } from './configuration.ts'
import type { Instance } from './instance.ts'

type Place = SocketCommandStep['socket']

/** The runtime API of the worker that runs now (management guide, chapter 9.3). */
export interface Runtime {
  socket: Place
  /** "@1 " where it is the master that passes commands on. */
  prefix: string
  /** Certificates by the names that HAProxy knows them by. */
  certificates: string[]
  /** Of a certificate that somebody else is changing just now. */
  transactions: string[]
}

const answerSeconds = 5
const answerLimit = 8 << 20
const commandSeconds = 30

/** The first socket that belongs to this process and takes orders; else why there is none. */
export async function findRuntime(host: Host, instance: Instance, { settings }: Configuration): Promise<Runtime | { reason: string }> {
  if (settings.processes > 1) return { reason: `nbproc is ${settings.processes}, and each process would have to be told by itself` }
  const master = instance.line.masterSocket?.split(',')[0]
  const candidates = [...settings.statsSockets.map((address) => ({ address, prefix: '' })), ...(master === undefined ? [] : [{ address: master, prefix: '@1 ' }])]
  const reasons: string[] = []
  const { pid } = instance.process
  const pids = new Set((candidates.length === 0 ? [] : await host.processes()).filter((entry) => entry.pid === pid || entry.parentPid === pid).map((entry) => entry.pid))
  for (const { address, prefix } of candidates) {
    const socket = commandSocket(address.startsWith('/') || address.includes('@') || address.includes(':') ? address : path.posix.resolve(instance.workingDirectory, address))
    if (socket === undefined) continue
    const found = await look(host, pids, socket, prefix).catch((error: unknown) => `${address}: ${toCertloopError(error).message}`)
    if (typeof found !== 'string') return found
    reasons.push(found)
  }
  return { reason: reasons.length > 0 ? reasons.join(' ') : 'no stats socket is configured' }
}

async function look(host: Host, pids: ReadonlySet<number>, socket: Place, prefix: string): Promise<Runtime | string> {
  const place = 'path' in socket ? socket.path : `${socket.address}:${socket.port}`
  const level = (await ask(host, socket, `${prefix}show cli level`)).trim()
  if (level !== 'admin') return `${place} is not of level admin${level === '' ? '' : ` but "${level.slice(0, 60)}"`}.`
  const [, pid] = /^Pid: (\d+)$/m.exec(await ask(host, socket, `${prefix}show info`)) ?? []
  if (pid === undefined || !pids.has(Number(pid))) return `${place} belongs to another process.`
  const names = (await ask(host, socket, `${prefix}show ssl cert`)).split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'))
  return { socket, prefix, certificates: names.filter((name) => !name.startsWith('*')), transactions: names.filter((name) => name.startsWith('*')).map((name) => name.slice(1)) }
}

/** One command; HAProxy closes after its answer. @throws CertloopError HOST_UNREACHABLE */
async function ask(host: Host, socket: Place, command: string): Promise<string> {
  const stream = await host.connect(socket, answerSeconds * 1000)
  const end = new AbortController()
  void pause(answerSeconds * 1000, undefined, { signal: end.signal }).then(() => stream.destroy(new Error('no answer in time')), () => {})
  try {
    stream.write(`${command}\n`)
    let said = ''
    for await (const chunk of stream) {
      said += Buffer.from(chunk as Uint8Array).toString('utf8')
      if (said.length > answerLimit) break
    }
    return said
  } finally {
    end.abort()
    stream.destroy()
  }
}

/** What a payload needs besides the certificates that are known: the key, the command, ends of lines. */
const keyAllowance = 4000

/** The step that makes the running process take up the files of a slot; else why it can't. */
export function runtimeStep({ socket, prefix, certificates, transactions }: Runtime, { settings: { bufsize } }: Configuration, instance: Instance, slot: ReadableSlot, chainPem: readonly string[]): SocketCommandStep | { reason: string } {
  const { certificate, key } = slot.files
  const isSame = (name: string) => [slot.pair, ...slot.pair.aliases].some(({ certificatePath }) => path.posix.resolve(instance.workingDirectory, name) === certificatePath)
  const names = certificates.filter(isSame)
  const [busy] = transactions
  if (names.length === 0) return { reason: `the running process has no certificate of the name ${slot.pair.certificatePath}.` }
  if (busy !== undefined && !names.includes(busy)) return { reason: `somebody is changing ${busy} through it just now.` }
  const holed = [certificate, key].find(({ content }) => /^\r?\n/m.test(Buffer.from(content ?? []).toString('latin1')))
  if (holed !== undefined) return { reason: `${holed.path} has empty lines, and one ends what is sent, so an undo could not send it. Remove them, or take a reload: what is written now has none.` }
  const longest = Math.max(chainPem.join('').length + keyAllowance, (certificate.content?.length ?? 0) + 200)
  if (longest > bufsize) return { reason: `the certificate with its chain does not fit into tune.bufsize (${bufsize} bytes).` }
  const separate = certificate.realPath !== key.realPath
  const set = (name: string, file: string) => ({ send: `${prefix}set ssl cert ${name} <<\n`, file, end: '\n', expect: 'Transaction (created|updated)' })
  return {
    kind: 'socket-command', title: 'Replace the certificate in the running HAProxy', socket, timeoutSeconds: commandSeconds,
    commands: names.flatMap((name) => [
      // One that was left open, as by a connection that broke, would mix with this one.
      { send: `${prefix}abort ssl cert ${name}\n`, expect: 'Transaction aborted|No ongoing transaction' },
      set(name, certificate.realPath),
      ...(separate ? [set(keyName(name, settingsOf(slot)), key.realPath)] : []),
      { send: `${prefix}commit ssl cert ${name}\n`, expect: 'Success!' },
    ]),
  }
}

const settingsOf = ({ pair }: ReadableSlot) => ({ removesExtension: pair.keyPath !== `${pair.certificatePath}.key` })
const keyName = (name: string, { removesExtension }: { removesExtension: boolean }) => `${removesExtension ? name.replace(/\.crt$/, '') : name}.key`
