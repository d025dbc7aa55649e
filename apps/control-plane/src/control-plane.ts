import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type BotTaskKind, type IssuerId } from '@certloop/contract'
import type { DnsServer } from '@certloop/dns'
import type { Logger } from 'pino'
import { createAudit } from './audit/audit.ts'
import { createAuthorities } from './authority/authority-service.ts'
import { registerAuthorityRoutes } from './authority/authority-routes.ts'
import { createConnectors } from './authority/connectors.ts'
import { checkAuthorityKind, checkTask, scheduleChecks } from './authority/health-worker.ts'
import { registerBatchRoutes } from './batch/batch-routes.ts'
import { advanceBatchKind } from './batch/batch-worker.ts'
import { createBotAuth } from './bot/bot-auth.ts'
import { registerBotProtocol } from './bot/bot-protocol-routes.ts'
import { registerBotRoutes } from './bot/bot-routes.ts'
import type { JoinDeps } from './bot/join.ts'
import { followRevocation } from './certificate/follow-revocation.ts'
import { registerCertificateRoutes } from './certificate/certificate-routes.ts'
import { advanceBulkKind } from './bulk/bulk-worker.ts'
import { registerBulkRoutes } from './bulk/bulk-routes.ts'
import { openDatabase, type CrashPoint, type Database } from './database/database.ts'
import { registerCsrTemplateRoutes } from './csr-template/csr-template-routes.ts'
import { followTemplateKind } from './csr-template/follow-template.ts'
import { deployHandler, planHandler } from './deployment/deployment-worker.ts'
import type { SlowLimits } from './deployment/usual-time.ts'
import { watchDeploymentKind } from './deployment/watch-deployment.ts'
import { registerDeploymentRoutes } from './deployment/deployment-routes.ts'
import { registerDnsProviderRoutes } from './dns-provider/dns-provider-routes.ts'
import { createDnsProviders } from './dns-provider/dns-provider-service.ts'
import { createDnsRecords } from './dns-provider/dns-records.ts'
import { checkDnsProviderKind, checkTask as checkProviderTask, scheduleProviderChecks } from './dns-provider/health-worker.ts'
import { removeTestRecordKind, removeTestRecordTask } from './dns-provider/test-record.ts'
import { createTurns } from './dns-provider/turns.ts'
import { registerRemoteScanRoutes } from './discovery/remote-scan-routes.ts'
import { scanHandler } from './discovery/scan-handler.ts'
import { freezeChangedKind } from './freeze/freeze-changes.ts'
import { registerFreezeRoutes } from './freeze/freeze-routes.ts'
import { buildHttp, type App } from './http/index.ts'
import { listen, type Listener } from './listener/index.ts'
import { caAddresses, type CaAddresses } from './local-ca/addresses.ts'
import { ensureBuiltInAuthority } from './local-ca/built-in-authority.ts'
import { publishCrlKind } from './local-ca/crl-schedule.ts'
import { createLedger, recoverFromLedger } from './local-ca/ledger.ts'
import { createLocalCa, type LocalCa } from './local-ca/local-ca.ts'
import { registerIssuedRoutes } from './local-ca/issued-routes.ts'
import { registerIssuerRoutes } from './local-ca/issuer-routes.ts'
import { registerProfileRoutes } from './local-ca/profile-routes.ts'
import { maintenanceKind } from './local-ca/maintenance.ts'
import { blocklistIn } from './local-ca/key-blocklist.ts'
import { createPublicHttp } from './local-ca/public-http.ts'
import { tokenKeysOf } from './local-ca/token-keys.ts'
import { abandonRequestKind } from './order/abandon.ts'
import { makeCsrHandler } from './order/make-csr.ts'
import { submitOrderKind } from './order/order-worker.ts'
import { registerOrderRoutes } from './order/order-routes.ts'
import { revokeVersionKind } from './provisioning/action-revocation.ts'
import { advanceActionKind, inspectHandler } from './provisioning/action-worker.ts'
import { registerConfigurationRoutes } from './provisioning/configuration-routes.ts'
import { askRenewalWindowKind } from './renewal/renewal-window-worker.ts'
import { refreshKind, renewKind } from './renewal/renewal-worker.ts'
import { registerRolloutRoutes } from './rollout/rollout-routes.ts'
import { watchHandler } from './rollout/rollout-watch.ts'
import type { CheckSettings } from './rollout/rollout-check.ts'
import { advanceRolloutKind } from './rollout/rollout-worker.ts'
import { loadMasterKey } from './secret/master-key.ts'
import { createSecrets, type Secrets } from './secret/secrets.ts'
import { settingsTable, type Settings } from './settings.ts'
import { bySubject } from './task/by-subject.ts'
import type { BotTaskHandler, PlaneTaskKind } from './task/task-kinds.ts'
import { startWatchdog } from './task/watchdog.ts'
import { startWorker } from './task/task-worker.ts'
import { createOwnTls, ownNames } from './tls-identity.ts'
import { createUsers } from './user/users.ts'
import { createProofAnswers } from './validation/answer-http.ts'
import { validationBotKinds, validationKinds } from './validation/kinds.ts'
import { createMailer, type Mailer } from './validation/mailer.ts'
import { sweepSoon } from './validation/sweep-validations.ts'
import type { Outside as OutsideView } from './validation/validation-deps.ts'
import { registerValidationRoutes } from './validation/validation-routes.ts'
import { createOutsideView } from './validation/outside/outside-view.ts'
import { createWayOut, type WayOut } from './way-out.ts'

