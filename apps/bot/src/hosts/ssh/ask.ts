import { CertloopError, type SshReach, type TargetSecrets } from '@certloop/contract'
import { randomBytes } from 'node:crypto'
import type { ClientChannel } from 'ssh2'
import { type Connection, ConnectionLost } from './connection.ts'
import type { SshPool } from './pool.ts'
import { shellInput, startCommand, type Userland } from './script.ts'

export interface Question {
  /** For a POSIX shell on the far side. Reads `input` as its standard input. */
  script: string
  input?: Uint8Array
  /** Default 60,000. */
  timeoutMs?: number
  /** When it aborts, this line goes to the standard input of the script, which then has to end by itself. */
  stop?: { signal: AbortSignal; line: string }
  /** Of standard output and of standard error; what comes after is dropped. Default 32 MiB. */
  limitBytes?: number
}

export interface Answer {
  /** 128 + the signal's number when a signal ended it. */
  exitCode: number
  stdout: Buffer
  stderr: Buffer
  truncated: boolean
  /** The deadline was over before it ended. */
  late: boolean
  /** Stands on both outputs before anything the script says; scripts write it (as $m) where no other text must be taken for it. */
  mark: string
}

export interface FarSide {
  readonly reach: SshReach
  readonly userland: Userland
  /** @throws CertloopError of the connection, PRIVILEGE_REFUSED; HOST_UNREACHABLE when it is lost or nothing is heard in time */
  ask(question: Question): Promise<Answer>
  /** The channel of a script that goes on: its answer begins behind the mark. */
  begin(question: Question, mark: string): Promise<ClientChannel>
  withConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T>
}

const defaultTimeoutMs = 60_000
const defaultLimit = 32 * 1024 * 1024
/** What a login shell may say before the script begins. */
const noiseLimit = 256 * 1024
/** How long an output may stay open after the end: a daemon left behind may hold it for ever. */
const pipeGraceMs = 500

export function farSide(reach: SshReach, secrets: TargetSecrets, pool: SshPool, userland: Userland): FarSide {
  async function withConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const connection = await pool.connection(reach, secrets)
      const done = pool.use(connection)
      try {
        return await work(connection)
      } catch (error) {
        // Lost before anything was asked: once more over a new one.
        if (!(error instanceof ConnectionLost) || attempt === 2) throw error
      } finally {
        done()
      }
    }
  }

  async function open(connection: Connection, { script, input, timeoutMs = defaultTimeoutMs }: Question, mark: string): Promise<ClientChannel> {
    const channel = await connection.exec(startCommand(userland, reach.privilege), timeoutMs)
    channel.on('error', () => undefined)
    channel.write(shellInput(script, mark, userland, input))
    return channel
  }

  return {
    reach, userland, withConnection,
    begin: (question, mark) => withConnection((connection) => open(connection, question, mark)),
    async ask(question) {
      const mark = newMark()
      return withConnection(async (connection) => {
        const channel = await open(connection, question, mark)
        const stopped = stopBy(channel, question)
        const heard = await listen(channel, mark, question).finally(stopped)
        if (heard.late) connection.retire()
        return answerOf(heard, mark, reach, question)
      })
    },
  }
}

/** Standard input stays open as long as there may be something to say. @returns what forgets about it */
function stopBy(channel: ClientChannel, { stop }: Question): () => void {
  if (stop === undefined) {
    channel.end()
    return () => undefined
  }
  const { signal, line } = stop
  const tell = () => { channel.end(`${line}\n`) }
  if (signal.aborted) tell()
  else signal.addEventListener('abort', tell, { once: true })
  return () => { signal.removeEventListener('abort', tell) }
}

export const newMark = (): string => `certloop-${randomBytes(12).toString('hex')}`

interface Heard { exitCode: number | undefined; out: Collected; error: Collected; late: boolean }

