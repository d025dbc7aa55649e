import { chmod, chown, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { tempFolder } from './folders.ts'
import { freePorts } from './ports.ts'
import { startProcess, type TestProcess } from './process.ts'
import { eventually } from './wait.ts'
import { encryptPassphrase, makeDomainKey } from './weblogic/passphrases.ts'
import { simulatedJava } from './weblogic/program.ts'

export { weblogicUsers } from './weblogic/rest.ts'

export interface WeblogicPlace {
  /** Folder of the domain. */
  domain: string
  ports: readonly number[]
  /** A passphrase as config.xml has it, which the servers of this domain alone can open. */
  encrypt: (text: string) => string
}

export interface WeblogicOptions {
  portCount: number
  /** Writes keystores and gives what stands within <domain>, behind its version. */
  config: (place: WeblogicPlace) => string | Promise<string>
  /** Those that run; the first is the administration server. Default: AdminServer. */
  servers?: readonly string[]
  version?: string
  /** uid and gid of the servers; default: those of the test. */
  account?: { uid: number; gid: number }
}

export interface RunningWeblogic extends WeblogicPlace {
  configPath: string
  /** Of a server. */
  process(name: string): TestProcess
  /** The next change over its management is answered with status 500. */
  refuseNext(name: string): Promise<void>
}

/** What stands at the beginning of each config.xml. */
const head = (version: string) => `<?xml version='1.0' encoding='UTF-8'?>
<domain xmlns="http://xmlns.oracle.com/weblogic/domain" xmlns:sec="http://xmlns.oracle.com/weblogic/security" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <name>shop_domain</name>
  <domain-version>${version}</domain-version>
  <security-configuration><name>shop_domain</name><realm><sec:authentication-provider xsi:type="wls:default-authenticatorType" xmlns:wls="http://xmlns.oracle.com/weblogic/security/wls"/><sec:name>myrealm</sec:name></realm></security-configuration>
`

/**
 * Servers of a simulated WebLogic domain, each a process with the command line of a JVM: they serve TLS from the real
 * keystores of config.xml and offer the management over REST. Ready when all run, killed after the test.
 */
export async function startWeblogic(t: Pick<TestContext, 'after'>, options: WeblogicOptions): Promise<RunningWeblogic> {
  const { servers = ['AdminServer'], version = '14.1.1.0.0', account } = options
  const java = await simulatedJava()
  for (let attempt = 1; ; attempt++) {
    const place = await makeDomain(t, options, version)
    const { domain, ports } = place
    await own(domain, account)
    const started = new Map<string, TestProcess>()
    try {
      for (const [index, name] of servers.entries()) {
        const managed = index === 0 ? [] : [`-Dweblogic.management.server=http://127.0.0.1:${ports[0]}`]
        const argv = [java, '-server', '-Xmx512m', '-cp', '/u01/oracle/wlserver/server/lib/weblogic-launcher.jar', `-Dweblogic.Name=${name}`, '-Dweblogic.home=/u01/oracle/wlserver/server', ...managed, 'weblogic.Server'] as const
        const process = await startProcess(t, [...argv], { cwd: domain, env: { SIMULATOR_ENTRY: fileURLToPath(new URL('./weblogic/simulator.ts', import.meta.url)), DOMAIN_HOME: domain }, ...account })
        started.set(name, process)
        await process.waitFor(/BEA-000365/)
      }
      return { ...place, configPath: join(domain, 'config', 'config.xml'), process: (name) => running(started, name), refuseNext: (name) => refuse(running(started, name)) }
    } catch (error) {
      for (const process of started.values()) process.kill('SIGKILL')
      if (attempt === 3 || !String(error).includes('EADDRINUSE')) throw error
    }
  }
}

async function makeDomain(t: Pick<TestContext, 'after'>, { portCount, config }: WeblogicOptions, version: string): Promise<WeblogicPlace> {
  const domain = await tempFolder(t, 'weblogic')
  await Promise.all(['config', 'security', 'bin'].map((name) => mkdir(join(domain, name))))
  makeDomainKey(domain)
  const place: WeblogicPlace = { domain, ports: await freePorts(portCount), encrypt: (text) => encryptPassphrase(domain, text) }
  await writeFile(join(domain, 'config', 'config.xml'), `${head(version)}${await config(place)}\n</domain>\n`)
  return place
}

async function own(folder: string, account: WeblogicOptions['account']): Promise<void> {
  if (account === undefined) return
  await chmod(folder, 0o755)
  for (const entry of ['', ...await readdir(folder, { recursive: true })]) await chown(join(folder, entry), account.uid, account.gid)
}

function running(started: ReadonlyMap<string, TestProcess>, name: string): TestProcess {
  const process = started.get(name)
  if (process === undefined) throw new Error(`no server ${name} was started`)
  return process
}

async function refuse(process: TestProcess): Promise<void> {
  const count = () => process.output().split('changes are refused').length
  const before = count()
  process.kill('SIGUSR2')
  await eventually(() => count() > before)
}
