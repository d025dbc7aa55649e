import { execFile } from 'node:child_process'
import { chmod, chown, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { connectOnce, tempFolderFor } from './daemon.ts'
import { archiveLeftOut, unpackedArchive } from './maven.ts'
import { freePorts } from './ports.ts'
import { leftOut, requireTool } from './tools.ts'
import { eventually } from './wait.ts'

const run = promisify(execFile)

/** 10: Debian's package. 9, 11: from Maven Central. */
export type TomcatVersion = '9' | '10' | '11'

export interface TomcatPlace {
  /** CATALINA_BASE. The account of Tomcat can enter and write it. */
  base: string
  /** Free ones; the last is the shutdown port. */
  ports: readonly number[]
}

export interface TomcatOptions {
  version?: TomcatVersion
  /** Connector elements of server.xml. Files that they name are written here; `own` gives them to the account of Tomcat. */
  connectors: (place: TomcatPlace) => string | Promise<string>
  /** Attribute of the server: `connectors` gets its ports without it. */
  portOffset?: number
  /** How long it waits for visitors to go when it stops, with its ports still open. */
  patienceMs?: number
  /** How many ports the connectors take; default 1. */
  portCount?: number
  /** User elements of tomcat-users.xml. With them the manager is deployed, on every connector. */
  users?: string
  /** Further lines of conf/catalina.properties. */
  properties?: string
  /** Added to the environment of catalina.sh. */
  environment?: Record<string, string>
  /** As the user who runs the tests instead of the account "tomcat". */
  asRoot?: boolean
}

export interface RunningTomcat extends TomcatPlace {
  home: string
  serverXmlPath: string
  /** Of the JVM that runs now. */
  pid(): Promise<number>
  log(): Promise<string>
}

/** Why tests with this version are left out; false when they aren't. */
export const tomcatLeftOut = async (version: TomcatVersion): Promise<string | false> =>
  version === '10' ? leftOut('catalina') || leftOut('tomcat-manager') || leftOut('keytool') : leftOut('keytool') || archiveLeftOut(`tomcat-${version}`)

async function installation(version: TomcatVersion): Promise<{ home: string; manager: string }> {
  if (version === '10') return { home: dirname(dirname(requireTool('catalina'))), manager: dirname(requireTool('tomcat-manager')) }
  const home = await unpackedArchive(`tomcat-${version}`)
  return { home, manager: join(home, 'webapps/manager') }
}

/** The account that Debian's package makes; undefined: as ourselves. */
async function tomcatAccount({ asRoot = false }: TomcatOptions): Promise<{ uid: number; gid: number } | undefined> {
  if (asRoot || process.getuid?.() !== 0) return undefined
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => run('id', [flag, 'tomcat']).then(({ stdout }) => Number(stdout), () => 65_534)))
  return uid === undefined || gid === undefined ? undefined : { uid, gid }
}

/**
 * A real Tomcat with a CATALINA_BASE of its own in a temporary folder, in the background as catalina.sh starts it; on
 * loopback as far as its connectors are. Ready when its ports take connections; stopped after the test by its own pid.
 */
export async function startTomcat(t: Pick<TestContext, 'after'>, options: TomcatOptions): Promise<RunningTomcat> {
  const { home, manager } = await installation(options.version ?? '10')
  const account = await tomcatAccount(options)
  const base = await newBase(t)
  for (let attempt = 1; ; attempt++) {
    const place = { base, ports: await freePorts((options.portCount ?? 1) + 1) }
    await writeConfiguration(place, { home, manager, options })
    if (account !== undefined) await own(base, account)
    try {
      await start(home, base, options.environment ?? {}, account)
      for (const port of place.ports) await answers(port, base)
      return { ...place, home, serverXmlPath: join(base, 'conf/server.xml'), pid: async () => (await pidsOf(base))[0] ?? 0, log: () => logOf(base) }
    } catch (error) {
      const log = await logOf(base)
      await stopAll(base)
      if (attempt === 3 || !log.includes('Address already in use')) throw new Error(`Tomcat did not start: ${String(error)}\n${log}`, { cause: error })
    }
  }
}

async function newBase(t: Pick<TestContext, 'after'>): Promise<string> {
  const base: string = await tempFolderFor(t, 'tomcat', () => stopAll(base))
  for (const folder of ['bin', 'conf/Catalina/localhost', 'logs', 'temp', 'webapps', 'work']) await mkdir(join(base, folder), { recursive: true })
  await chmod(base, 0o755)
  return base
}

