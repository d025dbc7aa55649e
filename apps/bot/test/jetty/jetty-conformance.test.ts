import type { ConformanceSubject } from '@certloop/plugin-kit/conformance'
import { jettyLeftOut, selfSignedPair, startJetty } from '@certloop/test-kit'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { conformance, unnamedPath, unwritableFolder, watching } from '../kit/conformance.ts'
import { startedOnce } from '../kit/started-once.ts'
import { storePassword, withStore } from './jetty-kit.ts'

const ownPassword = 'of-the-key 3'

conformance('jetty', {
  skip: await jettyLeftOut('debian'),
  makeSubject: startedOnce(async (t) => {
    const [one, next, beside] = await Promise.all([selfSignedPair(['shop.test', 'www.shop.test']), selfSignedPair(['shop.test', 'www.shop.test']), selfSignedPair(['other.test'], 'rsa')])
    const jetty = await startJetty(t, { release: 'debian', settings: withStore({ shop: one, beside }, { name: 'store.jks', format: 'jks', keyPassword: ownPassword }) })
    const store = join(jetty.base, 'etc', 'store.jks')
    const subject: ConformanceSubject = {
      isSubject: ({ key }) => key === jetty.base,
      pairs: [one, next],
      secrets: [storePassword, ownPassword],
      ...await watching({ own: [store], foreign: [jetty.iniPath] }),
      badInput: [
        unnamedPath('keystorePath'), unwritableFolder(join(jetty.base, 'etc')),
        { what: 'an alias that is not there', code: 'ALIAS_NOT_FOUND', names: /no key "nobody".*It has: shop, beside/, spoil: async (fields) => ({ fields: { ...fields, alias: 'nobody' } }) },
        { what: 'a wrong keystore password in the target', code: 'KEYSTORE_PASSWORD_WRONG', names: /store\.jks/, spoil: async (fields) => ({ fields: { ...fields, keystorePassword: 'other' } }) },
        { what: 'a keystore that is away', code: 'KEYSTORE_UNREADABLE', names: /store\.jks is not there/, spoil: async () => {
          await rename(store, `${store}.away`)
          return { mend: () => rename(`${store}.away`, store) }
        } },
        { what: 'a damaged keystore', code: 'KEYSTORE_UNREADABLE', names: /store\.jks/, spoil: async () => {
          const bytes = await readFile(store)
          await writeFile(store, 'no keystore')
          return { mend: () => writeFile(store, bytes) }
        } },
        { what: 'a restart command that is not named', code: 'PLAN_FAILED', names: /Restart command/, spoil: async (fields) => ({ fields: { ...fields, activation: 'command' } }) },
        { what: 'a systemd unit that there is none of', code: 'PLAN_FAILED', names: /not started by a systemd unit of its own/, spoil: async (fields) => ({ fields: { ...fields, activation: 'service' } }) },
      ],
    }
    return { subject, port: jetty.port, serverName: 'shop.test' }
  }),
})
