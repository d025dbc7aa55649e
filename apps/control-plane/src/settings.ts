import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import { CertloopError } from '@certloop/contract'
import { readDnsServers, type DnsServer } from '@certloop/dns'
import { logLevels } from './http/logger.ts'
import { readMasterKey } from './secret/master-key-text.ts'

/** One setting. A value that can not be read is a text saying what would do. */
interface Setting<T> {
  /** Without the dashes; null: not on the command line, where every user of the machine could read it. */
  flag: string | null
  /** The flag takes no value: it stands for this text. */
  flagMeans?: string
  env: string
  default: T
  /** How the default is shown, where its value does not say it. */
  defaultText?: string
  unit: string | null
  meaning: string
  example: string
  read: (text: string) => T | Unfit
}
interface Unfit { unfit: string }
const setting = <T>(entry: Setting<T>) => entry

const wholeNumber = (least: number, most: number) => (text: string): number | Unfit =>
  /^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most ? Number(text) : { unfit: `a whole number from ${least} to ${most}` }
const oneOf = <const T extends readonly string[]>(values: T) => (text: string): T[number] | Unfit =>
  values.find((value) => value === text) ?? { unfit: `one of ${values.join(', ')}` }
const onOrOff = (text: string): boolean | Unfit => (/^(on|off)$/.test(text) ? text === 'on' : { unfit: '"on" or "off"' })
const anyText = (text: string): string => text

function webAddress(text: string): string | Unfit {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPlain = url !== undefined && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === ''
  return isPlain ? url.origin : { unfit: 'an address such as https://certloop.example.com:8420, without a path' }
}
const databaseAddress = (text: string): string | Unfit =>
  (/^postgres(ql)?:\/\//.test(text) && URL.canParse(text) ? text : { unfit: 'an address such as postgres://user:password@host:5432/certloop' })
const masterKey = (text: string): string | Unfit =>
  (readMasterKey(text) ? text : { unfit: '32 random bytes in base64, as "openssl rand -base64 32" prints them' })

/** "10.0.0.1, fd00::/8"; a network of everybody would let every caller choose its address. */
function addressList(text: string): readonly string[] | Unfit {
  const entries = text.split(',').map((entry) => entry.trim())
  const isFit = (entry: string) => {
    const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? []
    const most = { 4: 32, 6: 128 }[isIP(address)]
    return most !== undefined && (bits === undefined || (Number(bits) > 0 && Number(bits) <= most))
  }
  return entries.every(isFit) ? entries : { unfit: 'addresses and networks with commas between them, such as 10.0.0.5,10.1.0.0/16' }
}

const mailServer = (text: string): string | Unfit => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPlain = url !== undefined && /^smtps?:$/.test(url.protocol) && url.hostname !== '' && /^\/?$/.test(url.pathname) && url.search === '' && url.hash === ''
  return isPlain ? text : { unfit: 'an address such as smtp://mail.example.com:25 or smtps://user:password@mail.example.com, without a path; other characters than letters and digits of a password in percent encoding' }
}
const mailAddress = (text: string): string | Unfit => (/^[^@\s<>]+@[^@\s<>]+$/.test(text) && text.length <= 254 ? text : { unfit: 'an address such as certloop@example.com' })

/** "none" shuts every network but the public one. */
function outboundList(text: string): readonly string[] | Unfit {
  const entries = text.split(',').map((entry) => entry.trim())
  if (entries.length === 1 && entries[0] === 'none') return []
  const networks = entries.filter((entry) => entry !== 'private')
  const isFit = networks.length === 0 || Array.isArray(addressList(networks.join(',')))
  return isFit ? entries : { unfit: '"private", addresses and networks with commas between them, such as private,127.0.0.1, or "none"' }
}

const dnsServerList = (text: string): readonly DnsServer[] | Unfit => readDnsServers(text) ?? { unfit: 'addresses with commas between them, each with a port or without, such as 192.0.2.1,192.0.2.2:5353,[2001:db8::1]:53' }

