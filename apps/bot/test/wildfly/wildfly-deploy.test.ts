import type { DetectedServer, DetectedSlot } from '@certloop/contract'
import { archiveLeftOut, selfSignedPair, startWildfly } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { storePassword, writeStore } from '../jetty/jetty-kit.ts'
import { keptConnection } from '../jetty/kept-connection.ts'
import { assertDeployed, deployer, detect, servedAt, stepKinds } from '../kit/kit.ts'
import { keyStore, overHttp, tlsOf } from './wildfly-kit.ts'

const skip = await archiveLeftOut('wildfly') || (process.getuid?.() === 0 ? false : 'needs root, to start WildFly as another account')
const account = { uid: 65534, gid: 65534 }

function slotOf({ slots, problem }: DetectedServer, alias: string): DetectedSlot {
  const slot = slots.find(({ fields }) => fields['alias'] === alias)
  assert.ok(slot, `no slot "${alias}": ${JSON.stringify([slots, problem])}`)
  return slot
}

test('two servers on one host', { skip }, async (t) => {
  const [main, shop, ec, rsa, only, mainNext, shopNext, ecNext, rsaNext] = await Promise.all([
    selfSignedPair(['main.test']), selfSignedPair(['shop.test']), selfSignedPair(['dual.test']), selfSignedPair(['dual.test'], 'rsa'), selfSignedPair(['only.test']),
    selfSignedPair(['main.test']), selfSignedPair(['shop.test']), selfSignedPair(['dual.test']), selfSignedPair(['dual.test'], 'rsa'),
  ])
  const [first, second] = await Promise.all([
    startWildfly(t, {
      account, listeners: ['ssl-context="sni"'],
      tls: `${tlsOf({ main: keyStore('main.p12'), shop: keyStore('shop.jks', { type: 'JKS', more: ' alias-filter="ALL:-beside"' }) })}
        <server-ssl-sni-contexts><server-ssl-sni-context name="sni" default-ssl-context="main"><sni-mapping host="shop.test" ssl-context="shop"/></server-ssl-sni-context></server-ssl-sni-contexts>`,
      prepare: (folder) => Promise.all([writeStore(join(folder, 'main.p12'), { main }), writeStore(join(folder, 'shop.jks'), { shop, beside: main }, { format: 'jks' })]),
    }),
    startWildfly(t, {
      listeners: ['ssl-context="dual"', 'ssl-context="only"'], args: ['-P', 'configuration/more.properties'],
      tls: tlsOf({ dual: keyStore('dual.jks', { type: 'JKS', password: '${store.password}' }), only: keyStore('only.jks', { type: 'JKS' }) }, '', 'of the key')
        .replace('name="only" key-manager', 'name="only" protocols="TLSv1.2" cipher-suite-filter="ECDHE-ECDSA-AES128-GCM-SHA256" key-manager'),
      prepare: (folder) => Promise.all([writeFile(join(folder, 'more.properties'), `# for all\nstore.password = ${storePassword}\n`), writeStore(join(folder, 'dual.jks'), { ec, rsa }, { format: 'jks', keyPassword: 'of the key' }), writeStore(join(folder, 'only.jks'), { only }, { format: 'jks', keyPassword: 'of the key' })]),
    }),
  ])
  const { plan, deploy } = await deployer(t, 'wildfly')
  const firstNow = async () => detect('wildfly', first.base)
  const secondNow = async () => detect('wildfly', second.base)

  await t.test('each is found with its places, also behind SNI, filters and expressions', async () => {
    const found = await firstNow()
    assert.deepEqual([found.problem, found.version, found.process.user], [null, '36.0.1.Final', 'nobody'])
    assert.deepEqual(found.slots.map((slot) => [slot.fields['alias'], servedAt(first.ports, slot)]), [['main', { '127.0.0.1:0 -': main.fingerprint }], ['shop', { '127.0.0.1:0 shop.test': shop.fingerprint }]])
    const other = await secondNow()
    assert.deepEqual(other.slots.map((slot) => [slot.fields['alias'], servedAt(second.ports, slot)]), [['ec', { '127.0.0.1:0 - ec': ec.fingerprint }], ['rsa', { '127.0.0.1:0 - rsa': rsa.fingerprint }], ['only', { '127.0.0.1:1 -': only.fingerprint }]])
  })

  await t.test('jboss-cli as the account of the server: another entry and another store stay, a connection goes on', async () => {
    const { fields } = slotOf(await firstNow(), 'shop')
    const ask = await keptConnection(t, first.ports[0] ?? 0, 'shop.test')
    assert.equal(await ask(), false)
    const planned = await plan(fields, shopNext)
    assert.deepEqual(stepKinds(planned), ['keystore-entry', 'reload-service', 'prove'])
    assert.deepEqual(planned.steps.flatMap((step) => (step.kind === 'reload-service' ? [step.runAs, step.argv.at(-1)] : [])), [account, '--commands=/subsystem=elytron/key-store=shop:load,/subsystem=elytron/key-manager=shop:init'])
    const [configuration, beside] = [await readFile(first.configPath, 'utf8'), await readFile(join(first.base, 'configuration', 'main.p12'))]
    assertDeployed(await deploy(fields, shopNext, planned))
    assert.equal(await ask(), true, 'the connection of before goes on')
    assert.deepEqual((await firstNow()).slots.map((slot) => servedAt(first.ports, slot)), [{ '127.0.0.1:0 -': main.fingerprint }, { '127.0.0.1:0 shop.test': shopNext.fingerprint }])
    const facts = await stat(join(first.base, 'configuration', 'shop.jks'))
    assert.deepEqual([facts.uid, facts.mode & 0o777], [account.uid, 0o600])
    assert.equal(await readFile(first.configPath, 'utf8'), configuration)
    assert.ok(beside.equals(await readFile(join(first.base, 'configuration', 'main.p12'))))
    await assert.rejects(plan({ ...fields, alias: 'beside' }, shopNext), { code: 'PLAN_FAILED', message: /alias filter/ })
  })

  await t.test('HTTP management and PKCS#12', async () => {
    const { fields } = slotOf(await firstNow(), 'main')
    assert.deepEqual(stepKinds(await plan({ ...fields, ...overHttp }, mainNext)), ['http-request', 'keystore-entry', 'http-request', 'prove'])
    assertDeployed(await deploy({ ...fields, ...overHttp }, mainNext))
    assert.deepEqual(servedAt(first.ports, slotOf(await firstNow(), 'main')), { '127.0.0.1:0 -': mainNext.fingerprint })
  })

  await t.test('RSA beside ECDSA in one store, keys with a password of their own', async () => {
    assertDeployed(await deploy({ ...slotOf(await secondNow(), 'rsa').fields, ...overHttp }, rsaNext))
    assertDeployed(await deploy({ ...slotOf(await secondNow(), 'ec').fields, ...overHttp }, ecNext))
    const { slots } = await secondNow()
    assert.deepEqual(slots.map((slot) => servedAt(second.ports, slot)), [{ '127.0.0.1:0 - ec': ecNext.fingerprint }, { '127.0.0.1:0 - rsa': rsaNext.fingerprint }, { '127.0.0.1:1 -': only.fingerprint }])
    await assert.rejects(plan({ ...slotOf(await secondNow(), 'ec').fields, ...overHttp }, rsa), { code: 'PLAN_FAILED', message: /same kind of key/ })
  })

  await t.test('a key that the server can not serve is rolled back', async () => {
    const { fields } = slotOf(await secondNow(), 'only')
    const store = join(second.base, 'configuration', 'only.jks')
    const before = await readFile(store)
    const result = await deploy({ ...fields, ...overHttp, proofSeconds: 1 }, rsa)
    assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'PROOF_NO_ANSWER'], JSON.stringify(result.log))
    assert.ok(before.equals(await readFile(store)))
    assert.deepEqual(servedAt(second.ports, slotOf(await secondNow(), 'only')), { '127.0.0.1:1 -': only.fingerprint })
  })
})
