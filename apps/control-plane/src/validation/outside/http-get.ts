import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { CertloopError } from '@certloop/contract'
import { hasNoWay, inUrl } from './addresses.ts'
import { excerpt, problem, type Sight } from './finding.ts'

const mostRedirects = 10
const mostBytes = 65_536

export interface Got {
  status: number
  statusText: string
  body: string
  server: string
  /** The addresses passed through, the first one first. */
  urls: string[]
}

/** One request at one address. The certificate does not count, as it does not for authorities. */
function once(url: URL, address: string, { timeoutMs, signal }: Sight): Promise<IncomingMessage & { text: string }> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  return new Promise((resolve, reject) => {
    const isTls = url.protocol === 'https:'
    const tls = isTls ? { rejectUnauthorized: false, ...(isIP(hostOf(url)) === 0 ? { servername: hostOf(url) } : {}) } : {}
    const call = (isTls ? httpsRequest : httpRequest)({
      host: address, port: url.port || (isTls ? 443 : 80), path: `${url.pathname}${url.search}`, method: 'GET', agent: false, signal: until,
      headers: { host: url.host, accept: '*/*', 'user-agent': 'Certloop (validation, looks as an authority does)' }, ...tls,
    }, (response) => {
      const chunks: Buffer[] = []
      let length = 0
      const finish = () => resolve(Object.assign(response, { text: Buffer.concat(chunks).toString('utf8') }))
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        length += chunk.length
        if (length > mostBytes) { finish(); response.destroy() }
      })
      response.on('end', finish)
      response.on('error', reject)
    })
    call.on('error', (error: NodeJS.ErrnoException) => reject(until.aborted ? Object.assign(new Error(`no answer within ${timeoutMs / 1000} s`), { code: 'ETIMEDOUT' }) : error))
    call.end()
  })
}

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '')

/** What can't be reached, in words. facts.errno says why. */
export function unreachable(error: unknown, where: string): CertloopError {
  const { code = '', message } = error as NodeJS.ErrnoException
  if (error instanceof CertloopError) return error
  if (hasNoWay(code)) return problem('WEB_PORT_CLOSED', `This machine has no way to ${where} (${code}), so it was not looked at.`, { errno: code })
  if (code === 'ECONNREFUSED') return problem('WEB_PORT_CLOSED', `Nothing listens at ${where}: the connection was refused.`, { errno: code })
  if (code === 'ETIMEDOUT' || code === 'EHOSTUNREACH') return problem('WEB_PORT_CLOSED', `${where} does not answer: ${message}. Often a firewall is in between.`, { errno: code })
  return problem('WEB_ANSWER_WRONG', `${where} does not speak HTTP as it should: ${excerpt(message)}.`, { errno: code })
}

const wrong = (message: string, url: string): CertloopError => problem('WEB_REDIRECT_WRONG', message, { url })

/** Where a redirect leads, when an authority goes there too. @throws CertloopError WEB_REDIRECT_WRONG */
function redirected(from: URL, location: string, ports: ReadonlySet<number>, passed: readonly string[]): URL {
  if (!URL.canParse(location, from)) throw wrong(`${from.href} redirects to "${excerpt(location)}", which is no address.`, location)
  const to = new URL(location, from)
  to.hash = ''
  if (to.protocol !== 'http:' && to.protocol !== 'https:') throw wrong(`${from.href} redirects to ${excerpt(to.href)}; authorities follow http and https alone.`, to.href)
  const port = Number(to.port || (to.protocol === 'https:' ? 443 : 80))
  if (!ports.has(port)) throw wrong(`${from.href} redirects to port ${port} (${excerpt(to.href)}); authorities follow to ports 80 and 443 alone.`, to.href)
  if (isIP(hostOf(to)) !== 0 && hostOf(to) !== hostOf(from)) throw wrong(`${from.href} redirects to the address ${hostOf(to)}; authorities follow to names alone.`, to.href)
  if (passed.includes(to.href)) throw wrong(`${from.href} redirects in a circle, back to ${excerpt(to.href)}.`, to.href)
  if (passed.length > mostRedirects) throw wrong(`There are more than ${mostRedirects} redirects from ${excerpt(passed[0] ?? '')}.`, to.href)
  return to
}

/** Addresses of a name that a redirect leads to, IPv6 first, as authorities take them. */
async function addressesBehind({ resolver, guard, signal }: Sight, url: URL): Promise<string[]> {
  const host = hostOf(url)
  const { addresses } = await resolver.addresses(host, signal)
  const allowed = addresses.filter((address) => guard.allows(address)).toSorted((a, b) => isIP(b) - isIP(a))
  if (addresses.length === 0) throw wrong(`A redirect leads to ${host}, which has no address in DNS.`, url.href)
  if (allowed.length === 0) throw problem('ADDRESS_NOT_ALLOWED', `A redirect leads to ${host} (${addresses.join(', ')}), which outgoing calls may not reach.`, { address: addresses[0] ?? '' })
  return allowed
}

/** The first address that takes the connection. */
async function firstOf(url: URL, addresses: readonly string[], sight: Sight): Promise<IncomingMessage & { text: string }> {
  let last: unknown
  for (const address of addresses) {
    try {
      return await once(url, address, sight)
    } catch (error) {
      last = unreachable(error, `${inUrl(address)} port ${url.port || (url.protocol === 'https:' ? 443 : 80)}`)
    }
  }
  throw last
}

/**
 * GET at one address of a name, following redirects as Let's Encrypt does. Bounded in time, bytes and steps.
 * @param ports to which redirects may lead
 * @throws CertloopError WEB_PORT_CLOSED, WEB_ANSWER_WRONG, WEB_REDIRECT_WRONG, ADDRESS_NOT_ALLOWED, DNS_LOOKUP_FAILED
 */
export async function getAt(sight: Sight, start: URL, address: string, ports: ReadonlySet<number>): Promise<Got> {
  const urls = [start.href]
  for (let url = start; ;) {
    const isSameHost = url.hostname === start.hostname
    const response = await firstOf(url, isSameHost ? [address] : await addressesBehind(sight, url), sight)
    const { statusCode: status = 0, statusMessage = '', headers, text } = response
    const { location } = headers
    if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return { status, statusText: `${status} ${excerpt(statusMessage, 40)}`.trim(), body: text, server: excerpt(String(headers['server'] ?? ''), 60), urls }
    url = redirected(url, location, ports, urls)
    urls.push(url.href)
  }
}
