import type { IncomingMessage, ServerResponse } from 'node:http'
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { CertloopError, problemOf } from '@certloop/contract'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** True for addresses of this machine that no other can use; also in the form ::ffff:127.0.0.1. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false
  const bare = address.replace(/^::ffff:(?=\d+\.)/i, '')
  return isIPv4(bare) ? loopback.check(bare) : isIPv6(bare) && loopback.check(bare, 'ipv6')
}

/** Sends readers on to https; refuses what may carry secrets, which have by now crossed the network in the clear. */
export function refusePlainHttp(request: IncomingMessage, response: ServerResponse): void {
  const host = request.headers.host ?? ''
  response.setHeader('connection', 'close')
  const reads = request.method === 'GET' || request.method === 'HEAD'
  const carriesSecret = request.headers.authorization !== undefined || request.headers.cookie !== undefined
  if (reads && !carriesSecret && /^[\w.:[\]-]{1,260}$/.test(host)) {
    response.writeHead(308, { location: `https://${host}${request.url ?? '/'}` }).end()
    return
  }
  const problem = problemOf(new CertloopError('ADDRESS_INSECURE', 'This address is served over https only. A token or password just sent was readable on the network: replace it.'))
  response.writeHead(problem.status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem))
}
