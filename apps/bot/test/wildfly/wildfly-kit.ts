import { wildflyAdmin } from '@certloop/test-kit'
import { storePassword } from '../jetty/jetty-kit.ts'

/** Fields for the HTTP management of a WildFly in tests. */
export const overHttp = { activation: 'http', managementUser: wildflyAdmin.user, managementPassword: wildflyAdmin.password } as const

/** What a key store consists of; the file lies in the configuration folder. */
export const keyStore = (file: string, { password = storePassword, type = 'PKCS12', more = '' } = {}): string =>
  `${more}><credential-reference clear-text="${password}"/><implementation type="${type}"/><file path="${file}" relative-to="jboss.server.config.dir"/>`

/** Key store, key manager and context of one name each. @param manager further attributes of the key managers */
export function tlsOf(stores: Readonly<Record<string, string>>, manager = '', keyPassword = storePassword): string {
  const each = (make: (name: string, store: string) => string) => Object.entries(stores).map(([name, store]) => make(name, store)).join('')
  return `<key-stores>${each((name, store) => `<key-store name="${name}"${store}</key-store>`)}</key-stores>
    <key-managers>${each((name) => `<key-manager name="${name}" key-store="${name}" ${manager}><credential-reference clear-text="${keyPassword}"/></key-manager>`)}</key-managers>
    <server-ssl-contexts>${each((name) => `<server-ssl-context name="${name}" key-manager="${name}"/>`)}</server-ssl-contexts>`
}
