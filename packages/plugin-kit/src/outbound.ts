import { lookup as systemLookup } from 'node:dns'
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
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

type Subnet = readonly [string, number, 'ipv4' | 'ipv6']
const internal: readonly Subnet[] = [
  ['0.0.0.0', 8, 'ipv4'], ['127.0.0.0', 8, 'ipv4'], ['169.254.0.0', 16, 'ipv4'], ['192.0.0.0', 24, 'ipv4'], ['224.0.0.0', 4, 'ipv4'], ['240.0.0.0', 4, 'ipv4'],
  ['::', 128, 'ipv6'], ['::1', 128, 'ipv6'], ['fe80::', 10, 'ipv6'], ['ff00::', 8, 'ipv6'],
]
/** Where clouds answer with credentials, beside the link-local addresses: Alibaba, Azure, AWS, Google. */
const metadata: readonly Subnet[] = [['100.100.100.200', 32, 'ipv4'], ['168.63.129.16', 32, 'ipv4'], ['fd00:ec2::254', 128, 'ipv6'], ['fd20:ce::254', 128, 'ipv6']]
const ownNetworks: readonly Subnet[] = [['10.0.0.0', 8, 'ipv4'], ['172.16.0.0', 12, 'ipv4'], ['192.168.0.0', 16, 'ipv4'], ['100.64.0.0', 10, 'ipv4'], ['198.18.0.0', 15, 'ipv4'], ['fc00::', 7, 'ipv6'], ['fec0::', 10, 'ipv6']]

function listOf(subnets: readonly Subnet[]): BlockList {
  const list = new BlockList()
  for (const subnet of subnets) list.addSubnet(...subnet)
  return list
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const [before, after] = [head.split(':').filter(Boolean), (tail ?? '').split(':').filter(Boolean)]
  return [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after].map((group) => Number.parseInt(group, 16))
}
const asIpv4 = (high = 0, low = 0) => [high >> 8, high & 255, low >> 8, low & 255].join('.')

/** ::ffff:10.0.0.1 is 10.0.0.1 to whoever connects, and so are its forms for NAT64 (RFC 6052), 6to4 (RFC 3056) and "compatible" addresses. */
function ipv4Within(address: string): string | undefined {
  const groups = groupsOf(address)
  const startsWith = (...prefix: number[]) => prefix.every((group, i) => groups[i] === group)
  if (startsWith(0x2002)) return asIpv4(groups[1], groups[2])
  const isEmbedded = startsWith(0, 0, 0, 0, 0, 0xffff) || startsWith(0x64, 0xff9b, 0, 0, 0, 0) || (startsWith(0, 0, 0, 0, 0, 0) && (groups[6] ?? 0) > 0)
  return isEmbedded ? asIpv4(groups[6], groups[7]) : undefined
}
/** An address and what it stands for; empty when it is none. */
function formsOf(text: string): [address: string, family: 'ipv4' | 'ipv6'][] {
  const address = text.replace(/%.*$/, '')
  if (isIP(address) === 4) return [[address, 'ipv4']]
  if (isIP(address) !== 6) return []
  const within = ipv4Within(address)
  return within === undefined ? [[address, 'ipv6']] : [[address, 'ipv6'], [within, 'ipv4']]
}

/**
 * Loopback, link-local (where clouds answer with credentials), multicast and unspecified addresses are refused, unless they
 * are allowed by name. "private" among the entries allows private networks (RFC 1918, RFC 6598, RFC 4193).
 * @param allow "private", addresses and networks such as "127.0.0.0/8"
 */
export function addressGuard(allow: readonly string[]): AddressGuard {
  const [never, own, allowed] = [listOf([...internal, ...metadata]), listOf(ownNetworks), new BlockList()]
  for (const entry of allow.filter((each) => each !== 'private')) {
    const [address = '', bits] = entry.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    allowed.addSubnet(address, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family)
  }
  return {
    allows: (address) => {
      const forms = formsOf(address)
      const isIn = (list: BlockList) => forms.some((form) => list.check(...form))
      if (forms.length === 0) return false
      return isIn(allowed) || (!isIn(never) && (allow.includes('private') || !isIn(own)))
    },
  }
}

const notTrusted = /^(CERT_|CRL_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|EE_KEY|CA_KEY|CA_MD|EE_MD)/
const neverArrived = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL'])
const cutOff = 'the connection ended in the middle of the answer'

const read = (response: IncomingMessage, maxBytes: number): Promise<Buffer> => new Promise((resolve, reject) => {
  const chunks: Buffer[] = []
  let length = 0
  response.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (length > maxBytes) response.destroy(new Error(`the answer is longer than ${maxBytes} bytes`))
    else chunks.push(chunk)
  })
  response.on('end', () => resolve(Buffer.concat(chunks)))
  response.on('error', (error: NodeJS.ErrnoException) => reject(error.code === 'ECONNRESET' ? new Error(cutOff, { cause: error }) : error))
})

