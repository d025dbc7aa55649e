import type { BadInput, Failure } from '@certloop/plugin-kit/conformance'
import { selfSignedPair, startTomcat, tomcatLeftOut } from '@certloop/test-kit'
import { chmod, chown, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { conformance, unwritableFolder, watching } from '../kit/conformance.ts'
import { storePassword, writeStore } from '../jetty/jetty-kit.ts'
import { manager, managerPassword, users } from './tomcat-kit.ts'

/** Another text in the place of one in a file, until it is mended. */
const edited = (what: string, file: string, { from, to, code, names }: { from: string; to: string; code: string; names: RegExp }): BadInput => ({
  what, code, names, spoil: async () => {
    const whole = await readFile(file, 'utf8')
    await writeFile(file, whole.replace(from, to))
    return { mend: () => writeFile(file, whole) }
  },
})

const refused = (what: string, more: Record<string, unknown>): Failure => ({ what, code: 'MANAGEMENT_REFUSED', fields: (fields) => ({ ...fields, ...more }), spoil: async () => async () => undefined })

conformance('tomcat', {
  skip: await tomcatLeftOut('10'),
  async makeSubject(t) {
    const [one, next, beside] = await Promise.all([selfSignedPair(['shop.test']), selfSignedPair(['shop.test']), selfSignedPair(['other.test'], 'rsa')])
    const tomcat = await startTomcat(t, { portCount: 2, users, connectors: async ({ base, ports }) => {
      // JKS: the suite opens it some hundred times, and PKCS#12 makes each time cost.
      await writeStore(join(base, 'conf/store.jks'), { beside, shop: one }, { format: 'jks' })
      return `<!-- kept --><Connector port="${ports[0]}" address="127.0.0.1" />
      <Connector port="${ports[1]}" address="127.0.0.1" SSLEnabled="true"><SSLHostConfig><Certificate certificateKeystoreFile="conf/store.jks" certificateKeystorePassword="${storePassword}" certificateKeyAlias="shop" /></SSLHostConfig></Connector>`
    } })
    const [store, xml] = [join(tomcat.base, 'conf/store.jks'), tomcat.serverXmlPath]
    const elsewhere = `http://127.0.0.1:${tomcat.ports[0]}/none`
    return {
      isSubject: ({ key }) => key === tomcat.base,
      fields: (slot) => ({ ...slot?.fields, ...manager, proofSeconds: 10 }),
      pairs: [one, next],
      secrets: [storePassword, managerPassword],
      ...await watching({ own: [store], foreign: [xml, join(tomcat.base, 'conf/tomcat-users.xml')] }),
      badInput: [
        unwritableFolder(join(tomcat.base, 'conf')),
        edited('a wrong keystore password in server.xml', xml, { from: storePassword, to: 'other', code: 'KEYSTORE_PASSWORD_WRONG', names: /store\.jks/ }),
        edited('an alias that is not there', xml, { from: 'Alias="shop"', to: 'Alias="nobody"', code: 'ALIAS_NOT_FOUND', names: /"nobody".*It has: beside, shop/ }),
        edited('a server.xml that is not well-formed', xml, { from: '</SSLHostConfig>', to: '</SSLHostConfi>', code: 'SERVER_CONFIGURATION_UNREADABLE', names: /server\.xml is not well-formed XML: line 9: <\/SSLHostConfi> closes <SSLHostConfig> of line 9/ }),
        { what: 'an instance that does not run', code: 'SERVER_NOT_RUNNING', names: /\/no\/base/, spoil: async (fields) => ({ fields: { ...fields, basePath: '/no/base' } }) },
        { what: 'a host that server.xml does not have', code: 'SLOT_NOT_FOUND', names: /nobody\.test/, spoil: async (fields) => ({ fields: { ...fields, hostName: 'nobody.test' } }) },
        { what: 'a user of the manager without a password', code: 'PLAN_FAILED', names: /Manager password/, spoil: async ({ managerPassword: _none, ...fields }) => ({ fields }) },
        { what: 'an address of the manager with a password in it', code: 'PLAN_FAILED', names: /without user and password/, spoil: async (fields) => ({ fields: { ...fields, managerUrl: 'http://a:b@127.0.0.1/manager' } }) },
        { what: 'a restart command that is not named', code: 'PLAN_FAILED', names: /Restart command/, spoil: async (fields) => ({ fields: { ...fields, activation: 'command' } }) },
        { what: 'a keystore that is away', code: 'KEYSTORE_UNREADABLE', names: /store\.jks is not there/, spoil: async () => {
          await rename(store, `${store}.away`)
          return { mend: () => rename(`${store}.away`, store) }
        } },
        { what: 'a damaged keystore', code: 'KEYSTORE_UNREADABLE', names: /store\.jks/, spoil: async () => {
          const bytes = await readFile(store)
          await writeFile(store, 'no keystore')
          return { mend: () => writeFile(store, bytes) }
        } },
        { what: 'a keystore that the account of Tomcat could not read', code: 'PLAN_FAILED', names: /store\.jks can not be read by it/, skip: process.getuid?.() === 0 ? false : 'Tomcat runs as the same user', spoil: async () => {
          const { uid, gid, mode } = await stat(store)
          await chown(store, 0, 0)
          await chmod(store, 0o600)
          return { mend: async () => { await chown(store, uid, gid); await chmod(store, mode & 0o7777) } }
        } },
      ],
      failures: [
        refused('a password that the manager refuses', { managerPassword: 'wrong' }),
        refused('a user of the manager without the role', { managerUser: 'guest', managerPassword: 'guest' }),
        refused('a manager that is not there', { managerUrl: elsewhere }),
      ],
    }
  },
})