export interface ControlPlaneOptions {
  settings: Settings
  /** Absolute and writable. */
  dataFolder: string
  /** The built pages, absolute. */
  webFolder: string
  version: string
  logger: Logger
  now: () => Date
  random: () => number
  crashPoint?: CrashPoint
  /** When a deployment counts as slow; a test has no time to wait for it. */
  slowLimits?: SlowLimits
}
export interface ControlPlane {
  /** For people on this machine. */
  url: string
  /** For the bot of this machine. */
  loopbackUrl: string
  /** For bots; goes into join tokens. */
  publicUrl: string
  /** Set when this start made the first administrator, or a new one-time password for the one who never chose another. */
  firstAdministrator: { name: string; password: string } | undefined
  joinDeps: JoinDeps
  stop(): Promise<void>
}

const tlsCheckMs = 3_600_000
const isEverywhere = (host: string) => host === '0.0.0.0' || host === '::'

/** What reaches beyond the database. */
export interface Outside {
  wayOut: WayOut
  random: () => number
  /** Asked for what names lead to; none: those of the system. */
  dnsServers?: readonly DnsServer[]
  /** How the world is seen; default by those servers. */
  view?: OutsideView
  /** Default: no e-mail is sent. */
  mailer?: Mailer | null
  publicUrl?: () => string
}

/** Everything that works on the database, put together. */
export function makeParts(now: () => Date, { database, localCa, secrets }: Pick<Opened, 'database' | 'localCa' | 'secrets'>, { wayOut, random, dnsServers = [], view, mailer = null, publicUrl }: Outside, slow?: SlowLimits, checks: CheckSettings = { ownHostName: hostname(), loopback: false }) {
  const { authorityOf } = createConnectors({ database, secrets, localCa, wayOut, now, random })
  const authorities = createAuthorities({ database, secrets, authorityOf, now, random })
  const outside = view ?? createOutsideView({ dnsServers, guard: wayOut.guard, now })
  const records = createDnsRecords({ database, secrets, wayOut, now, random, turns: createTurns(database) })
  const dnsProviders = createDnsProviders({ database, secrets, wayOut, now, random, records, outside })
  const deps = { database, secrets, localCa, now, random, wayOut, authorityOf, authorities, outside, records, dnsProviders, mailer, publicUrl: () => publicUrl?.(), checks, ...(slow ? { slow } : {}) }
  const planeKinds: Record<string, PlaneTaskKind> = {
    ...validationKinds(deps), 'follow-template': followTemplateKind(deps), [checkTask]: checkAuthorityKind(deps), [checkProviderTask]: checkDnsProviderKind(deps), [removeTestRecordTask]: removeTestRecordKind(deps),
    'submit-order': submitOrderKind(deps), 'abandon-request': abandonRequestKind(deps), 'advance-action': advanceActionKind(deps), 'revoke-version': revokeVersionKind(deps), 'advance-rollout': advanceRolloutKind(deps), 'advance-batch': advanceBatchKind(deps), 'advance-bulk-change': advanceBulkKind(deps), 'renew': renewKind(deps), 'ask-renewal-window': askRenewalWindowKind(deps), 'freeze-changed': freezeChangedKind(deps), 'refresh-certificate': refreshKind(deps), 'watch-deployment': watchDeploymentKind(deps), [publishCrlKind]: localCa.crls.taskKind, [maintenanceKind]: localCa.maintenanceTask,
  }
  const botKinds: Record<BotTaskKind, BotTaskHandler> = {
    'scan-host': scanHandler(deps), 'make-csr': makeCsrHandler(deps), 'plan-deployment': planHandler(deps), 'deploy': deployHandler(deps), 'undo-deployment': deployHandler(deps), ...validationBotKinds(deps), 'inspect-target': bySubject({ act: inspectHandler(deps), rol: watchHandler(deps) }),
  }
  return { deps, planeKinds, botKinds }
}

