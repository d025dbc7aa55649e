import { createHash } from 'node:crypto'
import { chmod, chown, copyFile, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { tempFolder } from './folders.ts'
import { unpackedArchive } from './maven.ts'
import { freePorts } from './ports.ts'
import { startProcess, type TestProcess } from './process.ts'
import { requireTool } from './tools.ts'

export interface WildflyOptions {
  /** Elements of <tls> in the Elytron subsystem. Key stores that lie in the configuration folder are written by `prepare`. */
  tls: string
  /** Attributes of the two https-listeners; none: there is no second one. */
  listeners: readonly string[]
  /** Elements in front of <management>, such as paths. */
  before?: string
  prepare: (configuration: string) => Promise<unknown>
  /** uid and gid of the server; default: those of the test. */
  account?: { uid: number; gid: number }
  /** Arguments of the server. */
  args?: readonly string[]
}

export interface RunningWildfly {
  readonly base: string
  readonly configPath: string
  /** Of the https-listeners, in order. */
  readonly ports: readonly number[]
  readonly managementPort: number
  readonly process: TestProcess
}

export const wildflyAdmin = { user: 'admin', password: 'Manage-ment:7' } as const

/**
 * A real WildFly of Maven Central with a base of its own and a small configuration: Elytron, Undertow and the HTTP
 * management, on loopback; ready when all of it has started, killed after the test.
 */
export async function startWildfly(t: Pick<TestContext, 'after'>, options: WildflyOptions): Promise<RunningWildfly> {
  const home = await unpackedArchive('wildfly')
  for (let attempt = 1; ; attempt++) {
    const base = await tempFolder(t, 'wildfly')
    const configuration = join(base, 'configuration')
    const configPath = join(configuration, 'tls.xml')
    await mkdir(configuration)
    const [managementPort = 0, ...ports] = await freePorts(options.listeners.length + 1)
    await copyFile(join(home, 'standalone/configuration/logging.properties'), join(configuration, 'logging.properties'))
    await writeFile(join(configuration, 'mgmt-users.properties'), `${wildflyAdmin.user}=${createHash('md5').update(`${wildflyAdmin.user}:ManagementRealm:${wildflyAdmin.password}`).digest('hex')}\n`)
    await writeFile(configPath, configText(options, managementPort, ports))
    await options.prepare(configuration)
    await own(base, options.account)
    const started = await startProcess(t, [requireTool('java'), ...jvmArguments(home, base), 'org.jboss.as.standalone', `-Djboss.home.dir=${home}`, `-Djboss.server.base.dir=${base}`, '-c', 'tls.xml', ...options.args ?? []], { cwd: base, ...options.account })
    try {
      await started.waitFor(/WFLYSRV0025/, 90_000)
      return { base, configPath, ports, managementPort, process: started }
    } catch (error) {
      if (attempt === 3 || !started.output().includes('Address already in use')) throw new Error(`WildFly did not start: ${String(error).slice(0, 5000)}`, { cause: error })
    }
  }
}

const jvmArguments = (home: string, base: string): string[] => [
  '-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-XX:-UsePerfData', '-Djava.awt.headless=true', `-Dorg.jboss.boot.log.file=${join(base, 'boot.log')}`,
  `-Dlogging.configuration=file:${join(base, 'configuration/logging.properties')}`, '-jar', join(home, 'jboss-modules.jar'), '-mp', join(home, 'modules'),
]

/** The server writes its history and temporary files; a folder of mode 0700 must be its own. */
async function own(base: string, account: WildflyOptions['account']): Promise<void> {
  if (account === undefined) return
  await chmod(base, 0o755)
  for (const entry of ['', ...await readdir(base, { recursive: true })]) await chown(join(base, entry), account.uid, account.gid)
}

function configText({ tls, listeners, before = '' }: WildflyOptions, managementPort: number, ports: readonly number[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<!-- Kept by hand: comments stay. -->
<server xmlns="urn:jboss:domain:community:20.0">
  <extensions>${['elytron', 'io', 'undertow'].map((name) => `<extension module="org.wildfly.extension.${name}"/>`).join('')}</extensions>
  ${before}
  <management>
    <management-interfaces>
      <http-interface http-authentication-factory="management-http"><http-upgrade enabled="true" sasl-authentication-factory="management-sasl"/><socket-binding http="management-http"/></http-interface>
    </management-interfaces>
    <access-control provider="simple"><role-mapping><role name="SuperUser"><include><user name="$local"/></include></role></role-mapping></access-control>
  </management>
  <profile>
    <subsystem xmlns="urn:wildfly:elytron:community:18.0">
      <providers><provider-loader name="elytron" module="org.wildfly.security.elytron"/></providers>
      <security-domains><security-domain name="ManagementDomain" default-realm="ManagementRealm" permission-mapper="all"><realm name="ManagementRealm"/><realm name="local"/></security-domain></security-domains>
      <security-realms>
        <identity-realm name="local" identity="$local"/>
        <properties-realm name="ManagementRealm"><users-properties path="mgmt-users.properties" relative-to="jboss.server.config.dir" digest-realm-name="ManagementRealm"/></properties-realm>
      </security-realms>
      <mappers><simple-permission-mapper name="all"><permission-mapping match-all="true"><permission-set name="login"/></permission-mapping></simple-permission-mapper><constant-realm-mapper name="local" realm-name="local"/></mappers>
      <permission-sets><permission-set name="login"><permission class-name="org.wildfly.security.auth.permission.LoginPermission"/></permission-set></permission-sets>
      <http>
        <http-authentication-factory name="management-http" security-domain="ManagementDomain" http-server-mechanism-factory="global"><mechanism-configuration><mechanism mechanism-name="DIGEST"><mechanism-realm realm-name="ManagementRealm"/></mechanism></mechanism-configuration></http-authentication-factory>
        <provider-http-server-mechanism-factory name="global"/>
      </http>
      <sasl>
        <sasl-authentication-factory name="management-sasl" sasl-server-factory="configured" security-domain="ManagementDomain"><mechanism-configuration><mechanism mechanism-name="JBOSS-LOCAL-USER" realm-mapper="local"/></mechanism-configuration></sasl-authentication-factory>
        <configurable-sasl-server-factory name="configured" sasl-server-factory="global"><properties><property name="wildfly.sasl.local-user.default-user" value="$local"/><property name="wildfly.sasl.local-user.challenge-path" value="\${jboss.server.temp.dir}/auth"/></properties></configurable-sasl-server-factory>
        <provider-sasl-server-factory name="global"/>
      </sasl>
      <tls>${tls}</tls>
    </subsystem>
    <subsystem xmlns="urn:jboss:domain:io:4.0" default-worker="default"><worker name="default" io-threads="1" task-max-threads="4"/></subsystem>
    <subsystem xmlns="urn:jboss:domain:undertow:community:14.0">
      <byte-buffer-pool name="default"/>
      <buffer-cache name="default"/>
      <server name="default-server">
        ${listeners.map((attributes, i) => `<https-listener name="https${i}" socket-binding="https${i}" ${attributes}/>`).join('\n        ')}
        <host name="default-host" alias="localhost"/>
      </server>
      <servlet-container name="default"/>
    </subsystem>
  </profile>
  <interfaces>
    <interface name="management"><inet-address value="\${jboss.bind.address.management:127.0.0.1}"/></interface>
    <interface name="public"><inet-address value="\${jboss.bind.address:127.0.0.1}"/></interface>
  </interfaces>
  <socket-binding-group name="standard-sockets" default-interface="public" port-offset="\${jboss.socket.binding.port-offset:10}">
    ${ports.map((port, i) => `<socket-binding name="https${i}" port="\${test.https.port${i}:${port - 10}}"/>`).join('\n    ')}
    <socket-binding name="management-http" interface="management" fixed-port="true" port="${managementPort}"/>
  </socket-binding-group>
</server>
`
}
