import type { Host } from '@certloop/plugin-kit'
import { BlockList, isIP } from 'node:net'

const limitBytes = 8 << 20
const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

/**
 * Which addresses are this machine's own now. A server may listen on one that it gets only when its neighbour fails
 * (ip_nonlocal_bind, "transparent"): until then a connection to that address reaches the neighbour.
 * @returns undefined where it can't be seen
 */
export async function ownAddresses(host: Host): Promise<((address: string) => boolean) | undefined> {
  const [four, six] = await Promise.all(['/proc/net/fib_trie', '/proc/net/if_inet6'].map((file) => textOf(host, file)))
  if (four === undefined) return undefined
  const own = new BlockList()
  for (const { address, bits } of localNetworks(four)) own.addSubnet(address, bits, 'ipv4')
  for (const [hex] of (six ?? '').matchAll(/^[0-9a-f]{32}(?= )/gm)) own.addAddress(hex.replace(/(....)(?!$)/g, '$1:'), 'ipv6')
  return (address) => {
    const [plain = ''] = address.split('%')
    return isIP(plain) === 0 || (familyOf(plain) === 'ipv6' && six === undefined) || own.check(plain, familyOf(plain))
  }
}

async function textOf(host: Host, file: string): Promise<string | undefined> {
  const content = await host.readFile(file, limitBytes).catch(() => undefined)
  return content === undefined ? undefined : Buffer.from(content).toString('latin1')
}

/** The kernel's tables of IPv4 routes name an address, and below it what it is: "/32 host LOCAL", "/8 host LOCAL". */
export function localNetworks(tries: string): { address: string; bits: number }[] {
  const found: { address: string; bits: number }[] = []
  let address = ''
  for (const line of tries.split('\n')) {
    address = /\|-- (\d+\.\d+\.\d+\.\d+)/.exec(line)?.[1] ?? address
    const bits = /^\s*\/(\d+) host LOCAL/.exec(line)?.[1]
    if (bits !== undefined && address !== '') found.push({ address, bits: Number(bits) })
  }
  return found
}