/** Small and quick rather than fast under load. */
const jvmOptions = '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -Xmx96m -Djava.security.egd=file:/dev/./urandom'

async function start(home: string, base: string, environment: Record<string, string>, account: { uid: number; gid: number } | undefined): Promise<void> {
  await writeFile(join(base, 'bin/setenv.sh'), `CATALINA_OPTS="$CATALINA_OPTS ${jvmOptions}"\nJAVA_HOME=${dirname(dirname(await javaProgram()))}\n`)
  const env = { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', CATALINA_HOME: home, CATALINA_BASE: base, ...environment }
  await run('/bin/sh', [join(home, 'bin/catalina.sh'), 'start'], { env, cwd: base, timeout: 60_000, ...account })
}

const javaProgram = async (): Promise<string> => (await run('readlink', ['-f', requireTool('keytool')])).stdout.trim()

async function answers(port: number, base: string): Promise<void> {
  await eventually(async () => {
    if ((await pidsOf(base)).length === 0) throw new Error('it has ended')
    return connectOnce(port)
  }, { what: `Tomcat taking connections on port ${port}`, timeoutMs: 60_000 })
}

const logOf = (base: string) => readFile(join(base, 'logs/catalina.out'), 'utf8').catch(() => '')

interface Layout { home: string; manager: string; options: TomcatOptions }

async function writeConfiguration(place: TomcatPlace, { home, manager, options }: Layout): Promise<void> {
  const conf = join(place.base, 'conf')
  const defaults = await readFile(join(home, 'conf/catalina.properties'), 'utf8').catch(() => readFile(join(home, 'etc/catalina.properties'), 'utf8'))
  // Looking through jars takes longer than all the rest.
  await writeFile(join(conf, 'catalina.properties'), `${defaults}\ntomcat.util.scan.StandardJarScanFilter.jarsToSkip=*.jar\n${options.properties ?? ''}\n`)
  if (options.users !== undefined) {
    await writeFile(join(conf, 'tomcat-users.xml'), `<tomcat-users>${options.users}</tomcat-users>\n`, { mode: 0o600 })
    await writeFile(join(conf, 'Catalina/localhost/manager.xml'), `<Context docBase="${manager}" privileged="true" />\n`)
    await cp(join(home, 'conf/web.xml'), join(conf, 'web.xml')).catch(() => cp(join(home, 'etc/web.xml'), join(conf, 'web.xml')))
  }
  const named = { ...place, ports: place.ports.map((port) => port - (options.portOffset ?? 0)) }
  await writeFile(join(conf, 'server.xml'), serverXml(await options.connectors(named), named, options), { mode: 0o640 })
}

function serverXml(connectors: string, { ports }: TomcatPlace, { portOffset = 0, patienceMs = 0 }: TomcatOptions): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<!-- A comment before all -->
<Server port="${ports.at(-1)}" shutdown="SHUTDOWN"${portOffset === 0 ? '' : ` portOffset="${portOffset}"`}>
  <GlobalNamingResources>
    <Resource name="UserDatabase" auth="Container" type="org.apache.catalina.UserDatabase" factory="org.apache.catalina.users.MemoryUserDatabaseFactory" pathname="conf/tomcat-users.xml" />
  </GlobalNamingResources>
  <Service name="Catalina"${patienceMs === 0 ? '' : ` gracefulStopAwaitMillis="${patienceMs}"`}>
${connectors}
    <Engine name="Catalina" defaultHost="localhost">
      <Realm className="org.apache.catalina.realm.UserDatabaseRealm" resourceName="UserDatabase" />
      <Host name="localhost" appBase="webapps" />
    </Engine>
  </Service>
</Server>
`
}

async function own(folder: string, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  await chown(folder, uid, gid)
  for (const name of await readdir(folder, { recursive: true })) await chown(join(folder, name), uid, gid)
}

/** The JVMs of this base: more than one while it is restarted. */
async function pidsOf(base: string): Promise<number[]> {
  const found = await Promise.all((await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(async (pid) => {
    const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
    return argv.includes(`-Dcatalina.base=${base}`) && argv.includes('start') ? [Number(pid)] : []
  }))
  return found.flat()
}

async function stopAll(base: string): Promise<void> {
  for (const pid of await pidsOf(base)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      continue // it has ended already
    }
  }
  await eventually(async () => (await pidsOf(base)).length === 0, { what: 'the end of Tomcat' })
}
