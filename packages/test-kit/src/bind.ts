import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { connectOnce, tempFolderFor } from './daemon.ts'
import { relayDns } from './dns-relay.ts'
import { freePorts } from './ports.ts'
import { startProcess, type TestProcess } from './process.ts'
import { requireTool } from './tools.ts'
import { eventually } from './wait.ts'

export interface BindKey { name: string; /** "hmac-sha256" */ algorithm: string; /** Base64. */ secret: string }
export interface BindZone {
  /** Without a dot at the end; "." for the root. */
  name: string
  /** Lines of the zone file behind SOA and NS, names relative to the zone. */
  records?: string
  /** In place of what is made: the whole zone file. */
  file?: string
  /** Those of the NS records, absolute and without a dot at the end. Default: ns1 of the zone, with the server's address. */
  nameServers?: readonly string[]
  /** More statements of the zone, e.g. `update-policy { grant "k" subdomain _acme-challenge.example.test. TXT; };` or `allow-transfer { any; };`. */
  statements?: string
  /** Taken over from there; kept in memory only, so a start takes it over anew. */
  secondaryOf?: { address: string; port: number; /** Name of a key. */ key?: string }
}
export interface BindOptions {
  zones: readonly BindZone[]
  keys?: readonly BindKey[]
  /** Any of 127.0.0.0/8; default 127.0.0.1. Others are handed on, so the server sees 127.0.0.1 asking. */
  address?: string
  /** Default: a free one. Several servers may share one, on an address each. */
  port?: number
  /** More lines of the options block, e.g. `recursion yes; forwarders port 5300 { 127.0.0.2; };`. Default: it answers for its zones alone. */
  options?: string
  /** More blocks of the configuration. */
  blocks?: string
}
export interface RunningBind {
  readonly address: string
  readonly port: number
  readonly folder: string
  /** Of the process that runs now. */
  pid(): number
  /** What it logged since it was first started. */
  log(): string
  /** Zones keep what updates wrote. */
  stop(): Promise<void>
  /** On the same address and port, with what the zones held. */
  start(): Promise<void>
}

/**
 * A real BIND with a configuration of its own, on loopback; ready when its zones are loaded, stopped after the test. It notifies
 * nobody by itself: a secondary stays behind until its SOA says, it is started again, or "options" say otherwise.
 */
export async function startBind(t: Pick<TestContext, 'after'>, options: BindOptions): Promise<RunningBind> {
  const started: TestProcess[] = []
  const folder = await tempFolderFor(t, 'bind', () => Promise.all(started.map(stopNamed)))
  const { address = '127.0.0.1' } = options
  const isRelayed = address !== '127.0.0.1'
  const log = () => started.map((each) => each.output()).join('')
  for (let attempt = 1; ; attempt++) {
    const place = await placeOf(options, isRelayed)
    await writeFolder(folder, { ...options, address, port: place.own })
    const run = () => runNamed(t, folder, place.own, started)
    if (await run()) {
      if (isRelayed) await relayDns(t, { address, port: place.shown }, { address: '127.0.0.1', port: place.own })
      return {
        address, port: place.shown, folder, log,
        pid: () => started.at(-1)?.pid ?? 0,
        stop: async () => { await Promise.all(started.map(stopNamed)) },
        async start() { if (!await run()) throw new Error(`BIND did not start again:\n${log()}`) },
      }
    }
    if (attempt === 3 || !/address in use/.test(log()) || (options.port !== undefined && !isRelayed)) throw new Error(`BIND did not start:\n${log()}`)
  }
}

/** The port that BIND takes, and the one it is reached at. */
async function placeOf({ port }: BindOptions, isRelayed: boolean): Promise<{ own: number; shown: number }> {
  const [first = 0, second = 0] = await freePorts(2)
  if (isRelayed) return { own: first, shown: port ?? second }
  return { own: port ?? first, shown: port ?? first }
}

/** @returns false when the port is taken */
async function runNamed(t: Pick<TestContext, 'after'>, folder: string, port: number, started: TestProcess[]): Promise<boolean> {
  const named = await startProcess(t, [requireTool('named'), '-g', '-4', '-n', '1', '-c', join(folder, 'named.conf')], { cwd: folder })
  started.push(named)
  const [said] = await named.waitFor(/ running$|address in use|exiting \(due to/m)
  if (said === ' running' && !/address in use/.test(named.output())) {
    await eventually(() => connectOnce(port), { what: 'BIND taking connections' })
    return true
  }
  await stopNamed(named)
  return false
}

async function writeFolder(folder: string, { zones, keys = [], address, port, options = 'recursion no;', blocks = '' }: BindOptions & { address: string; port: number }): Promise<void> {
  await mkdir(join(folder, 'zones'), { recursive: true })
  for (const zone of zones) if (!zone.secondaryOf) await writeFile(join(folder, 'zones', fileOf(zone)), zone.file ?? zoneFile(zone, address))
  const own = (name: string) => `"${join(folder, name)}"`
  await writeFile(join(folder, 'named.conf'), `options {
  directory ${own('')};
  pid-file none; lock-file none; session-keyfile ${own('session.key')};
  managed-keys-directory ${own('')};
  listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
  dnssec-validation no; empty-zones-enable no; notify no; minimal-responses no;
  ${options}
};
controls { };
${keys.map(({ name, algorithm, secret }) => `key "${name}" { algorithm ${algorithm}; secret "${secret}"; };\n`).join('')}${zones.map(zoneBlock).join('')}${blocks}
`)
}

const fileOf = ({ name }: BindZone) => (name === '.' ? 'root' : name)
const absolute = (name: string) => (name === '.' ? '.' : `${name}.`)

function zoneBlock(zone: BindZone): string {
  const { name, secondaryOf, statements = '' } = zone
  const kind = secondaryOf ? `type secondary; masterfile-format text; primaries port ${secondaryOf.port} { ${secondaryOf.address}${secondaryOf.key === undefined ? '' : ` key "${secondaryOf.key}"`}; };` : `type primary; file "zones/${fileOf(zone)}";`
  return `zone "${name}" { ${kind} ${statements} };\n`
}

function zoneFile({ name, records = '', nameServers }: BindZone, address: string): string {
  const own = name === '.' ? 'ns1.' : `ns1.${name}.`
  const servers = nameServers?.map(absolute) ?? [own]
  return `$ORIGIN ${absolute(name)}
$TTL 60
@ SOA ${servers[0]} hostmaster.${name === '.' ? '' : `${name}.`} 1 3600 600 86400 1
${servers.map((server) => `@ NS ${server}\n`).join('')}${nameServers ? '' : `${own} A ${address}\n`}${records}
`
}

async function stopNamed(named: TestProcess): Promise<void> {
  if (named.child.exitCode === null && named.child.signalCode === null) named.kill('SIGTERM')
  await named.ended
}
