import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { leftOut, requireTool } from './tools.ts'
import { selfSignedPair, writePair } from './self-signed.ts'
import { startWeblogic, weblogicUsers } from './weblogic.ts'

/** A PKCS#12 store made by OpenSSL: nothing of the product is used here. */
async function storeIn(folder: string, password: string): Promise<string> {
  const { certPath, keyPath } = await writePair(folder, 'one', await selfSignedPair(['one.test']))
  const store = join(folder, 'identity.p12')
  execFileSync(requireTool('openssl'), ['pkcs12', '-export', '-in', certPath, '-inkey', keyPath, '-name', 'www', '-out', store, '-passout', 'env:P'], { env: { ...process.env, P: password } })
  return store
}

test('the simulated management of WebLogic answers as the descriptions of the real one say', { skip: leftOut('openssl') }, async (t) => {
  const weblogic = await startWeblogic(t, { portCount: 2, config: async ({ domain, ports, encrypt }) => `
    <server><name>AdminServer</name><ssl><name>AdminServer</name><enabled>true</enabled><listen-port>${ports[1]}</listen-port><server-private-key-alias>www</server-private-key-alias>
      <server-private-key-pass-phrase-encrypted>${encrypt('a store')}</server-private-key-pass-phrase-encrypted></ssl><listen-port>${ports[0]}</listen-port><listen-address>127.0.0.1</listen-address>
      <key-stores>CustomIdentityAndCustomTrust</key-stores><custom-identity-key-store-file-name>${await storeIn(domain, 'a store')}</custom-identity-key-store-file-name>
      <custom-identity-key-store-pass-phrase-encrypted>${encrypt('a store')}</custom-identity-key-store-pass-phrase-encrypted></server><admin-server-name>AdminServer</admin-server-name>` })
  type Who = { user: string; password: string } | null
  const ask = async (method: string, path: string, { who = weblogicUsers.admin, by = 'test', body = '{}', version = 'latest' }: { who?: Who; by?: string; body?: string; version?: string } = {}) => {
    const headers = { ...(who === null ? {} : { authorization: `Basic ${Buffer.from(`${who.user}:${who.password}`).toString('base64')}` }), ...(by === '' ? {} : { 'x-requested-by': by }), ...(method === 'GET' ? {} : { 'content-type': 'application/json' }) }
    const answer = await fetch(`http://127.0.0.1:${weblogic.ports[0]}/management/weblogic/${version}/${path}`, { method, headers, ...(method === 'GET' ? {} : { body }) })
    const text = await answer.text()
    return [answer.status, answer.headers.get('content-type') === 'application/json' ? JSON.parse(text) as unknown : text]
  }
  const statusOf = async (...asked: Parameters<typeof ask>) => (await ask(...asked))[0]

  await t.test('who may do what, and which header is needed', async () => {
    assert.equal(await statusOf('GET', 'serverRuntime', { who: null }), 401)
    assert.equal(await statusOf('GET', 'serverRuntime', { who: { ...weblogicUsers.admin, password: 'other' } }), 401)
    const [status, text] = await ask('POST', 'serverRuntime/restartSSLChannels', { by: '' })
    assert.deepEqual([status, typeof text], [400, 'string'])
    assert.deepEqual([await statusOf('GET', 'serverRuntime', { by: '' }), await statusOf('GET', 'domainRuntime/serverRuntimes/AdminServer', { by: '' })], [200, 400])
    assert.equal(await statusOf('POST', 'serverRuntime/restartSSLChannels', { who: weblogicUsers.monitor }), 403)
    assert.deepEqual(await ask('POST', 'serverRuntime/restartSSLChannels'), [200, {}])
    assert.deepEqual(await ask('POST', 'domainRuntime/serverRuntimes/AdminServer/restartSSLChannels'), [200, {}])
    assert.deepEqual([await statusOf('POST', 'domainRuntime/serverRuntimes/none/restartSSLChannels'), await statusOf('GET', 'serverRuntime', { version: '1.0' }), await statusOf('GET', 'serverRuntime', { version: '14.1.1.0.0' })], [404, 404, 200])
  })

  await t.test('beans with fields and links', async () => {
    assert.deepEqual(await ask('GET', 'domainRuntime/serverRuntimes/AdminServer?fields=name,state&links=none'), [200, { name: 'AdminServer', state: 'RUNNING' }])
    assert.deepEqual(await ask('GET', 'domainRuntime/serverLifeCycleRuntimes/AdminServer?fields=state&links=none'), [200, { state: 'RUNNING' }])
    assert.deepEqual(await ask('GET', 'domainConfig/servers/AdminServer/SSL?fields=enabled,serverPrivateKeyAlias&links=none'), [200, { enabled: true, serverPrivateKeyAlias: 'www' }])
    const [, bean] = await ask('GET', 'domainConfig/servers?fields=name,identity')
    assert.deepEqual(bean, { items: [{ identity: ['servers', 'AdminServer'], name: 'AdminServer', links: [{ rel: 'self', href: '/management/weblogic/latest/domainConfig/servers' }] }] })
  })

  await t.test('the edit session: locked for others, the same for its owner again, given up, activated', async () => {
    const detailOf = ([, body]: unknown[]) => (body as Record<string, { detail: string }[]>)['wls:errorsDetails']?.[0]?.detail ?? ''
    assert.deepEqual(await ask('GET', 'edit/changeManager'), [200, { locked: false, mergeNeeded: false, editSession: 'default' }])
    assert.match(detailOf(await ask('POST', 'edit/changeManager/activate')), /Not edit lock owner$/)
    assert.deepEqual([await ask('POST', 'edit/changeManager/startEdit'), await ask('POST', 'edit/changeManager/startEdit')], [[200, {}], [200, {}]])
    assert.deepEqual(await ask('POST', 'edit/servers/AdminServer/SSL', { body: '{"serverPrivateKeyAlias":"none"}' }), [200, {}])
    assert.deepEqual(await ask('GET', 'edit/changeManager'), [200, { locked: true, mergeNeeded: false, editSession: 'default', lockOwner: 'weblogic', hasChanges: true }])
    assert.deepEqual(await ask('POST', 'edit/changeManager/cancelEdit'), [200, {}])
    const file = () => readFile(weblogic.configPath, 'utf8')
    assert.doesNotMatch(await file(), /none/)
    assert.deepEqual(await ask('POST', 'edit/servers/AdminServer', { body: '{"customIdentityKeyStoreType":"PKCS12"}' }), [200, {}])
    assert.match(await file(), /<custom-identity-key-store-type>PKCS12</)
    assert.equal(await statusOf('POST', 'edit/servers/AdminServer', { body: '{"nobodyKnows":1}' }), 400)
  })
})
