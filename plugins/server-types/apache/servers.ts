import path from 'node:path'
import type { PairPaths } from '../shared/pem-files/pairs.ts'
import type { Directive, ParsedConfiguration, ServerBlock } from './config-reader.ts'

/** What a server block says of TLS, values of the main server included. */
export interface TlsSettings {
  place: string
  tls: boolean
  pairs: PairPaths[]
  /** Why it or some of its pairs are no places. */
  problems: string[]
}

type Values = (name: string) => string[][]

const valuesOf = ({ directives }: ServerBlock): Values => (name) => directives.filter((directive: Directive) => directive.name === name).map(({ args }) => args)
const last = (values: readonly string[][]) => values.at(-1)?.[0]

/** As mod_ssl merges: own files take the places of inherited ones, one by one, and the rest stays. */
const mergedFiles = (name: string, main: Values, own: Values): string[] => {
  const [base, mine] = [main, own].map((values) => values(name).map(([file = '']) => file))
  return [...mine ?? [], ...(base ?? []).slice(mine?.length ?? 0)]
}

/** TLS settings of the main server and of each virtual host, by block. */
export function tlsSettings({ main, hosts, serverRoot }: ParsedConfiguration): Map<ServerBlock, TlsSettings> {
  const settings = new Map<ServerBlock, TlsSettings>()
  for (const block of [main, ...hosts]) settings.set(block, readBlock(block, main, serverRoot))
  return settings
}

function readBlock(block: ServerBlock, mainBlock: ServerBlock, serverRoot: string): TlsSettings {
  const main = block === mainBlock ? () => [] : valuesOf(mainBlock)
  const own = valuesOf(block)
  const value = (name: string) => (last(own(name)) ?? last(main(name)))?.toLowerCase()
  const [certificates, keys] = ['sslcertificatefile', 'sslcertificatekeyfile'].map((name) => mergedFiles(name, main, own)) as [string[], string[]]
  const chain = last(own('sslcertificatechainfile')) ?? last(main('sslcertificatechainfile'))
  const absolute = (file: string) => path.posix.resolve(serverRoot, file)
  const tls = value('sslengine') === 'on'
  const found: TlsSettings = { place: block.place, tls, pairs: [], problems: otherModules(value) }
  if (!tls) return found
  for (const [i, certificate] of certificates.entries()) {
    const key = keys[i] ?? certificate
    const token = [certificate, key].find((file) => /^(pkcs11|store|engine):/i.test(file))
    if (token !== undefined) found.problems.push(`"${token.slice(0, 60)}" is no file`)
    else found.pairs.push({ certificatePath: absolute(certificate), keyPath: absolute(key), chainPath: chain === undefined ? null : absolute(chain) })
  }
  return found
}

/** Other modules that speak TLS keep their certificates in other ways. */
function otherModules(value: (name: string) => string | undefined): string[] {
  return [
    ...(value('gnutlsenable') === 'on' ? ['mod_gnutls speaks TLS here, which is not supported'] : []),
    ...(value('nssengine') === 'on' ? ['mod_nss speaks TLS here with a database of NSS, which is not supported'] : []),
  ]
}

/** Names that mod_md looks after: those of MDomain and <MDomainSet>. */
export function managedNames({ main, hosts }: ParsedConfiguration): Set<string> {
  const lines = [main, ...hosts].flatMap(({ directives }) => directives.filter(({ name }) => ['mdomain', 'mdmember', '<mdomainset'].includes(name)))
  return new Set(lines.flatMap(({ args }) => args.map((arg) => arg.toLowerCase())).filter((arg) => arg !== 'auto' && arg !== 'manual'))
}

/** One Listen line. Family 4 or 6 where an address is given, null for all. */
export interface ListenSocket { address: string | null; port: number }

export function listenSockets({ main }: ParsedConfiguration): ListenSocket[] {
  return valuesOf(main)('listen').flatMap(([value = '']) => {
    const [, host, port] = /^(?:(\*|\[[^\]]+\]|[^:[\]]+):)?(\d+)$/.exec(value) ?? []
    if (port === undefined) return []
    return [{ address: host === undefined || host === '*' ? null : host.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, ''), port: Number(port) }]
  })
}

/** Connections begin with the PROXY protocol. */
export const expectsProxyLine = ({ directives }: ServerBlock): boolean => directives.some(({ name, args }) => name === 'remoteipproxyprotocol' && args[0]?.toLowerCase() === 'on')
