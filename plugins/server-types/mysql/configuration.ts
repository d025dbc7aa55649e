import type { Host } from '@certloop/plugin-kit'
import path from 'node:path'
import type { PemConfiguration } from '../shared/pem-files/driver.ts'
import { joinUses, type PairPaths, type PairProblem } from '../shared/pem-files/pairs.ts'
import { nearAddresses, plainAddress, type Socket } from '../shared/pem-files/sockets.ts'
import { type Instance, isAtLeast } from './instance.ts'
import { isOn, type Options, optionsOf, valueOf } from './options.ts'

const usualPort = 3306

/** The pair of the running server by its options, and the ports where it shows it. */
export async function readConfiguration(host: Host, instance: Instance): Promise<PemConfiguration> {
  const persisted = await persistedOptions(host, instance)
  const options = new Map([...instance.options, ...persisted])
  const texts = [{ name: `options of ${instance.dataFolder}`, text: [...options].map(([name, value]) => (value === null ? name : `${name}=${value}`)).filter((line) => !/pass/i.test(line)).join('\n') }]
  const pair = await pairOf(host, instance, options)
  const problems = problemsOf(instance, options, pair)
  if (pair === undefined) return { texts, pairs: [], problems }
  const holder = { name: instance.dataFolder }
  const sockets = await socketsOf(host, instance, options)
  const endpoints = sockets.map(({ address, port }) => ({ address: nearAddresses(address)[0] ?? address, port, serverName: null, startTls: 'mysql' as const, holder }))
  const left = sockets.length > 0 ? [] : ['it takes no connections over the network (skip-networking or port 0)']
  return { texts, problems, pairs: joinUses([{ ...pair, holder, of: 1, names: [], endpoints, left }]) }
}

/** MySQL keeps what SET PERSIST changed in its data folder; that counts more than option files. */
async function persistedOptions(host: Host, { isMariaDb, dataFolder }: Instance): Promise<Options> {
  if (isMariaDb) return new Map()
  const content = await host.readFile(path.posix.join(dataFolder, 'mysqld-auto.cnf'), 8 << 20).catch(() => undefined)
  if (content === undefined) return new Map()
  return optionsOf(persistedWords(JSON.parse(Buffer.from(content).toString('utf8'))))
}

/** Name → { Value, … }, at a depth that differs between versions. */
function persistedWords(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value as Record<string, unknown>).flatMap(([name, inner]) => {
    const given: unknown = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)['Value'] : undefined
    return typeof given === 'string' ? [`--${name}=${given}`] : persistedWords(inner)
  })
}

async function pairOf(host: Host, { isMariaDb, dataFolder }: Instance, options: Options): Promise<PairPaths | undefined> {
  if (!isOn(options, 'ssl', true) || options.get('tls-version') === '') return undefined
  const [certificate, key] = [valueOf(options, 'ssl-cert'), valueOf(options, 'ssl-key')]
  const within = (file: string) => path.posix.resolve(dataFolder, file)
  // A key that is not named is in the file of the certificate, as the library of both servers has it.
  if (certificate !== undefined) return { certificatePath: within(certificate), keyPath: within(key ?? certificate), chainPath: null }
  const made = within('server-cert.pem')
  if (isMariaDb || key !== undefined || await host.stat(made) === undefined) return undefined
  return { certificatePath: made, keyPath: within('server-key.pem'), chainPath: null }
}

function problemsOf({ isMariaDb, version, dataFolder }: Instance, options: Options, pair: PairPaths | undefined): PairProblem[] {
  const others = ['admin-ssl-cert', 'mysqlx-ssl-cert'].filter((name) => valueOf(options, name) !== undefined)
  const inMemory = pair === undefined && isMariaDb && isAtLeast(version, [11, 4]) && isOn(options, 'ssl', true)
  return [
    ...others.map((name) => ({ where: name, reason: 'certificates of the administrative port and of the X protocol are not looked after' })),
    ...(inMemory ? [{ where: dataFolder, reason: 'it makes a certificate of its own in memory at each start; set ssl_cert and ssl_key and restart it once' }] : []),
  ]
}

/** Where the process listens; where the bot may not see that, where its options say. */
async function socketsOf(host: Host, { process: { pid } }: Instance, options: Options): Promise<Socket[]> {
  const ports = ['port', 'extra-port'].map((name) => Number(valueOf(options, name) ?? (name === 'port' ? usualPort : 0))).filter((port) => port > 0)
  const own = (await host.listeners()).filter((listener) => listener.pid === pid)
  if (own.length > 0) return own.filter(({ port }) => ports.includes(port)).map(({ address, port }) => ({ address, port }))
  if (!isOn(options, 'networking', true)) return []
  const addresses = (valueOf(options, 'bind-address') ?? '*').split(',').flatMap((address) => plainAddress(address.trim().replace(/\/.*$/, '')) ?? [])
  return addresses.flatMap((address) => ports.map((port) => ({ address, port })))
}
