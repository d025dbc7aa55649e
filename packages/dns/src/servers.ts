import { getServers } from 'node:dns'
import { isIP } from 'node:net'
import type { DnsServer } from './transport.ts'

function oneServer(text: string): DnsServer | undefined {
  if (isIP(text) !== 0) return { address: text, port: 53 }
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  const [address, port] = [bracketed ?? plain ?? '', Number(digits)]
  return isIP(address) !== 0 && (isIP(address) === 6) === (bracketed !== undefined) && port > 0 && port < 65_536 ? { address, port } : undefined
}

/** "192.0.2.1, 192.0.2.2:5353, [2001:db8::1]:53"; undefined unless each is an address, with a port or without. */
export function readDnsServers(text: string): DnsServer[] | undefined {
  const servers = text.split(',').map((each) => oneServer(each.trim()))
  return servers.every((each) => each !== undefined) ? servers : undefined
}

/** Those that this machine asks. */
export const systemDnsServers = (): DnsServer[] => getServers().flatMap((each) => oneServer(each) ?? [])
