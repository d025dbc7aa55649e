import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { connectOnce } from './daemon.ts'
import { tempFolder } from './folders.ts'
import { freePorts } from './ports.ts'
import { startProcess, type TestProcess } from './process.ts'
import { requireTool } from './tools.ts'
import { eventually } from './wait.ts'

export interface RunningCaddy {
  readonly directoryUrl: string
  /** Root of what it issues and of its own TLS certificate. */
  readonly trustPem: string
  readonly port: number
  readonly pid: number
  output(): string
  stop(): Promise<void>
}

const authority = 'certloop-test'

/**
 * Caddy as an ACME server (the acme_server handler over its pki app), on loopback with folders of its own. It asks the
 * system's DNS and looks at port 80 for http-01 and 443 for tls-alpn-01.
 */
export async function startCaddyAcme(t: Pick<TestContext, 'after'>): Promise<RunningCaddy> {
  const program = requireTool('caddy')
  const folder = await tempFolder(t, 'caddy')
  const rootPath = join(folder, 'data', 'pki', 'authorities', authority, 'root.crt')
  for (let attempt = 1; ; attempt++) {
    const [port = 0] = await freePorts(1)
    const config = join(folder, 'caddy.json')
    await writeFile(config, JSON.stringify(configuration(folder, port)))
    const server = await startProcess(t, [program, 'run', '--config', config], { env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder } })
    const ready = await eventually(async () => {
      if (server.child.exitCode !== null) return 'ended'
      await connectOnce(port)
      return 'ready'
    }, { what: 'Caddy taking connections', timeoutMs: 30_000 }).catch((error: Error) => { throw new Error(`${error.message}\n${server.output()}`, { cause: error }) })
    if (ready === 'ready') return running(server, port, await eventually(() => readFile(rootPath, 'utf8'), { what: 'the root of Caddy' }))
    if (attempt === 3 || !server.output().includes('address already in use')) throw new Error(`Caddy did not start:\n${server.output()}`)
  }
}

function configuration(folder: string, port: number): object {
  const host = [{ host: ['localhost', '127.0.0.1'] }]
  return {
    admin: { disabled: true }, storage: { module: 'file_system', root: join(folder, 'data') }, logging: { logs: { default: { level: 'INFO' } } },
    apps: {
      pki: { certificate_authorities: { [authority]: { name: 'Certloop test', install_trust: false } } },
      tls: { certificates: { automate: ['localhost', '127.0.0.1'] }, automation: { policies: [{ subjects: ['localhost', '127.0.0.1'], issuers: [{ module: 'internal', ca: authority }] }] } },
      http: { http_port: port + 1, https_port: port, servers: { acme: { listen: [`127.0.0.1:${port}`], automatic_https: { disable_redirects: true }, tls_connection_policies: [{ default_sni: 'localhost' }], routes: [{ match: host, handle: [{ handler: 'acme_server', ca: authority }] }] } } },
    },
  }
}

const running = (server: TestProcess, port: number, trustPem: string): RunningCaddy => ({
  directoryUrl: `https://localhost:${port}/acme/${authority}/directory`, trustPem, port, pid: server.pid, output: () => server.output(),
  async stop() {
    server.kill()
    await server.ended
  },
})
