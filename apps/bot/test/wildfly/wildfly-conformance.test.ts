import type { ConformanceSubject } from '@certloop/plugin-kit/conformance'
import { archiveLeftOut, selfSignedPair, startWildfly, wildflyAdmin } from '@certloop/test-kit'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { storePassword, writeStore } from '../jetty/jetty-kit.ts'
import { conformance, unnamedPath, unwritableFolder, watching } from '../kit/conformance.ts'
import { startedOnce } from '../kit/started-once.ts'
import { keyStore, overHttp, tlsOf } from './wildfly-kit.ts'

conformance('wildfly', {
  skip: await archiveLeftOut('wildfly'),
  makeSubject: startedOnce(async (t) => {
    const [one, next, beside] = await Promise.all([selfSignedPair(['shop.test']), selfSignedPair(['shop.test']), selfSignedPair(['other.test'], 'rsa')])
    const wildfly = await startWildfly(t, {
      listeners: ['ssl-context="shop"'], tls: tlsOf({ shop: keyStore('keys/shop.jks', { type: 'JKS' }) }, 'alias-filter="shop"'),
      prepare: (folder) => writeStore(join(folder, 'keys', 'shop.jks'), { shop: one, beside }, { format: 'jks' }),
    })
    const store = join(wildfly.base, 'configuration', 'keys', 'shop.jks')
    const subject: ConformanceSubject = {
      isSubject: ({ key }) => key === wildfly.base,
      fields: (slot) => ({ ...slot?.fields, ...overHttp }),
      pairs: [one, next],
      secrets: [storePassword, wildflyAdmin.password],
      ...await watching({ own: [store], foreign: [wildfly.configPath] }),
      badInput: [
        unnamedPath('keystorePath'), unwritableFolder(join(wildfly.base, 'configuration', 'keys')),
        { what: 'an alias that is not there', code: 'ALIAS_NOT_FOUND', names: /no key "nobody".*It has: shop, beside/, spoil: async (fields) => ({ fields: { ...fields, alias: 'nobody' } }) },
        { what: 'an alias that a filter leaves out', code: 'PLAN_FAILED', names: /alias filter/, spoil: async (fields) => ({ fields: { ...fields, alias: 'beside' } }) },
        { what: 'a wrong keystore password in the target', code: 'KEYSTORE_PASSWORD_WRONG', names: /shop\.jks/, spoil: async (fields) => ({ fields: { ...fields, keystorePassword: 'other' } }) },
        { what: 'a management password that is wrong', code: 'MANAGEMENT_REFUSED', names: /127\.0\.0\.1/, spoil: async (fields) => ({ fields: { ...fields, managementPassword: 'other' } }) },
        { what: 'a management password that is not given', code: 'PLAN_FAILED', names: /no password for it/, spoil: async (fields) => ({ fields: Object.fromEntries(Object.entries(fields).filter(([name]) => name !== 'managementPassword')) }) },
        { what: 'a keystore that is away', code: 'KEYSTORE_UNREADABLE', names: /shop\.jks is not there/, spoil: async () => {
          await rename(store, `${store}.away`)
          return { mend: () => rename(`${store}.away`, store) }
        } },
        { what: 'a damaged keystore', code: 'KEYSTORE_UNREADABLE', names: /shop\.jks/, spoil: async () => {
          const bytes = await readFile(store)
          await writeFile(store, 'no keystore')
          return { mend: () => writeFile(store, bytes) }
        } },
        { what: 'a configuration that is broken', code: 'SERVER_CONFIGURATION_UNREADABLE', names: /tls\.xml is not well-formed/, spoil: async () => {
          const text = await readFile(wildfly.configPath, 'utf8')
          await writeFile(wildfly.configPath, text.replace('</management>', ''))
          return { mend: () => writeFile(wildfly.configPath, text) }
        } },
      ],
    }
    return { subject, port: wildfly.ports[0] ?? 0, serverName: 'shop.test' }
  }),
})
