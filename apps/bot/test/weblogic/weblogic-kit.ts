import type { DetectedServer, DetectedSlot } from '@certloop/contract'
import { type WeblogicPlace, weblogicUsers } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { storePassword } from '../jetty/jetty-kit.ts'

export const keyPassword = 'unlocks-it 3'
/** Fields for the REST management of a domain in tests. */
export const overRest = { managementUser: weblogicUsers.admin.user, managementPassword: weblogicUsers.admin.password } as const
export const passphrases = { keystorePassword: storePassword, keyPassword } as const

export interface ServerOptions {
  /** Places in the list of ports. */
  plain: number
  ssl?: number
  file: string
  alias?: string
  key?: string
  address?: string
  keyStores?: string
  /** Further elements of the server. */
  more?: string
}

/** A <server> with a custom identity, as the console writes it. */
export function serverXml(name: string, { ports, encrypt }: WeblogicPlace, { plain, ssl, file, alias = 'www', key = keyPassword, address = '127.0.0.1', keyStores = 'CustomIdentityAndCustomTrust', more = '' }: ServerOptions): string {
  return `  <!-- kept: ${name} -->
  <server>
    <name>${name}</name>
    <ssl>
      <name>${name}</name>
      <enabled>${ssl !== undefined}</enabled>
      ${ssl === undefined ? '' : `<listen-port>${ports[ssl]}</listen-port>`}
      <server-private-key-alias>${alias}</server-private-key-alias>
      <server-private-key-pass-phrase-encrypted>${encrypt(key)}</server-private-key-pass-phrase-encrypted>
    </ssl>
    <listen-port>${ports[plain]}</listen-port>
    ${more}
    <listen-address>${address}</listen-address>
    <key-stores>${keyStores}</key-stores>
    <custom-identity-key-store-file-name>${file}</custom-identity-key-store-file-name>
    <custom-identity-key-store-type>JKS</custom-identity-key-store-type>
    <custom-identity-key-store-pass-phrase-encrypted>${encrypt(storePassword)}</custom-identity-key-store-pass-phrase-encrypted>
  </server>`
}

/** A <network-access-point>; `identity`: elements of its own one. */
export const channelXml = (name: string, port: number | undefined, { protocol = 'https', identity = '' } = {}): string =>
  `<network-access-point><name>${name}</name><protocol>${protocol}</protocol><listen-port>${port}</listen-port>${identity === '' ? '' : `<channel-identity-customized>true</channel-identity-customized>${identity}`}</network-access-point>`

/** The administration server of a domain has to be told. */
export const adminServer = '<admin-server-name>AdminServer</admin-server-name>'

export function slotOf({ slots, problem }: DetectedServer, alias: string): DetectedSlot {
  const slot = slots.find(({ fields }) => fields['alias'] === alias)
  assert.ok(slot, `no slot "${alias}": ${JSON.stringify([slots, problem])}`)
  return slot
}
