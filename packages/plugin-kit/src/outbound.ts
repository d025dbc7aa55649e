import { lookup as systemLookup, type LookupAddress } from 'node:dns'
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP } from 'node:net'
import { CertloopError, type ErrorCode } from '@certloop/contract'

/** One call to a service elsewhere. */
export interface OutboundRequest {
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  url: string
  headers?: Readonly<Record<string, string>>
  body?: string | Uint8Array
  /** Milliseconds until the whole answer has to be there; default that of the Outbound. */
  timeoutMs?: number
  signal?: AbortSignal
}
export interface OutboundResponse {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
  text(): string
}
/**
 * Calls services elsewhere: authorities, DNS providers, vaults. Redirects are not followed, answers are bounded, addresses
 * pass the guard, also those that a name resolves to.
 */
export interface Outbound {
  /**
   * @throws CertloopError of the code given for what can't be reached, with facts.sent "no" (nothing arrived there) or
   * "maybe"; AUTHORITY_NOT_TRUSTED; ADDRESS_NOT_ALLOWED; INPUT_INVALID for an address that is none. Any HTTP status is an answer.
   */
  request(request: OutboundRequest): Promise<OutboundResponse>
}

export interface OutboundOptions {
  guard: AddressGuard
  /** What is said of a service that can't be reached. */
  unreachable: ErrorCode
  userAgent: string
  /** PEM; in place of the system's roots. */
  trustPem?: string
  timeoutMs?: number
  maxBytes?: number
  lookup?: typeof systemLookup
}

/** Which addresses outgoing calls may reach. */
export interface AddressGuard { allows(address: string): boolean }

const internal: readonly (readonly [string, number, 'ipv4' | 'ipv6'])[] = [
  ['0.0.0.0', 8, 'ipv4'], ['127.0.0.0', 8, 'ipv4'], ['169.254.0.0', 16, 'ipv4'], ['224.0.0.0', 4, 'ipv4'], ['240.0.0.0', 4, 'ipv4'],
  ['::', 128, 'ipv6'], ['::1', 128, 'ipv6'], ['fe80::', 10, 'ipv6'], ['ff00::', 8, 'ipv6'],
]
const ownNetworks: typeof internal = [['10.0.0.0', 8, 'ipv4'], ['172.16.0.0', 12, 'ipv4'], ['192.168.0.0', 16, 'ipv4'], ['100.64.0.0', 10, 'ipv4'], ['fc00::', 7, 'ipv6']]

function listOf(subnets: typeof internal): BlockList {
  const list = new BlockList()
  for (const subnet of subnets) list.addSubnet(...subnet)
  return list
}
/** ::ffff:10.0.0.1 is 10.0.0.1 to whoever connects. */
const plain = (address: string) => /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address
const contains = (list: BlockList, address: string) => list.check(plain(address), isIP(plain(address)) === 6 ? 'ipv6' : 'ipv4')

/**
 * Loopback, link-local (where clouds answer with credentials), multicast and unspecified addresses are refused, unless they
 * are allowed by name. "private" among the entries allows private networks (RFC 1918, RFC 6598, RFC 4193).
 * @param allow "private", addresses and networks such as "127.0.0.0/8"
 */
export function addressGuard(allow: readonly string[]): AddressGuard {
  const [never, own, allowed] = [listOf(internal), listOf(ownNetworks), new BlockList()]
  for (const entry of allow.filter((each) => each !== 'private')) {
    const [address = '', bits] = entry.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    allowed.addSubnet(address, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family)
  }
  return {
    allows: (address) => {
      if (isIP(plain(address)) === 0) return false
      if (contains(allowed, address)) return true
      return !contains(never, address) && (allow.includes('private') || !contains(own, address))
    },
  }
}

const notTrusted = /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA)/
const neverArrived = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL'])

const read = (response: IncomingMessage, maxBytes: number): Promise<Buffer> => new Promise((resolve, reject) => {
  const chunks: Buffer[] = []
  let length = 0
  response.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (length > maxBytes) response.destroy(Object.assign(new Error(`The answer is longer than ${maxBytes} bytes.`), { code: 'TOO_LONG' }))
    else chunks.push(chunk)
  })
  response.on('end', () => (response.complete ? resolve(Buffer.concat(chunks)) : reject(new Error('The connection ended in the middle of the answer.'))))
  response.on('error', reject)
  response.on('aborted', () => reject(new Error('The connection ended in the middle of the answer.')))
})

/** Makes the one way out. */
export function createOutbound({ guard, unreachable, userAgent, trustPem, timeoutMs: usual = 20_000, maxBytes = 4_000_000, lookup = systemLookup }: OutboundOptions): Outbound {
  const refuse = (address: string, host: string) => new CertloopError('ADDRESS_NOT_ALLOWED', `${host}${host === address ? '' : ` (${address})`} is an address that outgoing calls may not reach.`, { address })
  // Asked at the moment of connecting: a name that resolves otherwise the second time gets nowhere.
  const guardedLookup = ((hostname: string, options: object, callback: (error: Error | null, address?: unknown, family?: number) => void) => {
    lookup(hostname, { ...options, all: true } as never, ((error: Error | null, found: LookupAddress[]) => {
      if (error) return callback(error)
      const bad = found.find(({ address }) => !guard.allows(address))
      if (bad) return callback(refuse(bad.address, hostname))
      const [first] = found
      return 'all' in options && options.all ? callback(null, found) : callback(null, first?.address, first?.family)
    }) as never)
  }) as never

  return {
    async request({ method = 'GET', url: text, headers = {}, body, timeoutMs = usual, signal }) {
      if (!URL.canParse(text)) throw new CertloopError('INPUT_INVALID', `"${text}" is not an address.`)
      const url = new URL(text)
      if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new CertloopError('INPUT_INVALID', `"${text}" is not an http or https address.`)
      const host = url.hostname.replace(/^\[|\]$/g, '')
      if (isIP(host) !== 0 && !guard.allows(host)) throw refuse(host, host)
      let sent = false
      const until = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])])
      try {
        return await new Promise<OutboundResponse>((resolve, reject) => {
          const make = url.protocol === 'https:' ? httpsRequest : httpRequest
          const length = body === undefined ? {} : { 'content-length': String(typeof body === 'string' ? Buffer.byteLength(body) : body.length) }
          // No connection is kept: what was closed on the other side meanwhile would look like a request that may have arrived.
          const call = make(url, { method, headers: { 'user-agent': userAgent, ...length, ...headers }, lookup: guardedLookup, agent: false, signal: until, ...(trustPem ? { ca: trustPem } : {}) }, (response) => {
            read(response, maxBytes).then((bytes) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: bytes, text: () => bytes.toString('utf8') }), reject)
          })
          call.on('error', reject)
          call.on('socket', (socket) => { socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => { sent = true }) })
          call.end(body)
        })
      } catch (error) {
        if (error instanceof CertloopError) throw error
        const { code = '', message } = error as NodeJS.ErrnoException
        if (error instanceof Error && error.cause instanceof CertloopError) throw error.cause
        if (notTrusted.test(code)) throw new CertloopError('AUTHORITY_NOT_TRUSTED', `${url.host} shows a TLS certificate that is not trusted: ${message}.`, { host: url.host, sent: 'no' }, error)
        const why = until.aborted ? `no answer within ${timeoutMs / 1000} s` : message || code
        throw new CertloopError(unreachable, `${url.host} can not be reached: ${why}.`, { host: url.host, sent: sent && !neverArrived.has(code) ? 'maybe' : 'no' }, error)
      }
    },
  }
}
