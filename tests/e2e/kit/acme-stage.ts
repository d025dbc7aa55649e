import { mkdir, readdir } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Authority, AuthorityInput, CertificateDetail, ConfigurationInput, DnsProvider } from '@certloop/contract'
import { freePorts, nginxTempPaths, selfSignedPair, startBind, startNginx, startPebble, tempFolder, writePair, type BindZone, type PebbleOptions, type RunningBind, type RunningPebble } from '@certloop/test-kit'
import { configureFromScan, discovered, startBot, startPlane, uniqueName, type Plane, type RunningBot } from './plane.ts'

const key = { name: 'certloop', algorithm: 'hmac-sha256', secret: 'c2VjcmV0IG9mIGEgdGVzdCwgbm90aGluZyBtb3JlLiE=' }

/** A name with a zone in a real BIND, a real nginx that serves it over HTTP and TLS, a control plane and a bot. */
export interface AcmeStage {
  name: string
  bind: RunningBind
  /** Folder that nginx serves on httpPort. */
  webRoot: string
  httpPort: number
  /** Where the bot may answer handshakes. */
  alpnPort: number
  /** Of nginx. */
  tlsPort: number
  plane: Plane
  bot: RunningBot
  /** A directory that looks at this nginx and this BIND. */
  startPebble(options?: PebbleOptions): Promise<RunningPebble>
  /** Files below .well-known in the web root now; none where there is no such folder. */
  tokenFiles(): Promise<string[]>
  /** All TXT records of a zone, by a transfer; default: that of the name. */
  textRecords(zone?: string): Promise<string[]>
}
export interface StageOptions {
  program?: string
  botProgram?: string
  env?: Record<string, string>
  /** Of the zone, besides addresses of the name and of those below it. */
  records?: string
  /** Default: one of its own. */
  name?: string
  /** Further zones of BIND. */
  zones?: readonly BindZone[]
  /** More lines of the options of BIND. */
  dnsOptions?: string
  /** In place of leave to write any TXT record of the zone. */
  policy?: string
  /** Another DNS server than BIND, which holds the zone of the name. */
  dns?: { address: string; port: number }
}
/** Leave to write the records of a zone, as a statement of BIND. */
export const writable = `update-policy { grant "${key.name}" zonesub TXT; };`

const startZones = (t: TestContext, name: string, { dnsOptions, records = '', zones = [], policy = writable }: StageOptions): Promise<RunningBind> => startBind(t, {
  keys: [key], ...(dnsOptions ? { options: dnsOptions } : {}),
  zones: [{ name, records: `@ A 127.0.0.1\n* A 127.0.0.1\n${records}`, statements: `${policy} allow-transfer { any; };` }, ...zones],
})

export async function acmeStage(t: TestContext, options: StageOptions = {}): Promise<AcmeStage> {
  const { name = uniqueName() } = options
  const bind = await startZones(t, name, options)
  const { dns = bind } = options
  const webRoot = join(await tempFolder(t, 'web'), 'root')
  await mkdir(webRoot, { mode: 0o755 })
  const pair = await writePair(await tempFolder(t, 'files'), 'shop', await selfSignedPair([name]))
  const nginx = await startNginx(t, {
    portCount: 2,
    configuration: ({ prefix, ports }) => `http {
${nginxTempPaths(prefix)}
  server { listen 127.0.0.1:${ports[0]}; server_name _; root ${webRoot}; }
  server { listen 127.0.0.1:${ports[1]} ssl; server_name ${name}; ssl_certificate ${pair.certPath}; ssl_certificate_key ${pair.keyPath}; }
}
`,
  })
  const [httpPort = 0, tlsPort = 0] = nginx.ports
  const [alpnPort = 0] = await freePorts(1)
  const network = ['--outbound-allow', '127.0.0.0/8,private', '--dns-servers', `${dns.address}:${dns.port}`]
  const plane = await startPlane(t, { ...(options.program ? { program: options.program, arguments: network } : { arguments: ['--no-bot', ...network] }), ...(options.env ? { env: options.env } : {}) })
  const bot = await startBot(t, plane, options.botProgram ? { program: options.botProgram } : {})
  return {
    name, bind, webRoot, httpPort, alpnPort, tlsPort, plane, bot,
    startPebble: (more = {}) => startPebble(t, { httpPort, tlsPort: alpnPort, dnsServer: `${dns.address}:${dns.port}`, strict: true, ...more }),
    async tokenFiles() {
      try {
        return (await readdir(join(webRoot, '.well-known'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => entry.name)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
        throw error
      }
    },
    textRecords: (zone = name) => transferredText(dns, zone),
  }
}

/** The values of TXT records that a zone transfer (AXFR over TCP, RFC 5936) shows, from the bytes: enough for short values of our own. */
async function transferredText({ address, port }: { address: string; port: number }, zone: string): Promise<string[]> {
  const labels = Buffer.concat([...zone.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])), Buffer.from([0])])
  const query = Buffer.concat([Buffer.from([0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]), labels, Buffer.from([0, 252, 0, 1])])
  const answer = await new Promise<Buffer>((resolve, reject) => {
    const socket = createConnection({ host: address, port })
    let bytes: Buffer = Buffer.alloc(0)
    socket.once('error', reject)
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      if (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) { resolve(bytes); socket.destroy() }
    })
    socket.end(Buffer.concat([Buffer.from([query.length >> 8, query.length & 255]), query]))
  })
  // A validation value is 43 characters of base64url behind its length.
  return [...answer.toString('latin1').matchAll(/\x2b([A-Za-z0-9_-]{43})/g)].map(([, value = '']) => value)
}

export const addAcme = (plane: Plane, name: string, pebble: RunningPebble, changes: Partial<AuthorityInput> = {}): Promise<Authority> =>
  plane.client.call('createAuthority', { body: { name, kind: 'acme', fields: { directoryUrl: pebble.directoryUrl, trustPem: pebble.trustPem, termsAgreed: true, httpPort: pebble.httpPort, tlsPort: pebble.tlsPort }, ...changes } })

/** The zone of the stage, written by signed updates. */
export const addBind = ({ plane, bind }: AcmeStage): Promise<DnsProvider> =>
  plane.client.call('createDnsProvider', { body: { name: 'BIND', kind: 'rfc2136', fields: { server: bind.address, port: bind.port, keyName: key.name, algorithm: key.algorithm }, secrets: { secret: key.secret } } })

/** The certificate that the scan found, with the changes as its configuration. */
export async function configured({ plane, name }: AcmeStage, changes: Partial<ConfigurationInput>): Promise<CertificateDetail> {
  return configureFromScan(plane, await discovered(plane, name), changes)
}
export const csrFor = (...names: string[]): ConfigurationInput['csr'] => ({ commonName: null, names, keyAlgorithm: 'ec-256', keyReuse: false, validityDays: null })
