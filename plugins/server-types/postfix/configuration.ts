import { CertloopError } from '@certloop/contract'
import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import type { PemConfiguration } from '../shared/pem-files/driver.ts'
import { joinUses, type PairEndpoint, type PairProblem, type PairUse } from '../shared/pem-files/pairs.ts'
import { proofAddress, type Socket, socketKey } from '../shared/pem-files/sockets.ts'
import { type Found, pairsOfChainFiles } from './chain-files.ts'
import type { Instance } from './instance.ts'
import { parseSettings, type Settings, type SmtpService, smtpServices, socketsOf, tlsOf, unprovable } from './services.ts'

const parameters = [
  'queue_directory', 'myhostname', 'inet_interfaces', 'inet_protocols', 'smtpd_tls_security_level', 'smtpd_use_tls', 'smtpd_enforce_tls', 'smtpd_tls_wrappermode',
  'smtpd_tls_chain_files', 'smtpd_tls_cert_file', 'smtpd_tls_key_file', 'smtpd_tls_eccert_file', 'smtpd_tls_eckey_file', 'smtpd_tls_dcert_file', 'smtpd_tls_dkey_file',
  'tls_server_sni_maps', 'smtpd_upstream_proxy_protocol', 'postscreen_upstream_proxy_protocol', 'smtpd_discard_ehlo_keywords',
]
const fileLimitBytes = 8 << 20

/** The configuration as the running instance reads it. @throws CertloopError SERVER_CONFIGURATION_UNREADABLE in Postfix's own words */
export async function readConfiguration(host: Host, instance: Instance): Promise<PemConfiguration> {
  const [mainText, overrides, fields, services] = await Promise.all([
    postconf(host, instance, '-x', ...parameters), postconf(host, instance, '-Px'), postconf(host, instance, '-F'), textOf(host, '/etc/services'),
  ])
  const main = parseSettings(mainText)
  const all = smtpServices(main, fields, overrides)
  const places = await placesOf(host, all, main, services ?? '')
  const uses: PairUse[] = []
  const problems: PairProblem[] = sniProblem(main)
  for (const { service, endpoints, left } of places) {
    const { found, where } = await pairsOf(host, service)
    problems.push(...found.flatMap((one) => ('problem' in one ? [{ where, reason: one.problem }] : [])))
    const pairs = found.filter((one) => 'pair' in one)
    uses.push(...pairs.map(({ pair, keyFirst }) => ({ ...pair, keyFirst, holder: service, of: pairs.length, names: namesOf(service), endpoints, left })))
  }
  return { texts: await textsOf(host, instance, { mainText, overrides, fields }), pairs: joinUses(uses), problems: unique(problems) }
}

const unique = (problems: readonly PairProblem[]) => [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()]

async function postconf(host: Host, { postconf: program, configFolder }: Instance, ...args: string[]): Promise<string> {
  const argv = [program, '-c', configFolder, ...args]
  const { exitCode, stdout, stderr, truncated } = await host.run(argv, { timeoutSeconds: 60, outputLimitBytes: fileLimitBytes })
  if (exitCode !== 0 || truncated) throw new CertloopError('SERVER_CONFIGURATION_UNREADABLE', `Postfix does not accept its present configuration: ${truncated ? 'it is too long' : stderr.trim()}`, { command: argv.join(' ') })
  return stdout
}

async function textOf(host: Host, file: string): Promise<string | undefined> {
  const content = await host.readFile(file, fileLimitBytes).catch(() => undefined)
  return content && Buffer.from(content).toString('utf8')
}

/** main.cf and master.cf as written show best what changed; what was made of them covers tables and defaults. */
async function textsOf(host: Host, { configFolder }: Instance, said: Record<string, string>): Promise<PemConfiguration['texts']> {
  const files = await Promise.all(['main.cf', 'master.cf'].map(async (name) => {
    const file = path.posix.join(configFolder, name)
    return { name: file, text: await textOf(host, file) ?? '' }
  }))
  return [...files, { name: `postconf of ${configFolder}`, text: Object.values(said).join('\n') }]
}

interface Place { service: SmtpService; endpoints: PairEndpoint[]; left: string[] }

/** The services with TLS, and where each can be looked at. */
async function placesOf(host: Host, services: readonly SmtpService[], main: Settings, servicesText: string): Promise<Place[]> {
  const listening = new Set((await host.listeners()).map(socketKey))
  // Without IPv6 on the host, "all" means IPv4 alone.
  const isThere = (socket: Socket) => !['::', '::1'].includes(socket.address) || listening.has(socketKey(socket))
  const all = services.map((service) => ({ service, ...socketsOf(service, main, servicesText) }))
  const taken = new Set(all.flatMap(({ sockets }) => sockets.map(socketKey)))
  return all.flatMap(({ service, sockets, left }): Place[] => {
    const tls = tlsOf(service)
    if (tls === undefined) return []
    const reason = unprovable(service)
    if (reason !== undefined) return [{ service, endpoints: [], left: [`${service.name}: ${reason}`] }]
    const endpoints = sockets.filter(isThere).flatMap((socket) => {
      const address = proofAddress(socket, taken)
      return address === undefined ? [] : [{ address, port: socket.port, serverName: null, startTls: tls === 'starttls' ? 'smtp' as const : null, holder: service }]
    })
    return [{ service, endpoints, left }]
  })
}

const namesOf = ({ settings }: SmtpService) => [settings.get('myhostname') ?? ''].filter((name) => name.includes('.'))

/** smtpd_tls_chain_files, where it is set, makes Postfix ignore the older parameters. */
async function pairsOf(host: Host, { name, settings }: SmtpService): Promise<{ found: Found[]; where: string }> {
  const chain = (settings.get('smtpd_tls_chain_files') ?? '').split(/[\s,]+/).filter((file) => file !== '')
  const absolute = (file: string) => path.posix.resolve(settings.get('queue_directory') ?? '/', file)
  if (chain.length > 0) {
    const files = await Promise.all(chain.map(async (file) => ({ path: absolute(file), content: await textOf(host, absolute(file)) })))
    return { found: pairsOfChainFiles(files), where: `smtpd_tls_chain_files of ${name}` }
  }
  const found = ['', 'ec'].flatMap((kind): Found[] => {
    const certificate = settings.get(`smtpd_tls_${kind}cert_file`) ?? ''
    if (certificate === '' || certificate === 'none') return []
    const key = settings.get(`smtpd_tls_${kind}key_file`) ?? ''
    return [{ pair: { certificatePath: absolute(certificate), keyPath: absolute(key === '' ? certificate : key), chainPath: null }, keyFirst: false }]
  })
  const dsa = (settings.get('smtpd_tls_dcert_file') ?? '') === '' ? [] : [{ problem: 'smtpd_tls_dcert_file names a DSA certificate, which no present client takes' }]
  return { found: [...found, ...dsa], where: name }
}

function sniProblem(main: Settings): PairProblem[] {
  const maps = main.get('tls_server_sni_maps') ?? ''
  return maps === '' ? [] : [{ where: 'tls_server_sni_maps', reason: `${maps} holds keys and certificates inside a table` }]
}
