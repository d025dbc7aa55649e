import { CertloopError, type HostFacts } from '@certloop/contract'
import type { FarSide } from './ask.ts'

const factsScript = `uname -s; uname -n; uname -m; uname -r
printf '%s\\n' "$m"
cat /etc/os-release /usr/lib/os-release 2>/dev/null
printf '%s\\n' "$m"
cat /proc/net/fib_trie 2>/dev/null
printf '%s\\n' "$m"
cat /proc/net/if_inet6 2>/dev/null
exit 0
`
/** Names as Node has them. */
const architectures: Record<string, string> = { x86_64: 'x64', amd64: 'x64', aarch64: 'arm64', armv7l: 'arm', armv6l: 'arm', i686: 'ia32', i386: 'ia32', ppc64le: 'ppc64', riscv64: 'riscv64' }

/** @throws CertloopError PLACE_UNSUPPORTED where the host is no Linux */
export async function farFacts(far: FarSide): Promise<HostFacts> {
  const { stdout, mark } = await far.ask({ script: factsScript })
  const parts = [...stdout.toString('utf8').split(`${mark}\n`), '', '', '', '']
  const [names, release, routes, six] = parts as [string, string, string, string]
  const [system, hostName, machine, kernel] = [...names.split('\n'), '', '', ''] as [string, string, string, string]
  if (system !== 'Linux') throw new CertloopError('PLACE_UNSUPPORTED', `${hostName || far.reach.host} runs ${system || 'something unknown'}; over SSH the bot works with Linux hosts alone.`, { host: far.reach.host })
  const pretty = /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(release)?.[1]
  return { hostName, os: 'linux', osVersion: pretty ?? kernel, arch: architectures[machine] ?? machine, addresses: [...new Set([...addressesOf(routes), ...addressesOf6(six)])].toSorted() }
}

/** Addresses of this host in the kernel's routing tree: the leaf before a line "/32 host LOCAL". */
function addressesOf(tree: string): string[] {
  const found = [...tree.matchAll(/\|-- (\d+\.\d+\.\d+\.\d+)\n\s+\/32 host LOCAL/g)].map(([, address = '']) => address)
  return found.filter((address) => !address.startsWith('127.'))
}

/** Lines of /proc/net/if_inet6: address, index, prefix, scope, flags, interface. */
function addressesOf6(table: string): string[] {
  const addresses = table.split('\n').flatMap((line) => /^[0-9a-f]{32}(?= )/.exec(line)?.[0] ?? [])
  return addresses.map((hex) => new URL(`http://[${hex.replace(/(....)(?!$)/g, '$1:')}]`).hostname.slice(1, -1)).filter((address) => address !== '::1')
}
