import { randomUUID, type KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { botProtocolVersion, CertloopError, openTargetSecrets, toCertloopError, type HostScan } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import { serverTypes } from '@certloop/server-types'
import { configurationPlaces, loadConfiguration, type BotConfiguration } from './configuration.ts'
import { connectionNotes } from './connection-note.ts'
import { createControlPlane } from './connection/client.ts'
import { proxyEnvironment, proxyForLog } from './connection/proxy.ts'
import { defaultBackoff, type Backoff } from './connection/retry.ts'
import { createServerClock } from './connection/server-clock.ts'
import { createTransport } from './connection/transport.ts'
import { lockDataFolder, prepareDataFolder, type FolderLock } from './data-folder.ts'
import { createEngine } from './engine/engine.ts'
import { createRedactor, secretsOf } from './engine/secrets.ts'
import { probersFor } from './engine/probe.ts'
import type { Engine, WatchStops, Way } from './engine/types.ts'
import { createLimits } from './hosts/limits.ts'
import { createLocalHost } from './hosts/local-host.ts'
import { createSshPool } from './hosts/ssh/pool.ts'
import { hostFor } from './hosts/host-for.ts'
import { encryptionKeyPem, loadEncryptionKey, loadIdentity, type Identity } from './identity.ts'
import { createKeyStore, type KeyStore } from './keys/key-store.ts'
import { errorFacts, type Logger } from './log.ts'
import { createProofs, type Proofs } from './proofs/proofs.ts'
import { scanHost } from './scan.ts'
import { userAgent, version } from './version.ts'
import { jobFor, type HandlerDeps } from './work/handlers.ts'
import { createTaskRunner } from './work/task-runner.ts'
import { stopWatching } from './work/stop-watch.ts'
import { createTurns } from './work/turns.ts'
import { workLoop } from './work/work-loop.ts'

export interface BotOptions {
  dataFolder: string
  logger: Logger
  environment: NodeJS.ProcessEnv
  now: () => Date
  /** 0 <= random() < 1; spreads the tries of a fleet. */
  random: () => number
  backoff?: Backoff
  /** Most tasks worked on at once. */
  limit?: number
  /** How long stop() waits for results to be taken, after the work itself has ended. */
  deliveryGraceMs?: number
  /** Called at the engine's named moments; tests end the process there. */
  crashPoint?: (name: string) => void
}

export interface RunningBot {
  /** Takes no more work, lets what runs end, tells its results, gives the folder free. */
  stop(): Promise<void>
  /** Resolves when the bot has ended: undefined after stop(), else why (BOT_REVOKED, BOT_UNKNOWN, or an error of its own). */
  ended: Promise<CertloopError | undefined>
}

/**
 * Starts a joined bot: recovers what was under way, and works beside it until stopped or dismissed.
 * Returns once the folder is held and the configuration is read; connecting goes on behind.
 * @throws CertloopError BOT_NOT_JOINED, DATA_FOLDER_IN_USE, DATA_FOLDER_UNWRITABLE, BOT_CONFIGURATION_INVALID
 */
export async function startBot(options: BotOptions): Promise<RunningBot> {
  const { dataFolder } = options
  await prepareDataFolder(dataFolder)
  const lock = await lockDataFolder(dataFolder)
  try {
    const identity = await loadIdentity(dataFolder)
    if (!identity) throw new CertloopError('BOT_NOT_JOINED', `${dataFolder} belongs to no bot yet. Make a join token on the Bots page, then: certloop-bot join TOKEN --data ${dataFolder}`, { folder: dataFolder })
    const encryptionKey = await loadEncryptionKey(dataFolder)
    return run({ ...identity, encryptionKey }, await loadConfiguration(configurationPlaces(dataFolder)), lock, options)
  } catch (error) {
    lock.release()
    throw error
  }
}

/** Reason of the signals when stop() was called, as against a dismissal. */
const stopReason = new Error('The bot was asked to stop.')

function run(identity: Identity & { encryptionKey: KeyObject }, configuration: BotConfiguration, lock: FolderLock, options: BotOptions): RunningBot {
  const { dataFolder, logger, environment, now, random, backoff = defaultBackoff, limit = 4, deliveryGraceMs = 10_000 } = options
  const taking = new AbortController()
  const delivery = new AbortController()
  const url = new URL(identity.url)
  const { botId, purpose } = identity.joined
  const proxy = proxyEnvironment(url, configuration.proxy, environment)
  const transport = createTransport({ url, proxy, userAgent, trust: identity.anchorPem === null ? 'system' : { anchor: identity.anchorPem } })
  const clock = createServerClock({ now, logger })
  const controlPlane = createControlPlane({
    transport, clock, botId, key: identity.key,
    onDismissed: (error) => { taking.abort(error); delivery.abort(error) },
  })
  const { host, ...parts } = localParts(dataFolder, configuration, options, stopWatching({ controlPlane, logger }))
  const proofs = localProofs(host, configuration, { ...options, now: clock.now })
  const handling: HandlerDeps = { ...parts, proofs, purpose, turns: createTurns(), openSecrets: (sealed) => openTargetSecrets(sealed, botId, identity.encryptionKey) }
  const runner = createTaskRunner({ controlPlane, logger, random, backoff, limit, takingSignal: taking.signal, deliverySignal: delivery.signal, jobFor: (task) => jobFor(task, handling) })

  let recovering: Promise<unknown> | undefined
  async function work(): Promise<never> {
    logger.info('The bot starts.', { version, botId, controlPlane: url.origin, proxy: proxyForLog(proxy), configuration: configuration.file ?? 'defaults' })
    // Contact comes first: a reload that hangs again must cut off nobody. New work on a machine waits for its recovery in the engine.
    recovering = Promise.all([recover(parts.engine, logger), proofs.resume()])
    const hello = { bootId: randomUUID(), version, protocol: botProtocolVersion, host: await host.facts(), encryptionKeyPem: encryptionKeyPem(identity.encryptionKey) }
    const onConnection = connectionNotes(dataFolder, now, logger)
    return workLoop({ controlPlane, runner, hello, logger, random, backoff, signal: taking.signal, onConnection })
  }

  async function end(thrown: unknown): Promise<CertloopError | undefined> {
    const error = thrown === stopReason ? undefined : toCertloopError(thrown)
    if (error) logger.error('The bot ends.', errorFacts(error))
    // What runs ends by itself: a deployment is never left half-done. Each result is tried at least once.
    const grace = setTimeout(() => delivery.abort(stopReason), deliveryGraceMs)
    await recovering
    await runner.idle()
    await proofs.close()
    clearTimeout(grace)
    parts.closeConnections()
    transport.close()
    lock.release()
    logger.info('The bot has stopped.')
    return error
  }

  const ended = work().catch(end)
  return { ended, stop: async () => { taking.abort(stopReason); await ended } }
}

interface LocalParts { host: Host; engine: Engine; keys: KeyStore; scan: (way?: Way) => Promise<HostScan>; closeConnections: () => void }

/** Everything that needs no network. */
function localParts(dataFolder: string, { limits, undoDays }: BotConfiguration, { now, crashPoint }: BotOptions, watchStops: WatchStops): LocalParts {
  const allowed = createLimits(limits)
  const host = createLocalHost({ limits: allowed })
  const pool = createSshPool()
  const probeFor = probersFor({ now })
  const wayTo = (way: Way): Host => hostFor(way, { local: host, pool, limits: allowed })
  const keys = createKeyStore({ folder: join(dataFolder, 'keys'), now })
  const engine = createEngine({
    folder: join(dataFolder, 'engine'), now, keys, probeFor, watchStops, scripts: limits.scripts, hostFor: wayTo, ...(undoDays === null ? {} : { limits: { undoDays } }), ...(crashPoint ? { crashPoint } : {}),
    driverFor(serverType) {
      const entry = serverTypes.find(serverType)
      if (entry) return entry.driver()
      throw new CertloopError('PLAN_FAILED', `This bot (version ${version}) does not know the server type "${serverType}". Update the bot.`, { serverType })
    },
  })
  const drivers = serverTypes.all.map(({ manifest, driver }) => ({ id: manifest.id, driver }))
  const scan = async (way?: Way): Promise<HostScan> => {
    const scanned = way === undefined ? host : wayTo(way)
    try {
      return await scanHost({ host: scanned, probe: probeFor(scanned) }, drivers, now)
    } catch (thrown) {
      throw createRedactor(secretsOf(way?.secrets ?? {})).error(toCertloopError(thrown))
    }
  }
  return { host, engine, keys, scan, closeConnections: () => { pool.close() } }
}

function localProofs(host: Host, { limits }: BotConfiguration, { dataFolder, now, logger, crashPoint }: BotOptions): Proofs {
  const holderOf = async (port: number): Promise<string | undefined> => {
    const pid = (await host.listeners()).find((listener) => listener.port === port)?.pid
    const name = (await host.processes()).find((process) => process.pid === pid)?.name
    return name && `${name} (process ${pid})`
  }
  return createProofs({ listPath: join(dataFolder, 'proofs.json'), limits: createLimits(limits), holderOf, now, logger, ...(crashPoint ? { crashPoint } : {}) })
}

/** What was under way when the bot stopped is finished or undone. Never throws: what can't be ended is tried again before the next deployment there. */
async function recover(engine: Engine, logger: Logger): Promise<void> {
  try {
    tell(await engine.recover((deployment, { phase, ok, message }) => logger.info(message, { deployment, phase, ok })), logger)
  } catch (thrown) {
    logger.error('What was under way when the bot stopped could not be looked at; it is tried again before the next deployment.', errorFacts(toCertloopError(thrown)))
  }
}

function tell({ recovered, stuck }: Awaited<ReturnType<Engine['recover']>>, logger: Logger): void {
  for (const { deploymentId, result } of recovered) logger.warn('A deployment that was under way when the bot stopped has been brought to its end.', { deployment: deploymentId, outcome: result.outcome })
  for (const { deploymentId, error } of stuck) logger.error('A deployment that was under way when the bot stopped could not be brought to its end; it is tried again before the next one.', { deployment: deploymentId, code: error.code, detail: error.message })
}