const refuse = (address: string, host: string) => new CertloopError('ADDRESS_NOT_ALLOWED', `${host}${host === address ? '' : ` (${address})`} is an address that outgoing calls may not reach.`, { address })

/** Asked at the moment of connecting: a name that resolves otherwise the second time gets nowhere. */
function guarded(lookup: typeof systemLookup, guard: AddressGuard): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      const bad = error ? undefined : found.find(({ address }) => !guard.allows(address))
      const [first] = error ? [] : found
      if (error) callback(error, '')
      else if (bad) callback(refuse(bad.address, hostname), '')
      else if (options.all) callback(null, found)
      else callback(null, first?.address ?? '', first?.family)
    })
  }
}

/** @throws CertloopError INPUT_INVALID, ADDRESS_NOT_ALLOWED for an address written as one */
function placeOf(text: string, guard: AddressGuard): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw new CertloopError('INPUT_INVALID', `"${text}" is not an http or https address.`)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !guard.allows(host)) throw refuse(host, host)
  return url
}

interface Way { userAgent: string; trustPem: string | undefined; maxBytes: number; lookup: LookupFunction }
/** One request on a connection of its own: what was closed on the other side meanwhile would look like a request that may have arrived. */
function send(url: URL, { method = 'GET', headers = {}, body }: OutboundRequest, { userAgent, trustPem, maxBytes, lookup }: Way, signal: AbortSignal, connected: () => void): Promise<OutboundResponse> {
  const isTls = url.protocol === 'https:'
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  return new Promise((resolve, reject) => {
    const call = (isTls ? httpsRequest : httpRequest)(url, { method, headers: { 'user-agent': userAgent, ...length, ...headers }, lookup, agent: false, signal, ...(trustPem === undefined ? {} : { ca: trustPem }) }, (response) => {
      read(response, maxBytes).then((bytes) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: bytes, text: () => bytes.toString('utf8') }), reject)
    })
    call.on('error', reject)
    call.on('socket', (socket) => { socket.once(isTls ? 'secureConnect' : 'connect', connected) })
    call.end(body)
  })
}

/** What went wrong, in words. */
function whyOf({ code = '', message }: NodeJS.ErrnoException): string {
  if (code === 'ENOTFOUND') return 'there is no such name in DNS'
  if (code === 'EAI_AGAIN') return 'DNS does not answer'
  if (code === 'ECONNREFUSED') return 'nothing listens there (connection refused)'
  if (code === 'ECONNRESET') return 'the connection was cut off'
  if (code === 'EPROTO') return 'what answers there does not speak TLS, or none that is safe'
  return message || code
}

interface Failed { url: URL; unreachable: ErrorCode; /** A connection was there, so something may have arrived. */ connected: boolean; /** Set when time was up or it was given up. */ ended: string | undefined }
function failure(error: unknown, { url: { host }, unreachable, connected, ended }: Failed): CertloopError {
  if (error instanceof CertloopError) return error
  const { code = '', message } = error as NodeJS.ErrnoException
  if (notTrusted.test(code)) return new CertloopError('AUTHORITY_NOT_TRUSTED', `${host} shows a TLS certificate that is not trusted: ${message.replace(/; .*$/, '')}.`, { host, sent: 'no' }, error)
  if (code.startsWith('ERR_OSSL_') && !connected) return new CertloopError('AUTHORITY_NOT_TRUSTED', `${host} can not be called: the trust anchor given is no certificate that can be read.`, { host, sent: 'no' }, error)
  return new CertloopError(unreachable, `${host} can not be reached: ${ended ?? whyOf(error as Error)}.`, { host, sent: connected && !neverArrived.has(code) ? 'maybe' : 'no' }, error)
}

/** Makes the one way out. */
export function createOutbound({ guard, unreachable, userAgent, trustPem, timeoutMs: usual = 20_000, maxBytes = 4_000_000, lookup = systemLookup }: OutboundOptions): Outbound {
  const way: Way = { userAgent, trustPem, maxBytes, lookup: guarded(lookup, guard) }
  return {
    async request(request) {
      const { timeoutMs = usual, signal } = request
      const [url, late] = [placeOf(request.url, guard), AbortSignal.timeout(timeoutMs)]
      let connected = false
      try {
        return await send(url, request, way, signal ? AbortSignal.any([late, signal]) : late, () => { connected = true })
      } catch (error) {
        throw failure(error, { url, unreachable, connected, ended: late.aborted ? `no whole answer within ${timeoutMs / 1000} s` : signal?.aborted ? 'the call was given up' : undefined })
      }
    },
  }
}
