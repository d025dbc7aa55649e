import { plainAddress, type Socket } from '../shared/pem-files/sockets.ts'

/** What counts for one service: values by name, already expanded. */
export type Settings = ReadonlyMap<string, string>

/** A service of master.cf that takes SMTP from the network. */
export interface SmtpService {
  /** As in master.cf: "smtp", "127.0.0.1:465". */
  name: string
  command: 'smtpd' | 'postscreen'
  settings: Settings
}

/** "name = value" lines of postconf. */
export function parseSettings(text: string): Map<string, string> {
  return new Map(text.split('\n').flatMap((line) => {
    const at = line.indexOf('=')
    return at > 0 ? [[line.slice(0, at).trim(), line.slice(at + 1).trim()] as const] : []
  }))
}

const proxyOfPostscreen = 'postscreen_upstream_proxy_protocol'

/** "service/type/rest" → its three parts; the name of a service may hold colons and brackets, never a slash where it is a socket. */
const split = (key: string) => /^([^/]+)\/([^/]+)\/(.+)$/.exec(key)?.slice(1) ?? []

/**
 * @param main settings of main.cf, expanded
 * @param fields `postconf -F`: "smtp/inet/command = smtpd -o …"
 * @param overrides `postconf -Px`: "smtp/inet/smtpd_tls_security_level = may"
 */
export function smtpServices(main: Settings, fields: string, overrides: string): SmtpService[] {
  const own = new Map<string, Map<string, string>>()
  for (const [key, value] of parseSettings(overrides)) {
    const [name, type, parameter] = split(key)
    const id = `${name}/${type}`
    if (parameter !== undefined) own.set(id, (own.get(id) ?? new Map<string, string>()).set(parameter, value))
  }
  return [...parseSettings(fields)].flatMap(([key, value]): SmtpService[] => {
    const [name = '', type, field] = split(key)
    if (type !== 'inet' || field !== 'command') return []
    const command = value.split(/\s/)[0]?.split('/').at(-1)
    if (command === 'smtpd') return [{ name, command, settings: new Map([...main, ...own.get(`${name}/inet`) ?? []]) }]
    if (command !== 'postscreen') return []
    // It hands the connections of known clients over to the smtpd behind it, which is what a look from the host meets.
    const proxy = own.get(`${name}/inet`)?.get(proxyOfPostscreen) ?? main.get(proxyOfPostscreen) ?? ''
    return [{ name, command, settings: new Map([...main, ...own.get('smtpd/pass') ?? [], ['smtpd_upstream_proxy_protocol', proxy]]) }]
  })
}

const on = (value: string | undefined) => value?.toLowerCase() === 'yes'

/** How TLS begins at a service; undefined: there is none. */
export function tlsOf({ settings }: SmtpService): 'at-once' | 'starttls' | undefined {
  if (on(settings.get('smtpd_tls_wrappermode'))) return 'at-once'
  const level = settings.get('smtpd_tls_security_level') ?? ''
  const older = on(settings.get('smtpd_use_tls')) || on(settings.get('smtpd_enforce_tls'))
  if (level === '' ? !older : level.toLowerCase() === 'none') return undefined
  return 'starttls'
}

/** Why nobody can look at it from the host. */
export function unprovable({ settings }: SmtpService): string | undefined {
  if ((settings.get('smtpd_upstream_proxy_protocol') ?? '') !== '') return 'it expects the PROXY protocol'
  if (/(^|[\s,])starttls($|[\s,])/i.test(settings.get('smtpd_discard_ehlo_keywords') ?? '')) return 'it does not offer STARTTLS (smtpd_discard_ehlo_keywords)'
  return undefined
}

const wellKnown: Readonly<Record<string, number>> = { smtp: 25, smtps: 465, submissions: 465, ssmtp: 465, submission: 587 }

const words = (value: string | undefined) => (value ?? '').split(/[\s,]+/).filter((word) => word !== '')

/** The sockets of a service. @param services text of /etc/services */
export function socketsOf({ name }: Pick<SmtpService, 'name'>, main: Settings, services: string): { sockets: Socket[]; left: string[] } {
  const [, host, portName = name] = /^(?:(.*):)?([^:]+)$/.exec(name) ?? []
  const port = portNumber(portName, services)
  if (port === undefined) return { sockets: [], left: [`${name}: the port ${portName} is not known`] }
  const hosts = host === undefined || host === '' ? words(main.get('inet_interfaces')) : [host]
  const found = hosts.map((one) => ({ one, addresses: addressesOf(one.toLowerCase()) }))
  const families = words(main.get('inet_protocols')).map((word) => word.toLowerCase())
  const isOn = (address: string) => families.includes('all') || families.includes(address.includes(':') ? 'ipv6' : 'ipv4')
  return {
    sockets: found.flatMap(({ addresses }) => addresses.filter(isOn).map((address) => ({ address, port }))),
    left: found.filter(({ addresses }) => addresses.length === 0).map(({ one }) => `${name}: it listens on the name ${one}, not on an address`),
  }
}

function addressesOf(host: string): string[] {
  if (host === 'all' || host === '*') return ['0.0.0.0', '::']
  if (host === 'loopback-only' || host === 'localhost') return ['127.0.0.1', '::1']
  return plainAddress(host) === undefined ? [] : [plainAddress(host) ?? '']
}

function portNumber(name: string, services: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name)
  const line = services.split('\n').map((entry) => entry.replace(/#.*/, '').trim().split(/\s+/)).find(([first, port, ...aliases]) => port?.endsWith('/tcp') && [first, ...aliases].includes(name))
  return line === undefined ? wellKnown[name] : Number(line[1]?.split('/')[0])
}
