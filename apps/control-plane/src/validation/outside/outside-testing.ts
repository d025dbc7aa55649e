import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { OutsideLook } from '@certloop/contract'
import type { DnsServer } from '@certloop/dns'
import { addressGuard } from '@certloop/plugin-kit'
import { createOutsideView } from './outside-view.ts'

/** An outside view that may look at loopback. */
export const viewOf = (dnsServers: readonly DnsServer[], options: { timeoutMs?: number; totalMs?: number; allow?: readonly string[] } = {}) =>
  createOutsideView({ dnsServers: dnsServers.map(({ address, port }) => ({ address, port })), guard: addressGuard(options.allow ?? ['127.0.0.0/8', '::1']), now: () => new Date('2026-11-22T03:00:00Z'), ...options })

/** A web server on one address; port 0 takes a free one. Closed after the test. */
export async function webServer(t: TestContext, answer: RequestListener, address = '127.0.0.1', port = 0): Promise<{ port: number; server: Server }> {
  const server = createServer(answer).listen(port, address)
  await once(server, 'listening')
  t.after(() => { server.closeAllConnections(); server.close() })
  return { port: (server.address() as AddressInfo).port, server }
}

/** The same web server on several addresses, with one port. */
export async function webServers(t: TestContext, answers: Readonly<Record<string, RequestListener>>): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const opened: Server[] = []
    try {
      let port = 0
      for (const [address, answer] of Object.entries(answers)) {
        const one = await webServer(t, answer, address, port)
        opened.push(one.server)
        port = one.port
      }
      return port
    } catch (error) {
      // Somebody else has the port on another address: then another port.
      for (const server of opened) server.close()
      if (attempt === 5) throw error
    }
  }
}

/** [ok, code or null] of each finding by its title. */
export const verdicts = ({ findings }: OutsideLook): Record<string, [boolean, string | null]> => Object.fromEntries(findings.map(({ title, ok, error }) => [title, [ok, error?.code ?? null]]))
/** All that was seen, for matching. */
export const words = ({ findings }: OutsideLook): string => findings.map(({ title, seen }) => `${title}: ${seen}`).join('\n')
