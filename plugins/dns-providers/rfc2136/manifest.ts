import { field, fieldsObject } from '@certloop/contract'
import type { tsigAlgorithms } from '@certloop/dns'
import type { DnsProviderManifest } from '@certloop/plugin-kit'

const names = { 'hmac-sha256': 'HMAC-SHA256', 'hmac-sha512': 'HMAC-SHA512', 'hmac-sha384': 'HMAC-SHA384', 'hmac-sha224': 'HMAC-SHA224', 'hmac-sha1': 'HMAC-SHA1, for old servers' } as const satisfies Record<(typeof tsigAlgorithms)[number], string>

export const fields = fieldsObject({
  server: field.text({ label: 'Server', help: 'Name or address of the primary server of the zones, or of one that hands updates on to it.' }),
  port: field.optional(field.port({ label: 'Port', help: 'Empty: 53.' })),
  keyName: field.text({ label: 'Name of the key', help: 'As in the configuration of the server, e.g. certloop in: key "certloop" { … }.' }),
  algorithm: field.choice({ label: 'Algorithm', help: 'Of the key, as in the configuration of the server.', values: names, default: 'hmac-sha256' }),
  secret: field.secret({ label: 'Secret', help: 'Base64, as tsig-keygen prints it. Least rights: let the key change TXT records named _acme-challenge alone, in BIND with: update-policy { grant certloop subdomain _acme-challenge.www.example.com. TXT; };', sentTo: ['server', 'port', 'keyName'] }),
  zones: field.optional(field.lines({ label: 'Zones', help: 'Those that may be used, a line each. Empty: the server is asked which of its zones holds a name.' })),
})

export const manifest = {
  id: 'rfc2136',
  title: 'DNS server with dynamic update',
  summary: 'BIND, Knot DNS, PowerDNS and others by dynamic update (RFC 2136), signed with a TSIG key.',
  fields,
  lowestTtl: 60,
  oneAtATime: 'zone',
  check: ({ server, secret, zones = [] }) => [
    ...(/^[A-Za-z0-9_.:-]+$/.test(server) ? [] : [{ field: 'server', problem: 'must be a host name or an address, without anything else' }]),
    ...(/^[A-Za-z0-9+/]{4,}={0,2}$/.test(secret.trim()) ? [] : [{ field: 'secret', problem: 'must be base64, as tsig-keygen prints it' }]),
    ...(zones.every((zone) => /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$/.test(zone)) ? [] : [{ field: 'zones', problem: 'must be names of zones such as example.com, a line each' }]),
  ],
} as const satisfies DnsProviderManifest<typeof fields>
