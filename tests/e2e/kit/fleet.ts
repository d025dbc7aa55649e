import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'node:test'
import type { CertificateId, ConfigurationInput } from '@certloop/contract'
import { keyMatchesCertificate, readCertificate } from '@certloop/pki'
import { selfSignedPair, startProcess, writePair, type TestPair } from '@certloop/test-kit'
import { configurationFor, startBot, startPlane, type Plane, type PlaneOptions, type RunningBot } from './plane.ts'

/** One certificate under care: two files in a folder of its own, written by one bot. */
export interface Member {
  readonly id: CertificateId
  readonly name: string
  readonly bot: RunningBot
  readonly folder: string
  /** What reads the files takes no new certificate before it is mended. */
  readonly refuses: boolean
  /** Its proof is a handshake; the others are their files alone. */
  readonly isServed: boolean
}
export interface Fleet {
  readonly plane: Plane
  readonly bots: readonly RunningBot[]
  readonly members: readonly Member[]
  /** What lies in each folder at the beginning. */
  readonly first: TestPair
  /** Of the TLS server. */
  readonly port: number
  /** From now on every new certificate is taken. */
  mend(): Promise<void>
}
interface FleetOptions {
  count: number
  bots?: number
  /** So many of them are served by a TLS server. */
  served?: number
  /** Every how manyth refuses its new certificate; none when left out. */
  refusesEvery?: number
  plane?: PlaneOptions
  configuration?: Partial<ConfigurationInput>
}

type T = Pick<TestContext, 'after'>
const tlsServer = fileURLToPath(new URL('./tls-server.ts', import.meta.url))

/**
 * What the bots run once files are in place: it stands for the reload of a server. Arguments: the certificate file, a file
 * that is there while nothing new is taken, the first certificate, and the process to be told.
 */
const reload = `#!/bin/sh
if [ -e "$2" ] && ! /usr/bin/cmp -s "$1" "$3"; then echo "this certificate is not taken" >&2; exit 1; fi
[ -z "$4" ] || kill -HUP "$4"
`

/** Does a thing for each, so many at a time; the order of the results is that of what was given. */
export async function inParallel<I, R>(items: readonly I[], width: number, work: (item: I, index: number) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const line = items.entries()
  await Promise.all(Array.from({ length: width }, async () => { for (const [index, item] of line) results[index] = await work(item, index) }))
  return results
}

interface Place { name: string; folder: string; mark: string; refuses: boolean; isServed: boolean }

async function layOut(folder: string, first: TestPair, { count, served = 0, refusesEvery }: FleetOptions): Promise<Place[]> {
  await Promise.all(['hosts', 'marks'].map((name) => mkdir(join(folder, name))))
  await writeFile(join(folder, 'reload'), reload)
  await chmod(join(folder, 'reload'), 0o755)
  await writeFile(join(folder, 'first.crt'), first.certPem)
  const numbers = Array.from({ length: count }, (_, i) => i)
  return inParallel(numbers, 16, async (i) => {
    const name = `w${String(i).padStart(5, '0')}.fleet.example`
    const place = { name, folder: join(folder, 'hosts', name), mark: join(folder, 'marks', name), refuses: refusesEvery !== undefined && i % refusesEvery === refusesEvery >> 1, isServed: i < served }
    await mkdir(place.folder)
    await writePair(place.folder, 'tls', first)
    if (place.refuses) await writeFile(place.mark, '')
    return place
  })
}

/** Control plane, bots and so many certificates that are configured and were never issued. The folder is an empty one. */
export async function startFleet(t: T, folder: string, options: FleetOptions): Promise<Fleet> {
  const first = await selfSignedPair(['first.fleet.example'])
  const places = await layOut(folder, first, options)
  const sub = async (name: string) => { await mkdir(join(folder, name)); return join(folder, name) }
  const served = places.filter((p) => p.isServed)
  const server = served.length > 0 ? await startProcess(t, [process.execPath, tlsServer, ...served.map((p) => p.folder)]) : undefined
  const port = server ? Number((await server.waitFor(/listening on (\d+)/))[1]) : 0
  const plane = await startPlane(t, { dataFolder: await sub('plane'), ...options.plane })
  const bots = await inParallel(Array.from({ length: options.bots ?? 4 }, (_, i) => i), 2, async (i) => {
    const dataFolder = await sub(`bot-${i}`)
    await writeFile(join(dataFolder, 'bot.toml'), `[limits]\nscripts = true\ncommands = ["${join(folder, 'reload')}"]\nwrite_paths = ["${join(folder, 'hosts')}"]\n`)
    return startBot(t, plane, { dataFolder })
  })
  const members = await inParallel(places, 4, async (place, i) => {
    const bot = bots[i % bots.length]
    if (!bot) throw new Error('a fleet needs a bot')
    return addMember(plane, bot, { ...place, command: [join(folder, 'reload'), `${place.folder}/tls.crt`, place.mark, join(folder, 'first.crt'), ...(place.isServed ? [String(server?.pid)] : [])], port }, options)
  })
  return { plane, bots, members, first, port, mend: () => rm(join(folder, 'marks'), { recursive: true }) }
}

async function addMember(plane: Plane, bot: RunningBot, { name, folder, refuses, isServed, command, port }: Place & { command: string[]; port: number }, { configuration }: FleetOptions): Promise<Member> {
  const { id } = await plane.client.call('createCertificate', { body: { names: [name] } })
  const fields = { certificatePath: `${folder}/tls.crt`, keyPath: `${folder}/tls.key`, command, ...(isServed ? { proofPort: port, proofName: name } : {}) }
  await plane.client.call('setConfiguration', { params: { id }, body: await configurationFor(plane, [{ botId: bot.id, serverType: 'files', fields }], configuration) })
  return { id, name, bot, folder, refuses, isServed }
}

/** What lies in the folder of one. @throws Error when the key is another one's, or something else lies there too */
export async function onDisk({ name, folder }: Member): Promise<string> {
  const files = (await readdir(folder)).toSorted().join(' ')
  if (files !== 'tls.crt tls.key') throw new Error(`${name}: there is ${files}`)
  const certPem = await readFile(join(folder, 'tls.crt'), 'utf8')
  if (!keyMatchesCertificate(await readFile(join(folder, 'tls.key'), 'utf8'), certPem)) throw new Error(`${name}: the key is not that of the certificate`)
  return readCertificate(certPem).fingerprint
}
