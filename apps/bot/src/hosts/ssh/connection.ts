import { CertloopError, type JumpHost, type SshReach, type TargetSecrets } from '@certloop/contract'
import type { Duplex } from 'node:stream'
import type { Client, ClientChannel, SFTPWrapper } from 'ssh2'
import { connectLocally, reasonFor } from '../local-connect.ts'
import { type LoginTimes, logIn } from './login.ts'

export interface ConnectionSettings extends LoginTimes {
  /** Commands at once; below OpenSSH's MaxSessions of 10, as other clients share the account. */
  sessionsAtOnce: number
}

/** One login on one machine, with the machines on the way. */
export interface Connection {
  readonly open: boolean
  /** A channel that runs a command, as soon as there is one free. @throws CertloopError HOST_UNREACHABLE */
  exec(command: string, timeoutMs: number): Promise<ClientChannel>
  forward(to: { address: string; port: number } | { path: string }, timeoutMs: number): Promise<Duplex>
  /** The channel of the sftp subsystem, one for all. @throws CertloopError HOST_UNREACHABLE, also when the server has no such subsystem */
  sftp(timeoutMs: number): Promise<SFTPWrapper>
  /** Takes no further work: something on it did not answer. */
  retire(): void
  close(): void
  onClose(listener: () => void): void
}

/** The connection ended before anything was asked of the host, so the same may be asked again over another. */
export class ConnectionLost extends CertloopError {
  constructor(place: string, cause?: unknown) {
    super('HOST_UNREACHABLE', `The SSH connection to ${place} was lost.`, { place }, cause)
  }
}

/** @throws CertloopError as logIn, for the host or a machine on the way */
export async function openConnection(reach: SshReach, secrets: TargetSecrets, settings: ConnectionSettings): Promise<Connection> {
  const logins: JumpHost[] = [...reach.jumps, reach]
  const clients: Client[] = []
  try {
    for (const [i, login] of logins.entries()) {
      const before = clients.at(-1)
      const open = before === undefined ? () => overTcp(login, settings.connectTimeoutMs) : () => through(before, login, settings.connectTimeoutMs)
      const own = login === reach ? secrets.login : secrets.jumps?.[i]
      clients.push(await logIn(open, login, own ?? {}, settings))
    }
  } catch (error) {
    for (const client of clients) client.destroy()
    throw error
  }
  return connectionOver(clients, `${reach.host} port ${reach.port}`, settings)
}

async function overTcp({ host, port }: JumpHost, timeoutMs: number): Promise<Duplex> {
  return (await connectLocally({ address: host, port }, timeoutMs)).setNoDelay(true).setKeepAlive(true)
}

async function through(client: Client, { host, port }: JumpHost, timeoutMs: number): Promise<Duplex> {
  return inTime(timeoutMs, `${host} port ${port}`, (done) => { client.forwardOut('127.0.0.1', 0, host, port, done) })
}

/** Calls back like Node does; what comes too late is closed. */
function inTime<T extends Duplex>(timeoutMs: number, place: string, begin: (done: (error: Error | undefined, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let late = false
    const unreachable = (reason: string, cause?: unknown) => new CertloopError('HOST_UNREACHABLE', `No connection to ${place}: ${reason}.`, { place }, cause)
    const timer = setTimeout(() => {
      late = true
      reject(unreachable(`nothing answered within ${timeoutMs} ms`))
    }, timeoutMs)
    const done = (error: Error | undefined, value: T) => {
      clearTimeout(timer)
      if (error) reject(/not connected/i.test(error.message) ? new ConnectionLost(place, error) : unreachable(openFailure(error), error))
      else if (late) value.destroy()
      else resolve(value)
    }
    try {
      begin(done)
    } catch (error) {
      clearTimeout(timer)
      reject(new ConnectionLost(place, error))
    }
  })
}

const errorNames: Record<string, string> = { 'Connection refused': 'ECONNREFUSED', 'Connection timed out': 'ETIMEDOUT', 'No route to host': 'EHOSTUNREACH', 'Network is unreachable': 'ENETUNREACH' }