const identityIssuer = (localCa: LocalCa): JoinDeps['issueIdentity'] => async ({ id, publicKeyPem }) => {
  const reference = `${id}:${createHash('sha256').update(publicKeyPem).digest('hex').slice(0, 16)}`
  const { chainPem } = await localCa.issue({ reference, publicKeyPem, names: [], commonName: id, validityDays: null, profile: 'bot-identity' })
  return chainPem.join('\n')
}

const logTo = (logger: Logger) => (level: 'info' | 'warn' | 'error', message: string, facts: Record<string, unknown>): void => { logger[level](facts, message) }

interface Opened { database: Database; localCa: LocalCa; secrets: Secrets }

/** @returns also what lets go of the ledger and the token, in this order before the database */
async function open({ settings, dataFolder, now, random, crashPoint, logger }: ControlPlaneOptions, addresses: () => CaAddresses | undefined): Promise<Opened & { release: () => Promise<void> }> {
  const database = await openDatabase(settings.databaseUrl ?? `sqlite:${dataFolder}/certloop.sqlite`, crashPoint)
  try {
    const masterKey = await loadMasterKey({ environmentKey: settings.masterKey ?? undefined, dataFolder, database })
    const secrets = await createSecrets({ database, masterKey, now })
    const ledgerFolder = settings.issuanceLedger ?? join(dataFolder, 'ledger')
    await mkdir(ledgerFolder, { recursive: true, mode: 0o700 })
    const strangers = new Map<IssuerId, number>()
    const recovered = await recoverFromLedger(ledgerFolder, database, now, strangers)
    for (const [issuerId, certificates] of strangers) logger.error({ issuerId, certificates, ledgerFolder }, 'the ledger names certificates of an issuer that the database does not know: it was made after the backup and is lost with its key; replace what it signed')
    if (recovered > 0) logger.warn({ recovered, ledgerFolder }, 'the database had lost certificates that were issued; they were brought back from the ledger and can be revoked')
    const [ledger, tokenKeys] = [createLedger(ledgerFolder, now), tokenKeysOf(settings)]
    const localCa = createLocalCa({ database, secrets, now, ledger, addresses, tokenKeys, blocklist: await blocklistIn(settings.keyBlocklist), revocationChanged: followRevocation(now), log: logTo(logger) })
    await localCa.ensureHierarchy()
    await localCa.crls.ensurePublished()
    await localCa.maintenance.schedule()
    await database.transaction((tx) => ensureBuiltInAuthority(tx, now()))
    await scheduleChecks({ database, now, random })
    await scheduleProviderChecks({ database, now, random })
    await database.transaction((tx, wake) => sweepSoon(tx, wake, now()))
    const release = async () => {
      await ledger.close()
      await tokenKeys?.close()
    }
    return { database, localCa, secrets, release }
  } catch (error) {
    await database.close()
    throw error
  }
}

const hostOfUrl = (host: string) => {
  // Bots on other hosts need a name that means this one.
  if (isEverywhere(host)) return hostname().toLowerCase()
  return host.includes(':') ? `[${host}]` : host
}

const mailerOf = ({ smtpUrl, mailFrom }: Partial<Pick<Settings, 'smtpUrl' | 'mailFrom'>> = {}): Mailer | null => (smtpUrl ? createMailer({ smtpUrl, from: mailFrom ?? `certloop@${hostname().toLowerCase()}` }) : null)

/** The whole HTTP side with every domain's routes, not yet ready. */
export async function composeApp(options: Omit<ControlPlaneOptions, 'settings' | 'dataFolder'> & { settings?: Partial<Pick<Settings, 'trustedProxy' | 'outboundAllow' | 'dnsServers' | 'smtpUrl' | 'mailFrom'>> }, { database, localCa, secrets }: Opened, publicUrl: () => string, closing: AbortSignal) {
  const { now, logger, version, webFolder } = options
  const wayOut = createWayOut({ allow: options.settings?.outboundAllow ?? settingsTable.outboundAllow.default, version })
  const parts = makeParts(now, { database, localCa, secrets }, { wayOut, random: options.random, dnsServers: options.settings?.dnsServers ?? [], mailer: mailerOf(options.settings), publicUrl }, options.slowLimits)
  const joinDeps: JoinDeps = { database, now, publicUrl, trustPin: () => localCa.trustAnchorPin(), issueIdentity: identityIssuer(localCa) }
  const users = createUsers({ database, now })
  const app = await buildHttp({ database, users, audit: createAudit({ database, now }), botAuth: createBotAuth({ database, now }), publicUrl, version, webFolder, now, logger, trustedProxies: options.settings?.trustedProxy ?? [] })
  registerDomains(app, parts, { ...joinDeps, handlers: parts.botKinds, closing, trustAnchorPem: () => localCa.trustAnchorPem() }, localCa)
  return { app, parts, users, joinDeps }
}

