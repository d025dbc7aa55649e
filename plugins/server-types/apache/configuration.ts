import { CertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import type { PemConfiguration } from '../shared/pem-files/driver.ts'
import { joinUses, type PairProblem, type PairUse } from '../shared/pem-files/pairs.ts'
import { type ParsedConfiguration, readConfigurationFiles, type ServerBlock } from './config-reader.ts'
import { type Dump, type DumpedHost, parseDump } from './dump.ts'
import { mainReach, type Reach, reachOf } from './endpoints.ts'
import { commandOf, type Instance } from './instance.ts'
import { certificateNames } from './names.ts'
import { expectsProxyLine, listenSockets, managedNames, type TlsSettings, tlsSettings } from './servers.ts'

export interface Configuration extends PemConfiguration {
  /** Names of variables of the environment that the configuration needs. */
  variables: string[]
}

const dumpLimitBytes = 64 * 1024 * 1024

/**
 * The configuration as httpd reads it now: the files by its rules, and its own list of virtual hosts beside, which
 * decides on addresses, names and order.
 * @throws CertloopError SERVER_CONFIGURATION_UNREADABLE, in httpd's own words where its test does not pass
 */
export async function readConfiguration(host: Host, instance: Instance): Promise<Configuration> {
  const [dumped, staticModules] = await Promise.all([
    call(host, instance, commandOf(instance, '-t', '-D', 'DUMP_VHOSTS', '-D', 'DUMP_INCLUDES', '-D', 'DUMP_MODULES')),
    call(host, instance, [instance.program, '-l']),
  ])
  const dump = parseDump(dumped)
  const compiledIn = staticModules.split('\n').map((line) => line.trim()).filter((line) => line.endsWith('.c'))
  const { start, configurationPath, serverRoot, environment, version } = instance
  const directives = (flag: string) => start.directives.filter((one) => one.flag === flag).map(({ text }) => text)
  const parsed = await readConfigurationFiles(host, {
    configurationPath, serverRoot, environment, version, before: directives('-C'), after: directives('-c'),
    defines: start.defines, staticModules: [...compiledIn, ...compiledIn.map((file) => file.replace(/^(?:mod_)?(.*)\.c$/, '$1_module'))],
  })
  const { addresses } = await host.facts()
  return {
    ...findPairs(parsed, dump, addresses), variables: [...parsed.variables].toSorted(),
    texts: [
      ...new Map(parsed.files.map(({ path: name, text }) => [name, { name, text }])).values(),
      { name: `${instance.program} -V`, text: instance.build },
      { name: 'virtual hosts', text: dumped },
    ],
  }
}

async function call(host: Host, { product, environment, runAs }: Instance, argv: readonly string[]): Promise<string> {
  const said = await host.run(argv, { timeoutSeconds: 60, outputLimitBytes: dumpLimitBytes, environment, runAs })
  const command = argv.join(' ')
  if (said.exitCode !== 0) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `${product} does not accept its present configuration: ${said.stderr.trim() || `exit code ${said.exitCode}`}`, { command })
  if (said.truncated) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `${command} said more than ${dumpLimitBytes} bytes.`, { command })
  return said.stdout
}

/** Pairs of all virtual hosts and of the main server, with where each is served. */
export function findPairs(parsed: ParsedConfiguration, dump: Dump, ownAddresses: readonly string[]): Pick<PemConfiguration, 'pairs' | 'problems'> {
  const settings = tlsSettings(parsed)
  const byPlace = new Map(parsed.hosts.map((block) => [block.place, block]))
  const settingsOf = ({ place }: DumpedHost): TlsSettings | undefined => { const block = byPlace.get(place); return block && settings.get(block) }
  const listens = listenSockets(parsed)
  const managed = managedNames(parsed)
  const problems = differences(parsed, dump)
  const uses: PairUse[] = []
  for (const block of byPlace.values()) {
    const dumped = dump.sockets.flatMap(({ hosts }) => hosts).filter(({ place }) => place === block.place)
    const reach = proxied(reachOf(({ place }) => place === block.place, listens, dump.sockets, ownAddresses, (host) => settingsOf(host)?.tls === true), block, parsed.main)
    collect({ block, settings, reach, names: [...new Set(dumped.flatMap(certificateNames))], managed }, uses, problems)
  }
  collect({ block: parsed.main, settings, reach: proxied(mainReach(listens, dump.sockets), parsed.main, parsed.main), names: [], managed }, uses, problems)
  return { pairs: joinUses(uses), problems }
}

interface Found { block: ServerBlock; settings: Map<ServerBlock, TlsSettings>; reach: Reach; names: string[]; managed: Set<string> }

function collect({ block, settings, reach, names, managed }: Found, uses: PairUse[], problems: PairProblem[]): void {
  const own = settings.get(block)
  if (own === undefined) return
  problems.push(...own.problems.map((reason) => ({ where: block.place, reason })))
  // The main server mostly serves nothing itself: its settings are for others to inherit.
  if (reach.endpoints.length === 0 && reach.left.length === 0) return
  const managedName = own.tls ? names.find((name) => managed.has(name)) : undefined
  if (managedName !== undefined) {
    problems.push({ where: block.place, reason: `mod_md gets and renews the certificate for ${managedName} itself, so it is left alone` })
    return
  }
  const endpoints = reach.endpoints.map((endpoint) => ({ ...endpoint, holder: block }))
  uses.push(...own.pairs.map((pair) => ({ ...pair, holder: block, of: own.pairs.length, names, endpoints, left: reach.left })))
}

/** Connections that have to begin with the PROXY protocol can't be proven. */
function proxied(reach: Reach, block: ServerBlock, main: ServerBlock): Reach {
  if (!expectsProxyLine(block) && !expectsProxyLine(main)) return reach
  return { endpoints: [], left: [...reach.left, ...reach.endpoints.slice(0, 1).map(({ address, port }) => `${address}:${port}: it expects the PROXY protocol`)] }
}

/** Where our reading of the files is another one than httpd's own. */
function differences(parsed: ParsedConfiguration, dump: Dump): PairProblem[] {
  const known = new Set(parsed.hosts.map(({ place }) => place))
  const named = new Set(dump.sockets.flatMap(({ hosts }) => hosts.map(({ place }) => place)))
  const read = new Set(parsed.files.map((file) => file.path))
  return [
    ...[...named].filter((place) => !known.has(place)).map((where) => ({ where, reason: 'this virtual host is there for httpd, but could not be read from the files' })),
    ...[...known].filter((place) => !named.has(place)).map((where) => ({ where, reason: 'httpd does not know this virtual host' })),
    ...dump.includes.filter((file) => !read.has(file)).map((where) => ({ where, reason: 'httpd reads this file, but why could not be found out' })),
  ]
}

