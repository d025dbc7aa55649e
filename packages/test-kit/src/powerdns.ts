import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { connectOnce, tempFolderFor } from './daemon.ts'
import { freePorts } from './ports.ts'
import { startProcess, type TestProcess } from './process.ts'
import { requireTool } from './tools.ts'
import { eventually } from './wait.ts'

/** What the package of the backend makes databases with. */
const schemaFile = '/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql'

export interface PowerdnsOptions {
  /** Kind by name, e.g. { 'example.test': 'Native' }. */
  zones: Readonly<Record<string, 'Native' | 'Primary'>>
  apiKey: string
  /** More lines of pdns.conf. */
  settings?: string
}
export interface RunningPowerdns {
  readonly address: '127.0.0.1'
  /** For DNS. */
  readonly port: number
  /** Of the API: http://127.0.0.1:… */
  readonly url: string
  readonly folder: string
  log(): string
  /** Writes a record past the API. `content` as zone files have it, TXT in quotes. */
  put(zone: string, name: string, type: string, content: string): void
  stop(): Promise<void>
  start(): Promise<void>
}

/** A real PowerDNS with a database of its own and its API, on loopback; ready when both take connections, stopped after the test. It keeps nothing in caches. */
export async function startPowerdns(t: Pick<TestContext, 'after'>, options: PowerdnsOptions): Promise<RunningPowerdns> {
  const program = requireTool('pdns_server')
  const started: TestProcess[] = []
  const folder = await tempFolderFor(t, 'powerdns', () => Promise.all(started.map(stopServer)))
  const databaseFile = join(folder, 'pdns.sqlite3')
  await makeDatabase(databaseFile, options)
  const log = () => started.map((each) => each.output()).join('')
  const run = async (ports: readonly number[]): Promise<boolean> => {
    const server = await startProcess(t, [program, `--config-dir=${folder}`], { cwd: folder })
    started.push(server)
    const result = await eventually(async () => {
      if (server.child.exitCode !== null) return 'ended'
      for (const port of ports) await connectOnce(port)
      return 'ready'
    }, { what: 'PowerDNS taking connections' }).catch((error: Error) => { throw new Error(`${error.message}\n${log()}`, { cause: error }) })
    return result === 'ready'
  }
  for (let attempt = 1; ; attempt++) {
    const ports = await freePorts(2)
    const [port = 0, apiPort = 0] = ports
    await writeFile(join(folder, 'pdns.conf'), configuration(folder, databaseFile, port, apiPort, options))
    if (await run(ports)) {
      return {
        address: '127.0.0.1', port, url: `http://127.0.0.1:${apiPort}`, folder, log,
        put: (zone, name, type, content) => inDatabase(databaseFile, (database) => {
          database.prepare('insert into records (domain_id, name, type, content, ttl, auth) select id, ?, ?, ?, 60, 1 from domains where name = ?').run(name, type, content, zone)
        }),
        stop: async () => { await Promise.all(started.map(stopServer)) },
        async start() { if (!await run(ports)) throw new Error(`PowerDNS did not start again:\n${log()}`) },
      }
    }
    if (attempt === 3 || !/in use|bind/i.test(log())) throw new Error(`PowerDNS did not start:\n${log()}`)
  }
}

const configuration = (folder: string, databaseFile: string, port: number, apiPort: number, { apiKey, settings = '' }: PowerdnsOptions) => `daemon=no
guardian=no
launch=gsqlite3
gsqlite3-database=${databaseFile}
socket-dir=${folder}
local-address=127.0.0.1
local-port=${port}
receiver-threads=1
distributor-threads=1
cache-ttl=0
negquery-cache-ttl=0
query-cache-ttl=0
zone-cache-refresh-interval=0
webserver=yes
webserver-address=127.0.0.1
webserver-port=${apiPort}
webserver-allow-from=127.0.0.1
api=yes
api-key=${apiKey}
primary=yes
loglevel=5
${settings}
`

function inDatabase(file: string, work: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(file)
  try {
    database.exec('pragma busy_timeout = 5000')
    work(database)
  } finally {
    database.close()
  }
}

async function makeDatabase(file: string, { zones }: PowerdnsOptions): Promise<void> {
  const schema = await readFile(schemaFile, 'utf8')
  inDatabase(file, (database) => {
    database.exec(schema)
    for (const [name, kind] of Object.entries(zones)) {
      const { lastInsertRowid } = database.prepare('insert into domains (name, type) values (?, ?)').run(name, kind === 'Primary' ? 'MASTER' : 'NATIVE')
      const add = database.prepare('insert into records (domain_id, name, type, content, ttl, auth) values (?, ?, ?, ?, 60, 1)')
      add.run(lastInsertRowid, name, 'SOA', `ns1.${name} hostmaster.${name} 1 3600 600 86400 1`)
      add.run(lastInsertRowid, name, 'NS', `ns1.${name}`)
      add.run(lastInsertRowid, `ns1.${name}`, 'A', '127.0.0.1')
    }
  })
}

async function stopServer(server: TestProcess): Promise<void> {
  if (server.child.exitCode === null && server.child.signalCode === null) server.kill('SIGTERM')
  await server.ended
}