/** Starts the control plane; everything is released again when it can't. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { settings, now, random, logger } = options
  let port = settings.port
  const publicUrl = () => settings.publicUrl ?? `https://${hostOfUrl(settings.host)}:${port}`
  const { database, localCa, secrets, release } = await open(options, () => caAddresses(settings.pkiUrl, publicUrl()))
  const closing = new AbortController()
  const stops: (() => Promise<void> | void)[] = [() => database.close(), release]
  const stop = async () => {
    closing.abort()
    for (const step of stops.toReversed()) await step()
  }
  try {
    const { app, parts, users, joinDeps } = await composeApp(options, { database, localCa, secrets }, publicUrl, closing.signal)
    await app.ready()
    const listener = await listenWithOwnTls(app, options, { database, localCa }, stops)
    port = listener.port
    // Replicas on PostgreSQL would make each other's words untrue.
    const firstAdministrator = await users.ensureFirstAdministrator() ?? (database.kind === 'sqlite' ? await users.renewOneTimePassword() : undefined)
    const log = logTo(logger)
    const worker = startWorker({ database, kinds: parts.planeKinds, now, random, log })
    stops.push(() => worker.stop())
    const watchdog = startWatchdog({ database, planeKinds: parts.planeKinds, botKinds: parts.botKinds, now, log })
    stops.push(() => watchdog.stop())
    const localHost = isEverywhere(settings.host) || ['127.0.0.1', '::1'].includes(settings.host) ? 'localhost' : hostOfUrl(settings.host)
    return { url: `http://${localHost}:${port}`, loopbackUrl: `https://${localHost}:${port}`, publicUrl: publicUrl(), firstAdministrator, joinDeps, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function registerDomains(app: App, { deps }: ReturnType<typeof makeParts>, bot: Parameters<typeof registerBotProtocol>[1], localCa: LocalCa): void {
  registerCertificateRoutes(app, deps)
  registerConfigurationRoutes(app, deps)
  registerCsrTemplateRoutes(app, deps)
  registerOrderRoutes(app, deps)
  registerFreezeRoutes(app, deps)
  registerBatchRoutes(app, deps)
  registerBulkRoutes(app, deps)
  registerDeploymentRoutes(app, deps)
  registerRolloutRoutes(app, deps)
  registerBotRoutes(app, { ...deps, ...bot })
  registerBotProtocol(app, { ...deps, ...bot })
  registerRemoteScanRoutes(app, deps)
  registerAuthorityRoutes(app, deps)
  registerDnsProviderRoutes(app, deps)
  registerValidationRoutes(app, deps)
  registerIssuerRoutes(app, { db: deps.database.db, localCa })
  registerIssuedRoutes(app, { ...deps, localCa })
  registerProfileRoutes(app, deps)
}

async function listenWithOwnTls(app: App, { settings, now, logger }: ControlPlaneOptions, { database, localCa }: Pick<Opened, 'database' | 'localCa'>, stops: (() => Promise<void> | void)[]): Promise<Listener> {
  const ownTls = createOwnTls({ localCa, names: ownNames(settings.host, settings.publicUrl), now })
  const log = (message: string, error: unknown) => { logger.error({ err: error }, message) }
  const [publicHttp, proofAnswers] = [createPublicHttp({ database, ocsp: localCa.ocsp, now, log }), createProofAnswers({ database, log })]
  const listener = await listen({ app, host: settings.host, port: settings.port, tlsIdentity: ownTls.identity, publicHandler: (request, response) => proofAnswers(request, response) || publicHttp(request, response) })
  stops.push(() => listener.close())
  const timer = setInterval(() => {
    if (!ownTls.isDue()) return
    ownTls.renew()
    listener.renewTls().catch((error: unknown) => { logger.error({ err: error }, 'the TLS certificate of the control plane could not be renewed') })
  }, tlsCheckMs)
  stops.push(() => clearInterval(timer))
  return listener
}