/** RFC 4254 section 5.1: 1 is "administratively prohibited". OpenSSH adds the words of the system. */
function openFailure(error: Error & { reason?: unknown }): string {
  if (error.reason === 1) return 'the SSH server does not allow it (see AllowTcpForwarding, AllowStreamLocalForwarding and PermitOpen in its sshd_config)'
  const words = error.message.replace(/^\(SSH\) Channel open failure: /, '')
  const code = errorNames[words]
  return code === undefined ? words : reasonFor(Object.assign(new Error(words), { code }))
}

function connectionOver(clients: readonly Client[], place: string, { sessionsAtOnce }: ConnectionSettings): Connection {
  const [client] = clients.slice(-1)
  if (client === undefined) throw new Error('no client')
  let open = true
  let retired = false
  const listeners: (() => void)[] = []
  const places = createPlaces(sessionsAtOnce)
  const close = () => {
    for (const one of clients.toReversed()) one.destroy()
  }
  client.once('close', () => {
    open = false
    places.end()
    close()
    for (const listener of listeners) listener()
  })

  let shared: Promise<SFTPWrapper> | undefined
  const sftp = (timeoutMs: number): Promise<SFTPWrapper> => {
    shared ??= inTime<SFTPWrapper & Duplex>(timeoutMs, `the sftp subsystem of ${place}`, (done) => { client.sftp(done as Parameters<Client['sftp']>[0]) })
      // An error without a listener would end the process; what it means is told by the calls.
      .then((channel) => channel.on('error', () => undefined).on('close', () => { shared = undefined }), (error: unknown) => {
        shared = undefined
        throw error
      })
    return shared
  }

  return {
    get open() { return open && !retired },
    async exec(command, timeoutMs) {
      for (;;) {
        const release = await places.take(timeoutMs)
        if (release === undefined || !open) throw new ConnectionLost(place)
        try {
          const channel = await inTime<ClientChannel>(timeoutMs, place, (done) => { client.exec(command, { env: {} }, done) })
          channel.once('close', release)
          return channel
        } catch (error) {
          release()
          // MaxSessions is lower than thought: with fewer at once, when others are under way.
          if (error instanceof ConnectionLost || !places.fewer()) throw error
        }
      }
    },
    forward: (to, timeoutMs) => ('path' in to
      ? inTime(timeoutMs, `the socket ${to.path}`, (done) => { client.openssh_forwardOutStreamLocal(to.path, done) })
      : inTime(timeoutMs, `${to.address} port ${to.port}`, (done) => { client.forwardOut('127.0.0.1', 0, to.address, to.port, done) })),
    sftp,
    retire() { retired = true },
    close,
    onClose(listener) { listeners.push(listener) },
  }
}

/** Counts sessions. */
function createPlaces(total: number) {
  let [limit, taken, ended] = [total, 0, false]
  const waiting = new Set<() => void>()
  const next = () => { for (const wake of [...waiting].slice(0, Math.max(0, limit - taken))) { waiting.delete(wake); wake() } }
  return {
    /** undefined: the connection ended meanwhile. @throws CertloopError HOST_UNREACHABLE when none got free in time */
    async take(timeoutMs: number): Promise<(() => void) | undefined> {
      const until = performance.now() + timeoutMs
      while (!ended && taken >= limit) {
        const left = until - performance.now()
        if (left <= 0) throw new CertloopError('HOST_UNREACHABLE', `The host was busy with other commands of the bot for ${timeoutMs} ms.`)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(() => { waiting.delete(wake); resolve() }, left)
          const wake = () => { clearTimeout(timer); resolve() }
          waiting.add(wake)
        })
      }
      if (ended) return undefined
      taken++
      let released = false
      return () => {
        if (released) return
        released = true
        taken--
        next()
      }
    },
    /** False when nothing else runs, so that fewer would be none. */
    fewer(): boolean {
      if (taken === 0) return false
      limit = taken
      return true
    },
    end() {
      ended = true
      for (const wake of waiting) wake()
      waiting.clear()
    },
  }
}
