import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { IssuerId } from '@certloop/contract'
import { findInCrl, readCertificate, readCrl } from '@certloop/pki'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { caWorld, serverRequest, type CaWorld } from './ca-testing.ts'
import { findIssued, type IssuedRow } from './issued-store.ts'
import { issuerInSlot } from './issue.ts'
import type { Issuer } from './issuer.ts'
import type { LocalIssued } from './local-ca.ts'
import { opensslFolder } from './openssl-ca-testing.ts'

// Against openssl's clock.
const present = (t: TestContext, database: Database) => caWorld(t, database, { now: () => new Date() })
const pemOf = ({ certificate }: Issuer): string => certificate?.certificatePem ?? ''
const leafOf = ({ chainPem: [pem = ''] }: LocalIssued) => readCertificate(pem)
const inUse = async ({ ca }: CaWorld) => issuerInSlot(await ca.issuers(), 'intermediate')
const issuerOfLeaf = ({ chainPem: [, pem = ''] }: LocalIssued) => readCertificate(pem).subject

async function rowOf(database: Database, reference: string): Promise<IssuedRow> {
  const row = await findIssued(database.db, reference)
  assert.ok(row)
  return row
}
async function listOf({ ca, origin }: CaWorld, id: IssuerId): Promise<Buffer> {
  await ca.crls.publish(id)
  const response = await fetch(`${origin}/crl/${id}.crl`)
  assert.equal(response.status, 200)
  return Buffer.from(await response.arrayBuffer())
}
/** What openssl's OCSP client says about the leaf. */
function ocspClient(t: TestContext, { origin }: CaWorld) {
  const openssl = opensslFolder(t)
  return async (issuerId: IssuerId, { chainPem: [leaf = '', ...above], rootPem }: LocalIssued) => {
    const [issuer, certificate, root] = [openssl.file(above.join('\n')), openssl.file(leaf, 'leaf'), openssl.file(rootPem)]
    const { stdout, stderr } = await openssl.runBeside('ocsp', '-issuer', issuer, '-cert', certificate, '-CAfile', root, '-verify_other', issuer, '-url', `${origin}/ocsp/${issuerId}`)
    assert.match(stderr, /Response verify OK/)
    return stdout
  }
}

test('cross-signing: a leaf verifies against either root with the certificate that leads there', async (t) => {
  const w = await present(t, await emptyDatabase(t))
  const openssl = opensslFolder(t)
  const old = issuerInSlot(await w.ca.issuers(), 'root')
  const fresh = await w.ca.issuerService.create({ name: 'New root', commonName: 'New root', keyAlgorithm: 'ec-384', signedBy: 'self', validityDays: 3000 })
  const below = await w.ca.issuerService.create({ name: 'Below', commonName: 'Below', keyAlgorithm: 'ec-256', signedBy: fresh.id, validityDays: 1000, settings: { pathLength: 0 } })
  const issued = await w.ca.issue(await serverRequest('a', { issuerId: below.id }))
  assert.throws(() => openssl.verifyIssued(issued, { root: pemOf(old) }), /unable to get/)
  const crossed = await w.ca.issuerService.crossSign(fresh.id, old.id, 1000)
  assert.equal(crossed.certificate?.id, fresh.certificate?.id, 'its own stays the preferred one')
  const cross = crossed.certificates.find(({ signedBy }) => signedBy === old.id)
  assert.ok(cross)
  assert.deepEqual([readCertificate(cross.certificatePem).spkiDigest, readCertificate(cross.certificatePem).issuer], [readCertificate(pemOf(fresh)).spkiDigest, old.subject])
  openssl.verifyIssued(issued)
  openssl.verifyIssued(issued, { root: pemOf(old), untrusted: [pemOf(below), cross.certificatePem] })
  // Preferred, it stands in the chains, and they end at the other root.
  await w.ca.issuerService.prefer(fresh.id, cross.id)
  const second = await w.ca.issue(await serverRequest('b', { issuerId: below.id }))
  assert.deepEqual([second.chainPem.length, second.rootPem], [3, pemOf(old)])
  openssl.verifyIssued(second)
  openssl.verifyIssued(second, { root: pemOf(fresh), untrusted: [pemOf(below)] })
  const both = openssl.run('pkcs7', '-inform', 'DER', '-print_certs', '-in', openssl.file(Buffer.from(await (await fetch(`${w.origin}/ca/${fresh.id}.p7c`)).arrayBuffer())))
  assert.equal(both.match(/BEGIN CERTIFICATE/g)?.length, 2)
  await assert.rejects(w.ca.issuerService.crossSign(fresh.id, fresh.id, 10), { code: 'INPUT_INVALID' })
  await assert.rejects(w.ca.issuerService.crossSign(fresh.id, below.id, 10), { code: 'PROFILE_VIOLATION' })
})

