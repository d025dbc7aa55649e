import { CertloopError, type JumpHost, type LoginSecrets } from '@certloop/contract'
import type { Duplex } from 'node:stream'
import ssh2, { type AnyAuthMethod, type Client, type ConnectConfig } from 'ssh2'
import { changedHostKey, describeHostKey, familyOf, hostKeyFamilies, type SeenHostKey, unknownHostKey } from './host-key.ts'
import { readKeyFile, readLoginKey } from './login-key.ts'

export interface LoginTimes { connectTimeoutMs: number; keepaliveMs: number }
interface Attempt { client: Client } 
type Outcome = Attempt | { mismatch: SeenHostKey } | { noneLeft: true }

/** More questions than these are not about a password. */
const maxQuestions = 3

/**
 * Logs in over a stream. The host key is checked before anything secret is sent; a host with several keys is asked for
 * each kind in turn until the confirmed one shows.
 * @param open gives a new stream to the SSH server each time
 * @throws CertloopError HOST_KEY_UNKNOWN, HOST_KEY_CHANGED, LOGIN_REFUSED, HOST_UNREACHABLE
 */
export async function logIn(open: () => Promise<Duplex>, login: JumpHost, secrets: LoginSecrets, times: LoginTimes): Promise<Client> {
  // Read before the first packet, so that a missing key is told without a knock at the door.
  const methods = await methodsFor(login, secrets)
  const seen: SeenHostKey[] = []
  let families = Object.keys(hostKeyFamilies)
  while (families.length > 0) {
    const outcome = await attempt(await open(), login, methods, families, times)
    if ('client' in outcome) return outcome.client
    if ('noneLeft' in outcome) break
    seen.push(outcome.mismatch)
    const family = familyOf(outcome.mismatch.keyType)
    families = family === undefined ? [] : families.filter((one) => one !== family)
  }
  throw changedHostKey({ ...login, hostKey: login.hostKey ?? '' }, seen)
}

function attempt(stream: Duplex, login: JumpHost, methods: AnyAuthMethod[], families: readonly string[], { connectTimeoutMs, keepaliveMs }: LoginTimes): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client()
    let mismatch: SeenHostKey | undefined
    const tried: string[] = []
    let allowed: readonly string[] = []
    const left = [...methods]
    const fail = (error: unknown) => {
      client.destroy()
      stream.destroy()
      if (mismatch !== undefined) return login.hostKey === null ? reject(unknownHostKey(login, mismatch)) : resolve({ mismatch })
      if (families.length < Object.keys(hostKeyFamilies).length && isNoCommonKey(error)) return resolve({ noneLeft: true })
      reject(loginError(error, login, tried, allowed, connectTimeoutMs))
    }
    client.on('error', fail).on('close', () => { fail(new Error('the connection was closed during the login')) })
    client.once('ready', () => {
      client.off('error', fail).removeAllListeners('close')
      // An error without a listener would end the process; what it means for calls is told by the closing.
      client.on('error', () => undefined)
      resolve({ client })
    })
    const config: ConnectConfig = {
      sock: stream,
      username: login.user,
      readyTimeout: connectTimeoutMs,
      keepaliveInterval: keepaliveMs,
      keepaliveCountMax: 3,
      algorithms: { serverHostKey: families.flatMap((family) => hostKeyFamilies[family] ?? []) as never },
      hostVerifier: (key: Buffer) => {
        const shown = describeHostKey(key)
        if (shown.fingerprint === login.hostKey) return true
        mismatch = shown
        return false
      },
      authHandler: ((methodsLeft: string[] | null, _partial: boolean | null, next: (method: AnyAuthMethod | false) => void) => {
        allowed = methodsLeft ?? allowed
        // A method that the server does not offer only counts against the tries it grants.
        const at = left.findIndex(({ type }) => methodsLeft === null || methodsLeft.includes(type))
        const [method] = at < 0 ? [] : left.splice(0, at + 1).slice(-1)
        if (method !== undefined) tried.push(method.type)
        next(method ?? false)
      }) as NonNullable<ConnectConfig['authHandler']>,
    }
    client.connect(config)
  })
}

/** @throws CertloopError LOGIN_REFUSED when there is nothing to log in with */
async function methodsFor(login: JumpHost, { password, privateKey, passphrase }: LoginSecrets): Promise<AnyAuthMethod[]> {
  const { user: username, authentication } = login
  if (authentication === 'password') {
    if (password === undefined) throw unable(login, 'no password is given')
    return [{ type: 'password', username, password }, { type: 'keyboard-interactive', username, prompt: answering(password) }]
  }
  const source = authentication === 'key' ? privateKey : await readKeyFile(login.keyPath)
  if (source === undefined) throw unable(login, 'no private key is given')
  // A key kept in the platform is text; a file gives its text, or why there is none.
  if (authentication === 'bot-key' && typeof source === 'string') throw unable(login, source)
  const key = readLoginKey(typeof source === 'string' ? source : source.text, passphrase)
  if (typeof key === 'string') throw unable(login, key)
  return [{ type: 'publickey', username, key }]
}

/** Answers one question that hides what is typed, and no other: never a password to anything that shows it. */
function answering(password: string) {
  let asked = 0
  return (_name: string, _instructions: string, _language: string, prompts: { prompt: string; echo?: boolean }[], finish: (answers: string[]) => void): void => {
    asked++
    const fits = asked <= maxQuestions && prompts.length === 1 && prompts[0]?.echo !== true
    finish(fits ? [password] : prompts.map(() => ''))
  }
}

const unable = ({ host, port, user }: JumpHost, reason: string) =>
  new CertloopError('LOGIN_REFUSED', `There is no way to log in to ${host} port ${port} as ${user}: ${reason}.`, { host, port, user })

const isNoCommonKey = (error: unknown) => error instanceof Error && /no matching (server )?host key/i.test(error.message)

function loginError(error: unknown, { host, port, user }: JumpHost, tried: readonly string[], allowed: readonly string[], timeoutMs: number): CertloopError {
  const { message, level } = error instanceof Error ? error as Error & { level?: string } : { message: String(error), level: '' }
  if (level === 'client-authentication' || /authentication failures/i.test(message)) {
    const ways = `Tried: ${tried.join(', ') || 'nothing'}. The server allows: ${allowed.join(', ') || 'it did not say what'}.`
    return new CertloopError('LOGIN_REFUSED', `${host} port ${port} refused the login of ${user}. ${ways}`, { host, port, user, tried: [...tried], allowed: [...allowed] }, error)
  }
  const reason = level === 'client-timeout' ? `no login within ${timeoutMs} ms` : level === 'protocol' || level === 'handshake' ? `no common ground with what listens there (${message})` : message
  return new CertloopError('HOST_UNREACHABLE', `No SSH connection to ${host} port ${port}: ${reason}.`, { host, port }, error)
}
