import assert from 'node:assert/strict'
import { rename } from 'node:fs/promises'
import { test } from 'node:test'
import { findInCrl, readCrl } from '@certloop/pki'
import { createSoftHsm, eventually, leftOut } from '@certloop/test-kit'
import { emptyDatabase } from '../database/database-testing.ts'
import { caWorld, serverRequest } from './ca-testing.ts'
import { findIssued } from './issued-store.ts'
import { opensslFolder } from './openssl-ca-testing.ts'
import { tokenKeysOf } from './token-keys.ts'

const pin = '1234-token'
const skip = leftOut('libsofthsm2.so') || leftOut('softhsm2-util')

test('a root and an intermediate with keys in a token: they sign certificates, lists and answers; a token that is away halves nothing', { skip, timeout: 180_000 }, async (t) => {
  const hsm = await createSoftHsm(t, { label: 'ca', pin })
  process.env['SOFTHSM2_CONF'] = hsm.configPath
  t.after(() => { delete process.env['SOFTHSM2_CONF'] })
  const tokenKeys = tokenKeysOf({ pkcs11Module: hsm.modulePath, pkcs11Token: 'ca', pkcs11Pin: pin })
  assert.ok(tokenKeys)
  t.after(() => tokenKeys.close())
  const database = await emptyDatabase(t)
  const { ca, origin } = await caWorld(t, database, { now: () => new Date(), tokenKeys })
  const openssl = opensslFolder(t)
  const key = (label: string) => ({ source: 'pkcs11' as const, label })
  const root = await ca.issuerService.create({ name: 'Token root', commonName: 'Token root', keyAlgorithm: 'rsa-2048', key: key('root'), signedBy: 'self', validityDays: 3000, settings: { hash: 'sha384' } })
  const below = await ca.issuerService.create({ name: 'Token CA', commonName: 'Token CA', keyAlgorithm: 'ec-256', key: key('below'), signedBy: root.id, validityDays: 1000, settings: { pathLength: 0 } })
  assert.deepEqual([root.keySource, below.keySource], ['pkcs11', 'pkcs11'])
  assert.deepEqual((await database.db.selectFrom('ca_issuer').select('sealedKey').where('keySource', '=', 'pkcs11').execute()).map(({ sealedKey }) => sealedKey), [null, null])

  const request = await serverRequest('a', { issuerId: below.id })
  const issued = await ca.issue(request)
  openssl.verifyIssued(issued)
  const listOf = async (id: typeof root.id) => {
    await ca.crls.publish(id)
    return Buffer.from(await (await fetch(`${origin}/crl/${id}.crl`)).arrayBuffer())
  }
  openssl.verifyIssued(issued, { crls: [await listOf(root.id), await listOf(below.id)], more: ['-crl_check_all'] })
  const [leaf, issuer, top] = [openssl.file(issued.chainPem[0] ?? '', 'leaf'), openssl.file(issued.chainPem[1] ?? ''), openssl.file(issued.rootPem)]
  const status = async () => (await openssl.runBeside('ocsp', '-issuer', issuer, '-cert', leaf, '-CAfile', top, '-verify_other', issuer, '-url', `${origin}/ocsp/${below.id}`)).stdout
  assert.match(await status(), /leaf: good/)

  const away = `${hsm.tokenFolder}-away`
  await rename(hsm.tokenFolder, away)
  const before = { issuers: (await ca.issuers()).length, ours: (await database.db.selectFrom('ca_certificate').select('id').where('status', '=', 'good').execute()).length }
  // What the module still has open goes on for a moment; then it says what is wrong.
  await eventually(async () => ca.issue(await serverRequest(`probe ${Math.random()}`, { issuerId: below.id })).then(() => false, (error: { code?: string }) => error.code?.startsWith('PKCS11_')), { what: 'the token to be missed', timeoutMs: 30_000 })
  const late = await serverRequest('late', { issuerId: below.id })
  await assert.rejects(ca.issue(late), { code: 'PKCS11_UNAVAILABLE' })
  await assert.rejects(ca.issuerService.create({ name: 'Nowhere', commonName: 'Nowhere', keyAlgorithm: 'ec-256', key: key('nowhere'), signedBy: root.id, validityDays: 100, settings: { pathLength: 0 } }), { code: 'PKCS11_UNAVAILABLE' })
  await assert.rejects(ca.issuerService.create({ name: 'Half', commonName: 'Half', keyAlgorithm: 'ec-256', signedBy: root.id, validityDays: 100, settings: { pathLength: 0 } }), { code: 'PKCS11_UNAVAILABLE' })
  await assert.rejects(ca.issuerService.rollOver(below.id, {}), { code: 'PKCS11_UNAVAILABLE' })
  await assert.rejects(ca.crls.publish(below.id), { code: 'PKCS11_UNAVAILABLE' })
  assert.deepEqual((await ca.issuers()).map(({ status: now }) => now).filter((now) => now !== 'active'), [])
  assert.equal((await ca.issuers()).length, before.issuers)
  assert.equal((await findIssued(database.db, 'late'))?.certificatePem ?? null, null)
  // Revoking needs no key, and the answers are signed by a responder of their own.
  const row = await findIssued(database.db, 'a')
  assert.ok(row)
  await ca.revocation.revoke(row.id, { reason: 'keyCompromise' })
  assert.match(await status(), /leaf: revoked/)
  assert.equal(await ca.findByReference('late'), undefined)
  await ca.ensureHierarchy()

  await rename(away, hsm.tokenFolder)
  const after = await eventually(() => ca.issue(late).catch((error: { code?: string }) => { if (error.code?.startsWith('PKCS11_')) return undefined; throw error }), { what: 'the token to be back', timeoutMs: 30_000 })
  openssl.verifyIssued(after)
  assert.equal(findInCrl(readCrl(await listOf(below.id)), row.serialNumber)?.reason, 'keyCompromise')
  const fresh = await ca.issuerService.rollOver(below.id, {})
  assert.equal(fresh.keySource, 'pkcs11', 'a key does not leave the token by being replaced')
  openssl.verifyIssued(await ca.issue(await serverRequest('fresh', { issuerId: fresh.id })))

  // With another PIN the keys are not to be had, and with no module neither.
  const keyless = (await caWorld(t, database, { now: () => new Date() })).ca
  await assert.rejects(async () => keyless.issue(await serverRequest('x', { issuerId: fresh.id })), { code: 'PKCS11_UNAVAILABLE' })
  assert.ok(before.ours > 0)
})