testOnDatabases('roll-over: both chains verify, the old issuer answers for what it signed, new certificates come from the new one', async (t, database) => {
  const w = await present(t, database)
  const openssl = opensslFolder(t)
  const status = ocspClient(t, w)
  const old = await inUse(w)
  const before = await w.ca.issue(await serverRequest('before'))
  const fresh = await w.ca.issuerService.rollOver(old.id, {})
  assert.deepEqual([fresh.slot, fresh.status, fresh.keyAlgorithm, fresh.settings.pathLength], ['intermediate', 'active', old.keyAlgorithm, 0])
  const after = await w.ca.issue(await serverRequest('after'))
  assert.deepEqual([issuerOfLeaf(before), issuerOfLeaf(after)], [old.subject, fresh.subject])
  assert.notEqual(old.subject, fresh.subject)
  for (const issued of [before, after]) openssl.verifyIssued(issued)
  const retired = (await w.ca.issuers()).find(({ id }) => id === old.id)
  assert.deepEqual([retired?.status, retired?.slot, retired?.successorId], ['retired', null, fresh.id])
  await assert.rejects(async () => w.ca.issue(await serverRequest('late', { issuerId: old.id })), { code: 'ISSUER_NOT_READY' })
  // The same order again is the same certificate, though its issuer is not in use any more.
  assert.match(await status(old.id, before), /leaf: good/)
  const row = await rowOf(database, 'before')
  await w.ca.revocation.revoke(row.id, { reason: 'superseded' })
  assert.match(await status(old.id, before), /leaf: revoked[\s\S]*superseded/)
  assert.match(await status(fresh.id, after), /leaf: good/)
  assert.equal(findInCrl(readCrl(await listOf(w, old.id)), row.serialNumber)?.reason, 'superseded')
  await assert.rejects(w.ca.issuerService.rollOver(old.id, {}), { code: 'ACTION_NOT_POSSIBLE' })
  await assert.rejects(w.ca.issuerService.rollOver(issuerInSlot(await w.ca.issuers(), 'root').id, {}), { code: 'ACTION_NOT_POSSIBLE' })
  const third = await w.ca.issuerService.rollOver(fresh.id, { keyAlgorithm: 'rsa-2048', validityDays: 100 })
  assert.equal(third.keyAlgorithm, 'rsa-2048')
  openssl.verifyIssued(await w.ca.issue(await serverRequest('third')))
})

testOnDatabases('roll-over later: the old one goes on until the new one is activated; one not in use retires', async (t, database) => {
  const w = await present(t, database)
  const old = await inUse(w)
  const fresh = await w.ca.issuerService.rollOver(old.id, { later: true })
  assert.deepEqual([fresh.status, fresh.slot], ['active', null])
  assert.equal(issuerOfLeaf(await w.ca.issue(await serverRequest('a'))), old.subject)
  opensslFolder(t).verifyIssued(await w.ca.issue(await serverRequest('trial', { issuerId: fresh.id })))
  await w.ca.issuerService.takeSlot(fresh.id)
  await w.ca.issuerService.takeSlot(fresh.id)
  assert.equal(issuerOfLeaf(await w.ca.issue(await serverRequest('b'))), fresh.subject)
  await assert.rejects(w.ca.issuerService.takeSlot(old.id), { code: 'ISSUER_NOT_READY' })
  await assert.rejects(w.ca.issuerService.retire(fresh.id), { code: 'ACTION_NOT_POSSIBLE' })
  await assert.rejects(w.ca.issuerService.retire(old.id), { code: 'ACTION_NOT_POSSIBLE' })
  // A successor that was given up does not keep another from coming.
  const abandoned = await w.ca.issuerService.rollOver(fresh.id, { later: true })
  await assert.rejects(w.ca.issuerService.rollOver(fresh.id, {}), { code: 'ACTION_NOT_POSSIBLE' })
  await w.ca.issuerService.retire(abandoned.id)
  assert.equal((await w.ca.issuerService.rollOver(fresh.id, {})).slot, 'intermediate')
  await assert.rejects(w.ca.issuerService.retire((await inUse(w)).id), { code: 'ACTION_NOT_POSSIBLE' })
  const other = await w.ca.issuerService.create({ name: 'Other', commonName: 'Other', keyAlgorithm: 'ec-256', signedBy: issuerInSlot(await w.ca.issuers(), 'root').id, validityDays: 100, settings: { pathLength: 0 } })
  assert.equal((await w.ca.issuerService.retire(other.id)).status, 'retired')
  await assert.rejects(async () => w.ca.issue(await serverRequest('c', { issuerId: other.id })), { code: 'ISSUER_NOT_READY' })
  await assert.rejects(w.ca.issuerService.retire(issuerInSlot(await w.ca.issuers(), 'root').id), { code: 'ACTION_NOT_POSSIBLE' })
})

