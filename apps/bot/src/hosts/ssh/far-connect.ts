import { CertloopError } from '@certloop/contract'
import type { SocketPlace } from '@certloop/plugin-kit'
import type { Duplex } from 'node:stream'
import type { ClientChannel } from 'ssh2'
import { connectTimeoutMs, placeName } from '../local-connect.ts'
import { type FarSide, newMark } from './ask.ts'
import { quoted } from './script.ts'

/** Programs read more into what is none of these: socat takes "a:1!!EXEC:…" for a command to be run, nc "-e…" for an option. */
const plainAddress = /^[A-Za-z0-9_:][A-Za-z0-9_.:%-]*$/
/** The same of a socket: characters that part or quote the words of a socat address. */
const plainPath = /^[^,:!"'\\()[\]{}]+$/
/** What may be said before the word that a connection is there, and of the reason why there is none. */
const saidLimit = 256 * 1024

/**
 * A connection that begins on the far host: a channel of the SSH server, or where it does not grant one, a usual program
 * there that does the same. A socket for root alone needs the program, as the SSH server connects as the account.
 */
export async function connectFar(far: FarSide, to: SocketPlace, timeoutMs = connectTimeoutMs): Promise<Duplex> {
  const end = performance.now() + timeoutMs
  const left = () => Math.max(1, Math.round(end - performance.now()))
  if ('address' in to && !plainAddress.test(to.address)) throw new CertloopError('HOST_UNREACHABLE', `No connection to ${placeName(to)}: this is no name and no IP address.`, { place: placeName(to) })
  const byServer = () => far.withConnection((connection) => connection.forward(to, left()))
  const byProgram = () => throughProgram(far, to, left())
  const [first, second] = 'path' in to && far.reach.privilege === 'sudo' ? [byProgram, byServer] : [byServer, byProgram]
  try {
    return await first()
  } catch (error) {
    if (!(error instanceof CertloopError) || !mayBeOtherwise(error, to)) throw error
    return second().catch((other: unknown) => { throw clearer(error, other, to) })
  }
}

/** What listens nowhere is not found by another way either. */
const mayBeOtherwise = ({ code, message }: CertloopError, to: SocketPlace) =>
  code === 'HOST_UNREACHABLE' && ('path' in to || /does not allow it/.test(message)) && !/nothing listens there|within \d+ ms|was lost/.test(message)

function clearer(first: CertloopError, second: unknown, to: SocketPlace): CertloopError {
  const also = second instanceof CertloopError ? second.message : String(second)
  return new CertloopError('HOST_UNREACHABLE', `${first.message} ${also}`, { place: placeName(to) }, second)
}

/** Each is given standard input and output; what it says when it fails comes on standard error. */
function programScript(to: SocketPlace): string {
  if ('path' in to) {
    const path = quoted(to.path)
    const socat = plainPath.test(to.path) ? `if command -v socat >/dev/null; then echo go; exec socat - "UNIX-CONNECT:$s"; fi\n` : ''
    return `s=${path}
[ -e "$s" ] || { echo 'there is no such socket' >&2; exit 1; }
[ -S "$s" ] || { echo 'this is not a socket' >&2; exit 1; }
[ -w "$s" ] || { echo 'the account may not use it' >&2; exit 1; }
${socat}if command -v nc >/dev/null && nc -h 2>&1 | grep -q -- -U; then echo go; exec nc -U "$s"; fi
echo 'the host has neither socat nor an nc that knows Unix sockets (netcat-openbsd)' >&2; exit 1`
  }
  const [address, port] = [quoted(to.address), String(to.port)]
  const forSocat = to.address.includes(':') ? quoted(`[${to.address}]`) : address
  // bash says itself when it is connected; the others are asked whether they can be, before they are.
  return `if command -v bash >/dev/null; then exec bash -c 'exec 3<>"/dev/tcp/$1/$2" || exit 1; echo go; cat <&3 & cat >&3; wait' bash ${address} ${port}; fi
if command -v socat >/dev/null; then socat -u /dev/null TCP:${forSocat}:${port} && echo go && exec socat - TCP:${forSocat}:${port}; exit 1; fi
if command -v nc >/dev/null; then nc -z ${address} ${port} || { echo 'nothing listens there' >&2; exit 1; }; echo go; exec nc ${address} ${port}; fi
echo 'the host has none of socat, nc and bash to connect with' >&2; exit 1`
}

async function throughProgram(far: FarSide, to: SocketPlace, timeoutMs: number): Promise<Duplex> {
  const mark = newMark()
  const channel = await far.begin({ script: programScript(to), timeoutMs }, mark)
  return afterGo(channel, `${mark}\ngo\n`, to, timeoutMs)
}

/** The channel from the word on, or what was said instead. */
function afterGo(channel: ClientChannel, word: string, to: SocketPlace, timeoutMs: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    let heard: Buffer = Buffer.alloc(0)
    let said = ''
    const fail = (reason: string) => {
      clearTimeout(timer)
      channel.destroy()
      reject(new CertloopError('HOST_UNREACHABLE', `No connection to ${placeName(to)}: ${reason}.`, { place: placeName(to) }))
    }
    const ended = () => { fail(said.trim().split('\n').at(-1)?.slice(0, 300) ?? 'the connection ended') }
    const timer = setTimeout(() => { fail(`nothing answered within ${timeoutMs} ms`) }, timeoutMs)
    const hear = (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk])
      const at = heard.indexOf(word)
      if (at < 0) return heard.length > saidLimit ? fail('the host says something else without end') : undefined
      clearTimeout(timer)
      channel.off('data', hear).off('close', ended).pause()
      const rest = heard.subarray(at + word.length)
      if (rest.length > 0) channel.unshift(rest)
      resolve(channel)
    }
    channel.stderr.on('data', (chunk: Buffer) => { said = `${said}${chunk.toString('utf8')}`.slice(-saidLimit) })
    channel.on('data', hear).once('close', ended)
  })
}
