import { BlockList, isIP } from 'node:net'

const family = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

/** @param network "10.0.0.0/8"; an unreadable one holds nothing */
export function isInNetwork(address: string, network: string): boolean {
  const [start = '', bits = ''] = network.split('/')
  if (isIP(start) === 0 || isIP(address) !== isIP(start) || !/^\d{1,3}$/.test(bits) || Number(bits) > (isIP(start) === 6 ? 128 : 32)) return false
  const list = new BlockList()
  list.addSubnet(start, Number(bits), family(start))
  return list.check(address, family(address))
}

/** Not globally reachable, after the registries of special-purpose addresses (RFC 6890 and its updates). */
const reserved = {
  // One list for each family: a BlockList takes IPv4 addresses for part of ::ffff:0:0/96.
  ipv4: listOf([
    '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24',
    '224.0.0.0/4', '240.0.0.0/4',
  ]),
  ipv6: listOf(['::/127', '::ffff:0:0/96', '64:ff9b:1::/48', '100::/64', '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8']),
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [start = '', bits = ''] = network.split('/')
    list.addSubnet(start, Number(bits), family(start))
  }
  return list
}

export const isReservedAddress = (address: string): boolean => reserved[family(address)].check(address, family(address))