testOnDatabases('revoking an intermediate puts it on its parent\'s list, and it signs nothing more', async (t, database) => {
  const w = await present(t, database)
  const openssl = opensslFolder(t)
  const { id, subject } = await inUse(w)
  const root = issuerInSlot(await w.ca.issuers(), 'root')
  const issued = await w.ca.issue(await serverRequest('a'))
  const checked = async () => openssl.verifyIssued(issued, { crls: [await listOf(w, root.id), await listOf(w, id)], more: ['-crl_check_all'] })
  await checked()
  const row = await rowOf(database, `issuer:${id}`)
  await assert.rejects(w.ca.revocation.suspend(row.id), { code: 'ACTION_NOT_POSSIBLE' }, 'a CA is not suspended')
  await w.ca.revocation.revoke(row.id, { reason: 'cACompromise' })
  assert.equal((await inUse(w)).status, 'revoked')
  const list = readCrl(await listOf(w, root.id))
  assert.deepEqual([list.issuer, findInCrl(list, row.serialNumber)?.reason], [root.subject, 'cACompromise'])
  await assert.rejects(checked(), /certificate revoked/)
  await assert.rejects(async () => w.ca.issue(await serverRequest('b')), { code: 'ISSUER_NOT_READY' })
  // What it signed can still be looked up and revoked.
  assert.match(await ocspClient(t, w)(id, issued), /leaf: good/)
  await w.ca.revocation.revoke((await rowOf(database, 'a')).id, { reason: 'superseded' })
  assert.ok(findInCrl(readCrl(await listOf(w, id)), leafOf(issued).serialNumber))
  // A new one under the same root takes its place.
  const fresh = await w.ca.issuerService.rollOver(id, {})
  const next = await w.ca.issue(await serverRequest('b'))
  assert.deepEqual([issuerOfLeaf(next), (await w.ca.issuers()).find((one) => one.id === id)?.status], [fresh.subject, 'revoked'])
  assert.notEqual(subject, fresh.subject)
  openssl.verifyIssued(next, { crls: [await listOf(w, root.id), await listOf(w, fresh.id)], more: ['-crl_check_all'] })
})

test('an intent that was not signed before its issuer was revoked is not signed after it', async (t) => {
  const database = await emptyDatabase(t)
  const w = await present(t, database)
  const request = await serverRequest('a')
  const { id } = await inUse(w)
  await w.ca.issue(request)
  // As a crash between the intent and the signature leaves it.
  await database.db.updateTable('ca_certificate').set({ status: 'intended', certificatePem: null, fingerprint: null, tbs: 'MAA=' }).where('reference', '=', 'a').execute()
  const row = await rowOf(database, `issuer:${id}`)
  await w.ca.revocation.revoke(row.id, { reason: 'keyCompromise' })
  await assert.rejects(w.ca.issue(request), { code: 'ISSUER_NOT_READY' })
})

test('a certificate of a key that is known to be lost takes the issuer with it, preferred or not', async (t) => {
  const database = await emptyDatabase(t)
  const w = await present(t, database)
  const [root, { id }] = [issuerInSlot(await w.ca.issuers(), 'root'), await inUse(w)]
  const crossed = await w.ca.issuerService.crossSign(id, root.id, 100)
  assert.equal(crossed.certificates.length, 2)
  const row = await rowOf(database, `cross:${id}:${root.id}:1`)
  const superseded = await w.ca.revocation.revoke(row.id, { reason: 'superseded' })
  assert.equal(superseded.status, 'revoked')
  assert.equal((await inUse(w)).status, 'active', 'only that one certificate is not to be used')
  await assert.rejects(w.ca.issuerService.prefer(id, crossed.certificates[1]?.id ?? 'icc_x'), { code: 'ACTION_NOT_POSSIBLE' })
  await w.ca.revocation.revoke(row.id, { reason: 'keyCompromise' })
  assert.equal((await inUse(w)).status, 'revoked')
})