test('settings of a token that are only there in part are refused', () => {
  assert.equal(tokenKeysOf({ pkcs11Module: null, pkcs11Token: null, pkcs11Pin: null }), undefined)
  for (const [pkcs11Token, pkcs11Pin] of [[null, '1'], ['x', null]] as const) assert.throws(() => tokenKeysOf({ pkcs11Module: '/x.so', pkcs11Token, pkcs11Pin }), { code: 'SETTINGS_INVALID' })
})

test('a wrong PIN is given to the token once, however often its keys are asked for: it would lock itself', { skip, timeout: 60_000 }, async (t) => {
  const hsm = await createSoftHsm(t, { label: 'ca', pin })
  process.env['SOFTHSM2_CONF'] = hsm.configPath
  t.after(() => { delete process.env['SOFTHSM2_CONF'] })
  const tokenKeys = tokenKeysOf({ pkcs11Module: hsm.modulePath, pkcs11Token: 'ca', pkcs11Pin: 'not it' })
  assert.ok(tokenKeys)
  t.after(() => tokenKeys.close())
  const ask = () => tokenKeys.signer({ label: 'any', id: '00' }, null).then(() => undefined, (error: { code?: string }) => error)
  const first = await ask()
  assert.equal(first?.code, 'PKCS11_PIN_WRONG')
  assert.equal(await ask(), first, 'the same answer, not another try')
})
