import { writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { startChallengeServer, type RunningChallengeServer } from './challenge-server.ts'
import { connectOnce } from './daemon.ts'
import { tempFolder } from './folders.ts'
import { freePorts } from './ports.ts'
import { startProcess, type TestProcess } from './process.ts'
import { selfSignedPair, writePair } from './self-signed.ts'
import { requireTool } from './tools.ts'
import { eventually } from './wait.ts'

export interface PebbleOptions {
  /** Of each hundred good nonces so many are refused; default 0. */
  rejectNoncesPercent?: number
  /** Up to so many seconds before each look at a proof; default none. */
  sleepSeconds?: number
  /** So many further roots, by which alternate chains lead. */
  alternateRoots?: number
  /** Intermediate certificates between leaf and root; default 1. */
  chainLength?: number
  /** How often a name that was proven before needs no proof; default never. */
  reusePercent?: number
  strict?: boolean
  ordersPerPage?: number
  /** Key ids and HMAC keys (base64url): accounts are made for these alone. */
  externalAccounts?: Readonly<Record<string, string>>
  /** Domains that it refuses. */
  blocked?: readonly string[]
  /** Where it looks at proofs; default the ports of the challenge server. */
  httpPort?: number
  tlsPort?: number
  /** host:port; default that of the challenge server. */
  dnsServer?: string
  challenges?: RunningChallengeServer
  /** Everything is proven without a look. */
  alwaysValid?: boolean
  /** Of newer versions: Debian's passes them over. */
  profiles?: Readonly<Record<string, { description: string; validityPeriod?: number }>>
  caaIdentities?: readonly string[]
  retryAfterSeconds?: { order?: number; authz?: number }
  /** Another program than Debian's. */
  program?: string
  /** The ports of one that was stopped: it forgot everything. */
  ports?: readonly [number, number]
  /** TLS certificate of one that was stopped, so that it is trusted further on. */
  pair?: { certPath: string; keyPath: string; certPem: string }
}

export interface RunningPebble {
  readonly directoryUrl: string
  /** Of its own TLS certificate. */
  readonly trustPem: string
  readonly ports: readonly [number, number]
  readonly pair: { certPath: string; keyPath: string; certPem: string }
  readonly challenges: RunningChallengeServer
  readonly httpPort: number
  readonly tlsPort: number
  /** PEM of what it signs with; further ones are those of alternate chains. */
  root(index?: number): Promise<string>
  /** As it knows a certificate; undefined: it issued none with this serial number. */
  statusOf(serialHex: string): Promise<{ status: string; reason: number | undefined } | undefined>
  /** How often it was asked for what, by its own log. */
  counts(): { accounts: number; orders: number; finalized: number }
  output(): string
  readonly pid: number
  stop(): Promise<void>
}

/** A real Pebble with a configuration of its own on loopback, its state in memory; stopped after the test. */
export async function startPebble(t: Pick<TestContext, 'after'>, options: PebbleOptions = {}): Promise<RunningPebble> {
  const folder = await tempFolder(t, 'pebble')
  const { challenges = await startChallengeServer(t), pair = await writePair(folder, 'tls', await selfSignedPair(['localhost', '127.0.0.1'])) } = options
  const looksAt = { httpPort: challenges.httpPort, tlsPort: challenges.tlsPort, ...options }
  for (let attempt = 1; ; attempt++) {
    const [acme = 0, management = 0] = options.ports ?? await freePorts(2)
    const place: Place = { ports: [acme, management], pair, challenges, httpPort: looksAt.httpPort, tlsPort: looksAt.tlsPort }
    const server = await startServer(t, folder, place, options)
    if (server.child.exitCode === null) return running(server, place)
    const isPortTaken = server.output().includes('address already in use')
    if (attempt === 3 || !isPortTaken) throw new Error(`Pebble did not start:\n${server.output()}`)
  }
}

/** Takes connections, or has ended. */
async function startServer(t: Pick<TestContext, 'after'>, folder: string, place: Place, options: PebbleOptions): Promise<TestProcess> {
  const config = join(folder, 'pebble.json')
  await writeFile(config, JSON.stringify({ pebble: settings(options, place) }))
  const argv = [options.program ?? requireTool('pebble'), '-config', config, '-dnsserver', options.dnsServer ?? place.challenges.dnsServer, ...(options.strict ? ['-strict'] : [])] as [string, ...string[]]
  const server = await startProcess(t, argv, { env: environment(options) })
  await eventually(async () => {
    if (server.child.exitCode !== null) return true
    for (const port of place.ports) await connectOnce(port)
    return true
  }, { what: 'Pebble taking connections', timeoutMs: 30_000 })
  return server
}

/** A Pebble with renewal information, profiles and records of the account, which Debian's lacks: where the environment names one. */
export const newerPebble = (): string | undefined => process.env['CERTLOOP_TEST_PEBBLE'] || undefined

interface Place { ports: readonly [number, number]; pair: RunningPebble['pair']; challenges: RunningChallengeServer; httpPort: number; tlsPort: number }

function settings({ externalAccounts, blocked, profiles, caaIdentities, retryAfterSeconds }: PebbleOptions, { ports: [acme, management], pair, httpPort, tlsPort }: Place): object {
  return {
    listenAddress: `127.0.0.1:${acme}`, managementListenAddress: `127.0.0.1:${management}`, certificate: pair.certPath, privateKey: pair.keyPath, httpPort, tlsPort, ocspResponderURL: '',
    externalAccountBindingRequired: externalAccounts !== undefined, ...(externalAccounts ? { externalAccountMACKeys: externalAccounts } : {}),
    ...(blocked ? { domainBlocklist: blocked } : {}), ...(profiles ? { profiles } : {}), ...(caaIdentities ? { caaIdentities } : {}), ...(retryAfterSeconds ? { retryAfter: retryAfterSeconds } : {}),
  }
}

function environment({ rejectNoncesPercent = 0, sleepSeconds = 0, alternateRoots = 0, chainLength = 1, reusePercent = 0, ordersPerPage, alwaysValid }: PebbleOptions): Record<string, string> {
  return {
    PEBBLE_WFE_NONCEREJECT: String(rejectNoncesPercent), PEBBLE_AUTHZREUSE: String(reusePercent), PEBBLE_ALTERNATE_ROOTS: String(alternateRoots), PEBBLE_CHAIN_LENGTH: String(chainLength),
    ...(sleepSeconds > 0 ? { PEBBLE_VA_SLEEPTIME: String(sleepSeconds) } : { PEBBLE_VA_NOSLEEP: '1' }),
    ...(ordersPerPage ? { PEBBLE_WFE_ORDERS_PER_PAGE: String(ordersPerPage) } : {}), ...(alwaysValid ? { PEBBLE_VA_ALWAYS_VALID: '1' } : {}),
  }
}

function running(server: TestProcess, place: Place): RunningPebble {
  const { ports, pair } = place
  const manage = (path: string) => getOver(`https://127.0.0.1:${ports[1]}${path}`, pair.certPem)
  const count = (pattern: RegExp) => server.output().match(pattern)?.length ?? 0
  return {
    ...place, directoryUrl: `https://127.0.0.1:${ports[0]}/dir`, trustPem: pair.certPem, pid: server.pid,
    async root(index = 0) {
      const { status, body } = await manage(`/roots/${index}`)
      if (status !== 200) throw new Error(`Pebble has no root ${index}: ${status}`)
      return body
    },
    async statusOf(serialHex) {
      const { status, body } = await manage(`/cert-status-by-serial/${serialHex}`)
      if (status !== 200) return undefined
      const { Status, Reason } = JSON.parse(body) as { Status: string; Reason?: number }
      return { status: Status, reason: Reason }
    },
    counts: () => ({ accounts: count(/There are now \d+ accounts/g), orders: count(/Added order /g), finalized: count(/Processing finalization/g) }),
    output: () => server.output(),
    async stop() {
      server.kill()
      await server.ended
    },
  }
}

/** GET over TLS with a trust anchor of one's own. */
function getOver(url: string, ca: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    request(url, { ca, agent: false }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part)).once('error', reject)
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }))
    }).once('error', reject).end()
  })
}
