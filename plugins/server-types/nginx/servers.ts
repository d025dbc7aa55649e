import { socketKey } from '../shared/pem-files/sockets.ts'
import { type Directive, absolute } from './config-parser.ts'
import { type Listen, parseListen } from './listen.ts'
import { type ServerName, parseServerName } from './server-names.ts'

/** What a certificate directive names: a file, or something that is no file. */
export type Source = { kind: 'file'; path: string } | { kind: 'other'; text: string; reason: string }
export interface PairSource { certificate: Source; key: Source }

/** One server block with what counts for it, inherited values included. */
export interface TlsServer {
  section: 'http' | 'stream' | 'mail'
  names: ServerName[]
  pairs: PairSource[]
  sockets: Listen[]
  /** Why some of its sockets can't be proven. */
  left: string[]
  /** ssl_reject_handshake: its certificate is never shown. */
  rejects: boolean
  file: string
  line: number
}

export interface ConfigurationFacts { confFolder: string; hostName: string }

const sections = ['http', 'stream', 'mail'] as const
type Section = (typeof sections)[number]

/** All server blocks that listen at all, in order of the configuration. */
export function findServers(root: readonly Directive[], facts: ConfigurationFacts): TlsServer[] {
  const servers = sections.flatMap((section) => root
    .filter((statement) => statement.name === section && statement.block !== null)
    .flatMap((outer) => children(outer.block ?? [], 'server')
      .filter((inner) => inner.block !== null)
      .map((inner) => readServer(section, outer.block ?? [], inner, facts))))
  spreadSocketOptions(servers)
  return servers
}

const children = (block: readonly Directive[], name: string) => block.filter((statement) => statement.name === name)

/** Values of a directive: the server's own, or else those of the block around it. All or nothing, as nginx merges. */
function inherited(name: string, outer: readonly Directive[], inner: readonly Directive[]): Directive[] {
  const own = children(inner, name)
  return own.length > 0 ? own : children(outer, name)
}

const isOn = (name: string, outer: readonly Directive[], inner: readonly Directive[]) => inherited(name, outer, inner)[0]?.args[0]?.toLowerCase() === 'on'

function readServer(section: Section, outer: readonly Directive[], server: Directive, { confFolder, hostName }: ConfigurationFacts): TlsServer {
  const inner = server.block ?? []
  const listens = children(inner, 'listen').map(({ args }) => parseListen(args))
  const startTls = section === 'mail' && ['on', 'only'].includes(inherited('starttls', outer, inner)[0]?.args[0]?.toLowerCase() ?? '')
  // "ssl on" is older than the parameter of listen; nginx took it until 1.25.
  const sockets = listens.flatMap((line) => line.sockets.map((socket) => ({ ...socket, tls: socket.tls || isOn('ssl', outer, inner) })))
  const [certificates, keys] = ['ssl_certificate', 'ssl_certificate_key'].map((name) => inherited(name, outer, inner).map(({ args }) => readSource(args[0] ?? '', confFolder)))
  return {
    section, sockets, file: server.file, line: server.line,
    names: section === 'mail' ? [] : children(inner, 'server_name').flatMap(({ args }) => args.map((name) => parseServerName(name, hostName))),
    pairs: (certificates ?? []).flatMap((certificate, i) => {
      const key = keys?.[i]
      return key ? [{ certificate, key }] : []
    }),
    left: [...listens.flatMap(({ left }) => left ?? []), ...(startTls ? ['it speaks STARTTLS'] : [])],
    rejects: isOn('ssl_reject_handshake', outer, inner),
  }
}

function readSource(text: string, confFolder: string): Source {
  const scheme = /^(data|engine|store|object):/.exec(text)?.[1]
  if (scheme !== undefined) return { kind: 'other', text, reason: `"${text.slice(0, 60)}" is not a file` }
  if (text.includes('$')) return { kind: 'other', text, reason: `"${text}" holds a variable, so the file is chosen at each handshake` }
  return { kind: 'file', path: absolute(text, confFolder) }
}

/** nginx keeps ssl and proxy_protocol with the socket: said once, they hold for every server on it. */
function spreadSocketOptions(servers: readonly TlsServer[]): void {
  const all = new Map<string, { tls: boolean; proxyProtocol: boolean }>()
  const sockets = servers.flatMap((server) => server.sockets)
  for (const socket of sockets) {
    const known = all.get(socketKey(socket))
    all.set(socketKey(socket), { tls: socket.tls || known?.tls === true, proxyProtocol: socket.proxyProtocol || known?.proxyProtocol === true })
  }
  for (const socket of sockets) Object.assign(socket, all.get(socketKey(socket)))
}
