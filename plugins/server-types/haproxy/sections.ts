import type { ConfigLine } from './config-lines.ts'

/** What "crt", "crt-list" or a bundle name on a bind line. */
export interface CertificateName { kind: 'crt' | 'crt-list'; path: string }

/** A bind line with TLS; others only take up their sockets. */
export interface Bind {
  /** "frontend web (/etc/haproxy/haproxy.cfg:12)" */
  where: string
  addresses: string[]
  ssl: boolean
  certificates: CertificateName[]
  strictSni: boolean
  /** Why nothing can be seen on it from the host. */
  unreachable: string | null
}

export interface Settings {
  crtBase: string | null
  /** ssl-load-extra-files: which of the files beside a certificate count. */
  extraFiles: ReadonlySet<string>
  /** ssl-load-extra-del-ext: "www.key" belongs to "www.crt". */
  removesExtension: boolean
  bufsize: number
  processes: number
  /** Addresses of stats sockets, as written. */
  statsSockets: string[]
  binds: Bind[]
  /** What can't be read. */
  problems: { where: string; reason: string }[]
}

const everyExtra = ['bundle', 'sctl', 'ocsp', 'issuer', 'key']
const defaultBufsize = 16_384
const sectionNames = new Set(['global', 'defaults', 'frontend', 'listen', 'backend', 'peers', 'resolvers', 'mailers', 'userlist', 'program', 'http-errors', 'ring', 'log-forward', 'cache', 'fcgi-app', 'crt-store', 'traces', 'log-profile', 'acme'])
const condition = /^\.(if|elif|else|endif)$/
const matters = new Set(['bind', 'crt-base', 'ssl-load-extra-files', 'ssl-load-extra-del-ext', 'stats', 'global', 'frontend', 'listen', 'disabled', 'nbproc', 'load', 'ssl-default-bind-options'])

/** Where a line stands. `first`: how many bind lines there were before; `depth`: within how many conditions. */
interface Place { section: string; title: string; first: number; off: boolean; depth: number }

/** Takes out of the lines of all files what certificates depend on. */
export function readSections(lines: readonly ConfigLine[]): Settings {
  const settings: Settings = { crtBase: null, extraFiles: new Set(everyExtra), removesExtension: false, bufsize: defaultBufsize, processes: 1, statsSockets: [], binds: [], problems: [] }
  const place: Place = { section: '', title: '', first: 0, off: false, depth: 0 }
  const global: string[] = []
  for (const line of lines) {
    if (place.section === 'global' && line.words[0] === 'ssl-default-bind-options') global.push(...line.words)
    takeLine(settings, place, line)
  }
  if (place.off) settings.binds.length = place.first
  return global.includes('strict-sni') ? { ...settings, binds: settings.binds.map((bind) => ({ ...bind, strictSni: true })) } : settings
}

function takeLine(settings: Settings, place: Place, { file, line, words: [word = '', ...rest] }: ConfigLine): void {
  const where = `${file}:${line}`
  if (condition.test(word)) place.depth += word === '.if' ? 1 : word === '.endif' ? -1 : 0
  else if (place.depth > 0) {
    // HAProxy alone knows whether these lines count.
    if (matters.has(word)) settings.problems.push({ where, reason: `"${word}" stands within .if, which only HAProxy can decide` })
  } else if (sectionNames.has(word)) {
    if (place.off) settings.binds.length = place.first
    Object.assign(place, { section: word, title: [word, ...rest.slice(0, 1)].join(' '), first: settings.binds.length, off: false })
  } else sectionLine(settings, place, word, rest, where)
}

function sectionLine(settings: Settings, place: Place, word: string, rest: readonly string[], where: string): void {
  if (place.section === 'global') globalLine(settings, word, rest)
  else if (place.section === 'crt-store' && word === 'load') settings.problems.push({ where, reason: 'certificates of a crt-store are not read; name their files behind crt' })
  else if (place.section === 'frontend' || place.section === 'listen') {
    if (word === 'bind') settings.binds.push(bindOf(rest, `${place.title} (${where})`))
    place.off ||= word === 'disabled'
  }
}

function globalLine(settings: Settings, word: string, rest: readonly string[]): void {
  const [first = ''] = rest
  switch (word) {
    case 'crt-base': settings.crtBase = first; break
    case 'ssl-load-extra-files': settings.extraFiles = new Set(rest.flatMap((kind) => (kind === 'all' ? everyExtra : kind === 'none' ? [] : [kind]))); break
    case 'ssl-load-extra-del-ext': settings.removesExtension = true; break
    case 'tune.bufsize': settings.bufsize = Number(first); break
    case 'nbproc': settings.processes = Number(first); break
    case 'stats': if (first === 'socket' && rest[1] !== undefined) settings.statsSockets.push(rest[1]); break
    default:
  }
}

/** bind [<address>]:<port>[, …] and its parameters (configuration manual 5.1). */
function bindOf([addresses = '', ...words]: readonly string[], where: string): Bind {
  const bind: Bind = { where, addresses: addresses.split(',').filter((one) => one !== ''), ssl: false, certificates: [], strictSni: false, unreachable: null }
  for (let word = words.shift(); word !== undefined; word = words.shift()) bindWord(bind, word, withValue.has(word) ? words.shift() ?? '' : '')
  return bind
}

function bindWord(bind: Bind, word: string, value: string): void {
  switch (word) {
    case 'ssl': bind.ssl = true; break
    case 'strict-sni': bind.strictSni = true; break
    case 'accept-proxy': case 'accept-netscaler-cip': bind.unreachable = 'it expects the PROXY protocol'; break
    case 'interface': case 'namespace': bind.unreachable = `it listens in ${word} ${value} only`; break
    // Of 3.0; it comes before all others.
    case 'default-crt': bind.certificates.unshift({ kind: 'crt', path: value }); break
    case 'crt': case 'crt-list': bind.certificates.push({ kind: word, path: value }); break
    default:
  }
}

/** So that a value is not taken for a keyword. */
const withValue = new Set(['crt', 'crt-list', 'default-crt', 'interface', 'namespace', 'ca-file', 'alpn', 'npn', 'name', 'id', 'ciphers', 'ciphersuites', 'curves', 'ecdhe', 'crl-file', 'verify', 'user', 'group', 'mode', 'uid', 'gid', 'maxconn', 'backlog', 'mss', 'nice', 'process', 'thread', 'proto', 'level', 'severity-output', 'tcp-ut', 'tls-ticket-keys', 'ssl-min-ver', 'ssl-max-ver', 'ca-ignore-err', 'crt-ignore-err', 'ca-sign-file', 'ca-sign-pass', 'ca-verify-file', 'sigalgs', 'client-sigalgs', 'shards'])
