import type { BadInput, Failure } from '@certloop/plugin-kit/conformance'
import { leftOut, selfSignedPair, startWeblogic, weblogicUsers } from '@certloop/test-kit'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { storePassword, writeStore } from '../jetty/jetty-kit.ts'
import { conformance, unnamedPath, unwritableFolder, watching } from '../kit/conformance.ts'
import { adminServer, channelXml, keyPassword, overRest, passphrases, serverXml } from './weblogic-kit.ts'

/** Other values of fields; undefined takes one away. */
const given = (what: string, more: Record<string, unknown>, code: string, names: RegExp): BadInput => ({
  what, code, names, spoil: async (fields) => ({ fields: Object.fromEntries(Object.entries({ ...fields, ...more }).filter(([, value]) => value !== undefined)) }),
})

/** Another text in the place of one in config.xml, until it is mended. */
const edited = (what: string, file: string, { from, to, code, names, fields = {} }: { from: string; to: string; code: string; names: RegExp; fields?: Record<string, unknown> }): BadInput => ({
  what, code, names, spoil: async (same) => {
    const whole = await readFile(file, 'utf8')
    await writeFile(file, whole.replaceAll(from, to))
    return { fields: { ...same, ...fields }, mend: () => writeFile(file, whole) }
  },
})

conformance('weblogic', {
  skip: leftOut('openssl'),
  async makeSubject(t) {
    const [one, next, beside] = await Promise.all([selfSignedPair(['shop.test']), selfSignedPair(['shop.test']), selfSignedPair(['other.test'], 'rsa')])
    const weblogic = await startWeblogic(t, { portCount: 3, config: async (place) => {
      await writeStore(join(place.domain, 'keys', 'identity.jks'), { beside, www: one }, { format: 'jks', keyPassword })
      return `${serverXml('AdminServer', place, { plain: 0, ssl: 1, file: 'keys/identity.jks', more: channelXml('public', place.ports[2], { protocol: 't3s' }) })}${adminServer}`
    } })
    const { configPath } = weblogic
    const store = join(weblogic.domain, 'keys', 'identity.jks')
    const admin = `http://127.0.0.1:${weblogic.ports[0]}`
    return {
      isSubject: ({ key }) => key === `${weblogic.domain} AdminServer`,
      fields: (slot) => ({ ...slot?.fields, ...passphrases, ...overRest, proofSeconds: 10 }),
      pairs: [one, next],
      secrets: [storePassword, keyPassword, overRest.managementPassword],
      ...await watching({ own: [store], foreign: [configPath, join(weblogic.domain, 'security', 'SerializedSystemIni.dat')] }),
      badInput: [
        unnamedPath('keystorePath'), unwritableFolder(join(weblogic.domain, 'keys')),
        given('a passphrase of the keystore that is wrong', { keystorePassword: 'other' }, 'KEYSTORE_PASSWORD_WRONG', /identity\.jks/),
        given('a passphrase of the keystore that is not given', { keystorePassword: undefined }, 'KEYSTORE_PASSWORD_WRONG', /encrypted.*"Passphrase of the keystore"/),
        given('a passphrase of the key that is wrong', { keyPassword: 'other' }, 'KEYSTORE_PASSWORD_WRONG', /"www".*password of its own/),
        given('an alias that the server does not use', { alias: 'beside' }, 'SLOT_NOT_FOUND', /It uses "www" in .*identity\.jks/),
        edited('an alias that is not there', configPath, { from: '>www<', to: '>nobody<', fields: { alias: 'nobody' }, code: 'ALIAS_NOT_FOUND', names: /no key "nobody".*It has: beside, www/ }),
        edited('a configuration that is broken', configPath, { from: '</ssl>', to: '', code: 'SERVER_CONFIGURATION_UNREADABLE', names: /config\.xml is not well-formed/ }),
        edited('the demo identity', configPath, { from: 'CustomIdentityAndCustomTrust', to: 'DemoIdentityAndDemoTrust', code: 'PLACE_UNSUPPORTED', names: /demo identity.*Custom Identity in the Keystores/ }),
        given('a server that does not run', { serverName: 'nobody' }, 'SERVER_NOT_RUNNING', /nobody/),
        given('a management user that is not known', { managementUser: 'nobody' }, 'MANAGEMENT_REFUSED', /status 401 \(user or password refused\)/),
        given('a management password that is wrong', { managementPassword: 'other' }, 'MANAGEMENT_REFUSED', /status 401/),
        given('a management password that is not given', { managementPassword: undefined }, 'PLAN_FAILED', /"Password of the management user"/),
        given('an administration server at another host without TLS', { managementUrl: 'http://192.0.2.1:7001' }, 'PLAN_FAILED', /in the clear/),
        given('no management user and no unit', { managementUser: undefined, activation: 'service' }, 'PLAN_FAILED', /not started by a systemd unit of its own/),
        given('a restart command that is not named', { activation: 'command' }, 'PLAN_FAILED', /Restart command/),
        { what: 'a keystore that is away', code: 'KEYSTORE_UNREADABLE', names: /identity\.jks is not there/, spoil: async () => {
          await rename(store, `${store}.away`)
          return { mend: () => rename(`${store}.away`, store) }
        } },
        { what: 'a damaged keystore', code: 'KEYSTORE_UNREADABLE', names: /identity\.jks/, spoil: async () => {
          const bytes = await readFile(store)
          await writeFile(store, 'no keystore')
          return { mend: () => writeFile(store, bytes) }
        } },
      ],
      failures: [
        { what: 'a user who may look but not restart', code: 'MANAGEMENT_REFUSED', fields: (fields) => ({ ...fields, managementUser: weblogicUsers.monitor.user, managementPassword: weblogicUsers.monitor.password }), spoil: async () => async () => undefined },
        { what: 'a management that answers with an error', code: 'MANAGEMENT_REFUSED', spoil: async () => { await weblogic.refuseNext('AdminServer'); return async () => undefined } },
        { what: 'an administration server that answers with an error', code: 'MANAGEMENT_REFUSED', fields: (fields) => ({ ...fields, managementUrl: admin }), spoil: async () => { await weblogic.refuseNext('AdminServer'); return async () => undefined } },
      ] satisfies Failure[],
    }
  },
})
