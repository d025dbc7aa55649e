import type { TestContext } from 'node:test'
import { connectOnce } from './daemon.ts'
import { freePorts } from './ports.ts'
import { startProcess, type TestProcess } from './process.ts'
import { requireTool } from './tools.ts'
import { eventually } from './wait.ts'

export interface ChallengeServerOptions {
  /** false: leaves its HTTP port to somebody else. */
  http?: boolean
  tlsAlpn?: boolean
}
/** pebble-challtestsrv: answers challenges as it is told to, and is the DNS server of an ACME directory under test. */
export interface RunningChallengeServer {
  /** 127.0.0.1:port, UDP and TCP. */
  readonly dnsServer: string
  readonly dnsPort: number
  readonly httpPort: number
  readonly tlsPort: number
  setTxt(host: string, value: string): Promise<void>
  clearTxt(host: string): Promise<void>
  addA(host: string, ...addresses: string[]): Promise<void>
  addAaaa(host: string, ...addresses: string[]): Promise<void>
  setCname(host: string, target: string): Promise<void>
  addCaa(host: string, tag: string, value: string): Promise<void>
  setServfail(host: string): Promise<void>
  clearServfail(host: string): Promise<void>
  addHttp(token: string, content: string): Promise<void>
  removeHttp(token: string): Promise<void>
  addRedirect(path: string, targetUrl: string): Promise<void>
  /** The content is the key authorization. */
  addTlsAlpn(host: string, content: string): Promise<void>
  removeTlsAlpn(host: string): Promise<void>
  /** Types of the queries for a name so far. */
  dnsQueries(host: string): Promise<number[]>
  httpRequests(host: string): Promise<string[]>
  stop(): Promise<void>
}

/** On loopback; ready when it takes connections, stopped after the test. Every name has the address 127.0.0.1 unless told otherwise. */
export async function startChallengeServer(t: Pick<TestContext, 'after'>, { http = true, tlsAlpn = true }: ChallengeServerOptions = {}): Promise<RunningChallengeServer> {
  const program = requireTool('pebble-challtestsrv')
  for (let attempt = 1; ; attempt++) {
    const [dns = 0, web = 0, tls = 0, management = 0] = await freePorts(4)
    const at = (port: number, wanted: boolean) => (wanted ? `127.0.0.1:${port}` : '')
    const server = await startProcess(t, [program, '-defaultIPv4', '127.0.0.1', '-defaultIPv6', '', '-dns01', at(dns, true), '-http01', at(web, http), '-https01', '', '-tlsalpn01', at(tls, tlsAlpn), '-management', at(management, true)])
    const ready = await eventually(async () => {
      if (server.child.exitCode !== null) return 'ended'
      for (const port of [dns, management, ...(http ? [web] : []), ...(tlsAlpn ? [tls] : [])]) await connectOnce(port)
      return 'ready'
    }, { what: 'pebble-challtestsrv taking connections', timeoutMs: 30_000 })
    if (ready === 'ready') return running(server, { dns, web, tls, management })
    if (attempt === 3) throw new Error(`pebble-challtestsrv did not start:\n${server.output()}`)
  }
}

const dotted = (host: string) => (host.endsWith('.') ? host : `${host}.`)

function running(server: TestProcess, { dns, web, tls, management }: { dns: number; web: number; tls: number; management: number }): RunningChallengeServer {
  const call = async (path: string, body: object): Promise<Response> => {
    const response = await fetch(`http://127.0.0.1:${management}/${path}`, { method: 'POST', body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`pebble-challtestsrv answered ${response.status} to ${path}: ${await response.text()}`)
    return response
  }
  const tell = async (path: string, body: object) => { await (await call(path, body)).arrayBuffer() }
  const ask = async <T>(path: string, body: object) => await (await call(path, body)).json() as T[] | null
  return {
    dnsServer: `127.0.0.1:${dns}`, dnsPort: dns, httpPort: web, tlsPort: tls,
    setTxt: (host, value) => tell('set-txt', { host: dotted(host), value }),
    clearTxt: (host) => tell('clear-txt', { host: dotted(host) }),
    addA: (host, ...addresses) => tell('add-a', { host: dotted(host), addresses }),
    addAaaa: (host, ...addresses) => tell('add-aaaa', { host: dotted(host), addresses }),
    setCname: (host, target) => tell('set-cname', { host: dotted(host), target: dotted(target) }),
    addCaa: (host, tag, value) => tell('add-caa', { host: dotted(host), policies: [{ tag, value }] }),
    setServfail: (host) => tell('set-servfail', { host: dotted(host) }),
    clearServfail: (host) => tell('clear-servfail', { host: dotted(host) }),
    addHttp: (token, content) => tell('add-http01', { token, content }),
    removeHttp: (token) => tell('del-http01', { token }),
    addRedirect: (path, targetURL) => tell('add-redirect', { path, targetURL }),
    addTlsAlpn: (host, content) => tell('add-tlsalpn01', { host, content }),
    removeTlsAlpn: (host) => tell('del-tlsalpn01', { host }),
    dnsQueries: async (host) => (await ask<{ Question: { Qtype: number } }>('dns-request-history', { host }) ?? []).map(({ Question }) => Question.Qtype),
    httpRequests: async (host) => (await ask<{ URL: string }>('http-request-history', { host }) ?? []).map(({ URL: url }) => url),
    async stop() {
      server.kill()
      await server.ended
    },
  }
}