function listen(channel: ClientChannel, mark: string, { timeoutMs = defaultTimeoutMs, limitBytes = defaultLimit }: Question): Promise<Heard> {
  return new Promise((resolve) => {
    const [out, error] = [collect(mark, limitBytes), collect(mark, limitBytes)]
    let exitCode: number | undefined
    let grace: NodeJS.Timeout | undefined
    const finish = (late: boolean) => {
      clearTimeout(timer)
      clearTimeout(grace)
      channel.close()
      resolve({ exitCode, out, error, late })
    }
    const timer = setTimeout(() => { finish(true) }, timeoutMs)
    channel.on('data', out.add)
    channel.stderr.on('data', error.add)
    channel.once('exit', (code: number | null, signal?: string) => {
      exitCode = code ?? 128 + signalNumber(signal ?? '')
      grace = setTimeout(() => { finish(false) }, pipeGraceMs)
    })
    channel.once('close', () => { finish(false) })
  })
}

function answerOf({ exitCode, out, error, late }: Heard, mark: string, { host, port, user, privilege }: SshReach, { timeoutMs = defaultTimeoutMs }: Question): Answer {
  const place = `${host} port ${port}`
  if (!late && exitCode === undefined) throw new CertloopError('HOST_UNREACHABLE', `The SSH connection to ${place} was lost in the middle of a command.`, { host, port })
  if (!out.begun() || !error.begun()) {
    if (late) throw new CertloopError('HOST_UNREACHABLE', `${place} did not answer within ${timeoutMs} ms.`, { host, port })
    const said = `${error.noise()} ${out.noise()}`.trim().slice(-500)
    throw new CertloopError('PRIVILEGE_REFUSED', `${user} on ${place} ${refusal(said, privilege)}${said === '' ? '' : ` It said: ${said}`}`, { host, port, user })
  }
  return { exitCode: exitCode ?? 0, stdout: out.content(), stderr: error.content(), truncated: out.truncated() || error.truncated(), late, mark }
}

function refusal(said: string, privilege: SshReach['privilege']): string {
  if (privilege === 'sudo' && /sudo: .*(password|terminal|tty)/i.test(said)) return 'may not use sudo without a password. A rule with NOPASSWD is needed, and for this account no requiretty.'
  if (privilege === 'sudo' && /sudo: .*not found|sudo: not found|sudo: No such|Unknown command.*sudo/i.test(said)) return 'has no sudo to get the rights of root with. Install it, or log in as root.'
  if (privilege === 'sudo' && /not allowed|may not run|not in the sudoers/i.test(said)) return 'has no sudo rule that allows it.'
  return 'can not run commands: its login shell or a ForceCommand of the SSH server does something else.'
}

interface Collected { add(chunk: Buffer): void; begun(): boolean; content(): Buffer; noise(): string; truncated(): boolean }

/** What comes behind the line of the mark, up to a limit. */
function collect(mark: string, limit: number): Collected {
  const line = Buffer.from(`${mark}\n`)
  let before: Buffer = Buffer.alloc(0)
  let [begun, size, truncated] = [false, 0, false]
  const chunks: Buffer[] = []
  const keep = (chunk: Buffer) => {
    const part = chunk.subarray(0, Math.max(0, limit - size))
    if (part.length < chunk.length) truncated = true
    if (part.length > 0) chunks.push(part)
    size += part.length
  }
  return {
    add(chunk) {
      if (begun) return keep(chunk)
      before = Buffer.concat([before, chunk])
      const at = before.indexOf(line)
      if (at < 0) {
        before = before.subarray(-noiseLimit)
        return
      }
      begun = true
      keep(before.subarray(at + line.length))
    },
    begun: () => begun,
    content: () => Buffer.concat(chunks),
    noise: () => (begun ? '' : before.toString('utf8').trim()),
    truncated: () => truncated,
  }
}

const signalNumbers: Record<string, number> = { HUP: 1, INT: 2, QUIT: 3, ILL: 4, ABRT: 6, FPE: 8, KILL: 9, SEGV: 11, PIPE: 13, ALRM: 14, TERM: 15, USR1: 10, USR2: 12 }
const signalNumber = (name: string) => signalNumbers[name.replace(/^SIG/, '')] ?? 0
