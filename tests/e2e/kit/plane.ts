import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'node:test'
import { createClient, type Client } from '@certloop/api-client'
import type { Action, ActionKind, CertificateDetail, CertificateId, ConfigurationInput, TargetInput } from '@certloop/contract'
import { eventually, freePort, startProcess, tempFolder, type TestProcess } from '@certloop/test-kit'

const main = fileURLToPath(new URL('../../../apps/control-plane/src/main.ts', import.meta.url))
const botMain = fileURLToPath(new URL('../../../apps/bot/src/main.ts', import.meta.url))
export const password = 'a test password of some length'

type T = Pick<TestContext, 'after'>

/** A host name that no other test uses: bots find every nginx that runs on the machine, those of other tests too. */
export const uniqueName = (): string => `shop-${randomBytes(5).toString('hex')}.example`

export interface Plane {
  readonly url: string
  readonly port: number
  readonly dataFolder: string
  readonly client: Client
  /** The process under way; another one after restart(). */
  process(): TestProcess
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again on the same folder and port. */
  restart(env?: Record<string, string>): Promise<void>
}
/** `port`: instead of a free one. `origin`: of the pages, where another public address is set. */
export interface PlaneOptions { port?: number; origin?: string; dataFolder?: string; env?: Record<string, string>; arguments?: string[]; program?: string }

/** A real control plane as a process of its own, signed in to by an API token. No bot unless asked for. */
export async function startPlane(t: T, options: PlaneOptions = {}): Promise<Plane> {
  const dataFolder = options.dataFolder ?? await tempFolder(t, 'plane')
  const port = options.port ?? await freePort()
  const url = `http://localhost:${port}`
  const start = (env: Record<string, string> = {}) => startProcess(t, [process.execPath, options.program ?? main, '--data', dataFolder, '--port', String(port), ...(options.arguments ?? ['--no-bot'])], { env: { CERTLOOP_LOG_LEVEL: 'warn', ...options.env, ...env } })
  let current = await start()
  const [, oneTime = ''] = await current.waitFor(/One-time password:\s+(\S+)/, 60_000)
  const token = await makeToken(url, oneTime, options.origin)
  return {
    url, port, dataFolder, client: createClient({ baseUrl: url, token }), process: () => current,
    async kill(signal = 'SIGKILL') {
      current.kill(signal)
      await current.ended
    },
    async restart(env) {
      current = await start(env)
      await current.waitFor(/Certloop runs at/, 60_000)
    },
  }
}

/** Signs in with the one-time password, replaces it and makes an API token with all permissions. */
export async function makeToken(url: string, oneTimePassword: string, origin = url): Promise<string> {
  let cookie = ''
  const send = async <R>(path: string, body: unknown): Promise<R> => {
    const response = await fetch(`${url}/api/v1${path}`, { method: 'POST', headers: { 'content-type': 'application/json', origin, ...(cookie ? { cookie } : {}) }, body: JSON.stringify(body) })
    cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? cookie
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return await response.json() as R
  }
  await send('/session', { name: 'admin', password: oneTimePassword })
  await send('/session/password', { currentPassword: oneTimePassword, newPassword: password })
  return (await send<{ token: string }>('/api-tokens', { name: 'test' })).token
}

export interface RunningBot { readonly id: `bot_${string}`; readonly dataFolder: string; process(): TestProcess; kill(signal?: NodeJS.Signals): Promise<void>; restart(env?: Record<string, string>): Promise<void> }

/** A real bot as a process of its own, joined with a real token. */
export async function startBot(t: T, plane: Plane, options: { env?: Record<string, string>; program?: string; dataFolder?: string } = {}): Promise<RunningBot> {
  const dataFolder = options.dataFolder ?? await tempFolder(t, 'bot')
  const { bot, joinToken } = await plane.client.call('createBot', { body: { name: 'test bot' } })
  const joining = await startProcess(t, [process.execPath, botMain, 'join', joinToken, '--data', dataFolder])
  const { code } = await joining.ended
  if (code !== 0) throw new Error(`the bot could not join: ${joining.output()}`)
  const start = (env: Record<string, string> = {}) => startProcess(t, [process.execPath, options.program ?? botMain, 'run', '--data', dataFolder], { env: { ...options.env, ...env } })
  let current = await start()
  return {
    id: bot.id, dataFolder, process: () => current,
    async kill(signal = 'SIGKILL') {
      current.kill(signal)
      await current.ended
    },
    async restart(env) { current = await start(env) },
  }
}

/** The certificate that a scan found under this name. */
export async function discovered(plane: Plane, name: string): Promise<CertificateDetail> {
  const { id } = await eventually(async () => (await plane.client.call('listCertificates', { query: { search: name } })).items[0], { what: `discovery of ${name}`, timeoutMs: 30_000 })
  return plane.client.call('getCertificate', { params: { id } })
}

/** A complete configuration on the built-in CA; automatic in everything unless changed. */
export async function configurationFor(plane: Plane, targets: TargetInput[], changes: Partial<ConfigurationInput> = {}): Promise<ConfigurationInput> {
  const [authority] = (await plane.client.call('listAuthorities')).items
  return {
    complete: true, targets, authorityId: authority?.id ?? null, csr: { commonName: null, names: [], keyAlgorithm: 'ec-256', keyReuse: false, validityDays: null },
    renewal: { enabled: true, daysBefore: 30, time: '03:00', zone: 'Europe/Berlin' }, deployAfterRenewal: true, rollback: true, approval: 'automatic', ...changes,
  }
}

/** Accepts the suggested targets of a discovered certificate. */
export async function configureFromScan(plane: Plane, certificate: CertificateDetail, changes: Partial<ConfigurationInput> = {}): Promise<CertificateDetail> {
  const targets = certificate.suggestions.map(({ botId, serverType, fields }) => ({ botId, serverType, fields }))
  return plane.client.call('setConfiguration', { params: { id: certificate.id }, body: await configurationFor(plane, targets, changes) })
}

export async function ended(plane: Plane, id: Action['id'], timeoutMs = 60_000): Promise<Action> {
  return eventually(async () => {
    const action = await plane.client.call('getAction', { params: { id } })
    return action.endedAt ? action : undefined
  }, { what: `the end of ${id}`, timeoutMs })
}

/** Starts an action and waits for its end. */
export async function act(plane: Plane, id: CertificateId, action: ActionKind): Promise<Action> {
  const started = await plane.client.call('startAction', { params: { id, action }, body: {} })
  return ended(plane, started.id)
}