/** Every setting of the control plane. A flag wins over the environment. The help text and the documentation are made from this. */
export const settingsTable = {
  data: setting<string>({ flag: 'data', env: 'CERTLOOP_DATA', default: './data', unit: 'folder', meaning: 'Where the database and the keys of the control plane are kept', example: '/var/lib/certloop', read: anyText }),
  port: setting<number>({ flag: 'port', env: 'CERTLOOP_PORT', default: 8420, unit: null, meaning: 'Port for the pages, the API and the bots; 0 takes a free one', example: '443', read: wholeNumber(0, 65_535) }),
  host: setting<string>({ flag: 'host', env: 'CERTLOOP_HOST', default: '127.0.0.1', unit: 'address', meaning: 'Address to listen on; 0.0.0.0 or :: for all, so that bots on other hosts can call', example: '0.0.0.0', read: anyText }),
  publicUrl: setting<string | null>({ flag: 'public-url', env: 'CERTLOOP_PUBLIC_URL', default: null, defaultText: 'made from host and port', unit: 'address', meaning: 'How browsers and bots reach the control plane; it goes into join tokens', example: 'https://certloop.example.com', read: webAddress }),
  pkiUrl: setting<string | null>({ flag: 'pki-url', env: 'CERTLOOP_PKI_URL', default: null, defaultText: 'the public address with http, unless it is one of this machine alone', unit: 'address', meaning: 'Where revocation lists, OCSP and issuing certificates of the built-in CA are reached; it goes into certificates', example: 'http://pki.example.com', read: webAddress }),
  issuanceLedger: setting<string | null>({ flag: 'issuance-ledger', env: 'CERTLOOP_ISSUANCE_LEDGER', default: null, defaultText: '"ledger" in the data folder', unit: 'folder', meaning: 'Where the built-in CA notes what it is about to sign, so that a database restored from a backup loses no certificate; best on another disk', example: '/srv/certloop-ledger', read: anyText }),
  keyBlocklist: setting<string | null>({ flag: 'key-blocklist', env: 'CERTLOOP_KEY_BLOCKLIST', default: null, defaultText: 'none', unit: 'folder', meaning: 'Lists of broken RSA keys that the built-in CA refuses, as in Debian\'s package openssl-blacklist: files blacklist.RSA-2048 and so on', example: '/usr/share/openssl-blacklist', read: anyText }),
  pkcs11Module: setting<string | null>({ flag: 'pkcs11-module', env: 'CERTLOOP_PKCS11_MODULE', default: null, defaultText: 'none', unit: 'file', meaning: 'PKCS#11 library of the HSM that may hold keys of the built-in CA', example: '/usr/lib/softhsm/libsofthsm2.so', read: anyText }),
  pkcs11Token: setting<string | null>({ flag: 'pkcs11-token', env: 'CERTLOOP_PKCS11_TOKEN', default: null, defaultText: 'none; needed with a module', unit: 'label', meaning: 'Label of the token', example: 'certloop', read: anyText }),
  pkcs11Pin: setting<string | null>({ flag: null, env: 'CERTLOOP_PKCS11_PIN', default: null, defaultText: 'none', unit: 'text', meaning: 'PIN of the token', example: 'a PIN of the user, not of the security officer', read: anyText }),
  databaseUrl: setting<string | null>({ flag: null, env: 'DATABASE_URL', default: null, defaultText: 'SQLite in the data folder', unit: 'address', meaning: 'PostgreSQL instead of SQLite', example: 'postgres://certloop:…@db:5432/certloop', read: databaseAddress }),
  masterKey: setting<string | null>({ flag: null, env: 'CERTLOOP_MASTER_KEY', default: null, defaultText: 'a file in the data folder', unit: 'base64', meaning: 'Key that seals the stored secrets', example: 'the output of "openssl rand -base64 32"', read: masterKey }),
  logLevel: setting<(typeof logLevels)[number]>({ flag: 'log-level', env: 'CERTLOOP_LOG_LEVEL', default: 'info', unit: null, meaning: `How much is logged: ${logLevels.join(', ')}`, example: 'debug', read: oneOf(logLevels) }),
  bot: setting<boolean>({ flag: 'no-bot', flagMeans: 'off', env: 'CERTLOOP_BOT', default: true, defaultText: 'on', unit: 'on or off', meaning: 'Run the bot of this machine in the same go', example: 'off', read: onOrOff }),
  trustedProxy: setting<readonly string[]>({ flag: 'trusted-proxy', env: 'CERTLOOP_TRUSTED_PROXY', default: [], defaultText: 'none', unit: 'addresses', meaning: 'Proxies whose X-Forwarded-For says who calls, for limits and the audit log; give only proxies that set it themselves', example: '10.0.0.5,10.1.0.0/16', read: addressList }),
  smtpUrl: setting<string | null>({ flag: null, env: 'CERTLOOP_SMTP_URL', default: null, defaultText: 'none: no e-mail is sent', unit: 'address', meaning: 'Mail server that e-mail goes through; smtps is TLS from the start, smtp takes STARTTLS where it is offered and demands it before it sends a password', example: 'smtp://user:password@mail.example.com:587', read: mailServer }),
  mailFrom: setting<string | null>({ flag: 'mail-from', env: 'CERTLOOP_MAIL_FROM', default: null, defaultText: 'certloop@ and the name of this host', unit: 'e-mail address', meaning: 'Sender of e-mail', example: 'certloop@example.com', read: mailAddress }),
  outboundAllow: setting<readonly string[]>({ flag: 'outbound-allow', env: 'CERTLOOP_OUTBOUND_ALLOW', default: ['private'], defaultText: 'private', unit: 'addresses', meaning: 'Which addresses besides public ones the control plane may call when it talks to authorities, DNS providers and domains: "private" for private networks, and loopback or link-local addresses one by one; "none" for public ones alone', example: 'private,127.0.0.1', read: outboundList }),
  dnsServers: setting<readonly DnsServer[]>({ flag: 'dns-servers', env: 'CERTLOOP_DNS_SERVERS', default: [], defaultText: 'those of the system', unit: 'addresses', meaning: 'Recursive DNS servers that the control plane asks before it lets an authority look at a name; where the system\'s show a domain otherwise than the internet does, give public ones', example: '9.9.9.9,[2620:fe::fe]:53', read: dnsServerList }),
} as const

export type Settings = { readonly [K in keyof typeof settingsTable]: (typeof settingsTable)[K]['default'] }
const entries = Object.entries(settingsTable) as [keyof Settings, Setting<unknown>][]
const flags = entries.flatMap(([, { flag }]) => (flag === null ? [] : [flag])).concat('help')

export const wantsHelp = (argv: readonly string[]): boolean => argv.some((word) => word === '--help' || word === '-h')

const invalid = (message: string, name: string): CertloopError => new CertloopError('SETTINGS_INVALID', message, { setting: name })

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length] ?? 0
}

function unknownFlag(name: string): CertloopError {
  const [nearest = 'help'] = flags.toSorted((a, b) => distance(name, a) - distance(name, b))
  return invalid(`There is no setting --${name}. Did you mean --${nearest}? --help shows all.`, `--${name}`)
}

type OptionToken = { name: string; value: string | undefined; inlineValue: boolean | undefined }

/** The text that one flag gives. */
function flagText({ name, value, inlineValue }: OptionToken, entry: Setting<unknown>): string {
  const flag = `--${name}`
  if (entry.flagMeans !== undefined) {
    if (value !== undefined) throw invalid(`${flag} takes no value.`, flag)
    return entry.flagMeans
  }
  const isAnotherFlag = value?.startsWith('--') === true && !inlineValue
  if (!value || isAnotherFlag) throw invalid(`${flag} needs a value, for example ${flag} ${entry.example}.`, flag)
  return value
}

/** Texts of the flags by setting. */
function readFlags(argv: readonly string[]): Map<keyof Settings, string> {
  const options = Object.fromEntries(entries.flatMap(([, { flag, flagMeans }]) => (flag === null ? [] : [[flag, { type: flagMeans === undefined ? 'string' : 'boolean' } as const]])))
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true })
  const texts = new Map<keyof Settings, string>()
  for (const token of tokens) {
    if (token.kind === 'positional') throw invalid(`"${token.value}" is not a setting. Settings look like --port 8420.`, token.value)
    if (token.kind !== 'option') continue
    const [name, entry] = entries.find(([, { flag }]) => flag === token.name) ?? []
    if (name === undefined || entry === undefined) throw unknownFlag(token.name)
    if (texts.has(name)) throw invalid(`--${token.name} is given twice.`, `--${token.name}`)
    texts.set(name, flagText(token, entry))
  }
  return texts
}

/**
 * Reads the settings: flags first, then the environment (an empty variable counts as absent), then the defaults.
 * @throws CertloopError SETTINGS_INVALID, naming the flag or variable and what would do; secret values are not repeated
 */
export function readSettings(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Settings {
  const given = readFlags(argv)
  const values = entries.map(([name, entry]) => {
    const text = given.get(name) ?? (env[entry.env] || undefined)
    if (text === undefined) return [name, entry.default]
    const value = entry.read(text)
    if (typeof value === 'object' && value !== null && 'unfit' in value) {
      const source = given.has(name) ? `--${entry.flag}` : entry.env
      const said = entry.flag === null ? 'can not be used' : `is "${text}"`
      throw invalid(`${source} ${said}; it takes ${(value as Unfit).unfit}.`, source)
    }
    return [name, value]
  })
  return Object.fromEntries(values) as Settings
}

/** The table as text for --help. */
export function settingsHelp(): string {
  const lines = entries.map(([, entry]) => {
    const flag = entry.flag === null ? '(environment only)' : `--${entry.flag}${entry.flagMeans === undefined ? ` <${entry.unit ?? 'value'}>` : ''}`
    return `  ${flag}\n      ${entry.meaning}.\n      Environment: ${entry.env}. Default: ${entry.defaultText ?? String(entry.default)}. Example: ${entry.example}.`
  })
  return `Certloop, the control plane. Start it with "npm start"; settings follow after "--".\n\n${lines.join('\n')}\n  --help\n      This table.\n`
}
