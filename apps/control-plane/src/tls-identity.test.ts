import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCertificates } from '@certloop/pki'
import { emptyDatabase } from './database/database-testing.ts'
import { caWorld } from './local-ca/ca-testing.ts'
import { findIssued } from './local-ca/issued-store.ts'
import { createOwnTls } from './tls-identity.ts'

test('the control plane keeps a chain to the root that bots pin, whatever intermediate is in use', async (t) => {
  const { ca, clock } = await caWorld(t, await emptyDatabase(t))
  const bySlot = async (slot: 'root' | 'intermediate') => (await ca.issuers()).find((issuer) => issuer.slot === slot)
  const root = await bySlot('root')
  assert.ok(root)
  const subjects = async () => {
    const { certPem } = await createOwnTls({ localCa: ca, names: ['localhost', '127.0.0.1'], now: () => clock.now }).identity()
    return readCertificates(certPem).map(({ issuer }) => issuer)
  }
  const usual = (await bySlot('intermediate'))?.subject
  assert.deepEqual(await subjects(), [usual, root.subject, root.subject], 'the intermediate in use signs it')

  const limited = await ca.issuerService.create({ name: 'Branch CA', commonName: 'Branch CA', keyAlgorithm: 'ec-256', signedBy: root.id, validityDays: 100, settings: { pathLength: 0, nameConstraints: { permitted: [{ type: 'dns', value: 'branch.example' }], excluded: [] } } })
  await ca.issuerService.takeSlot(limited.id)
  assert.deepEqual(await subjects(), [root.subject, root.subject], 'one limited to other names can not')

  const another = await ca.issuerService.create({ name: 'Other Root', commonName: 'Other Root', keyAlgorithm: 'ec-256', signedBy: 'self', validityDays: 1000 })
  const below = await ca.issuerService.create({ name: 'Other CA', commonName: 'Other CA', keyAlgorithm: 'ec-256', signedBy: another.id, validityDays: 100, settings: { pathLength: 0 } })
  await ca.issuerService.takeSlot(below.id)
  assert.deepEqual(await subjects(), [root.subject, root.subject], 'no bot would trust another root')
})

test('it starts whatever became of the intermediate in use', async (t) => {
  const database = await emptyDatabase(t)
  const { ca, clock } = await caWorld(t, database)
  const inUse = (await ca.issuers()).find(({ slot }) => slot === 'intermediate')
  const row = await findIssued(database.db, `issuer:${inUse?.id}`)
  assert.ok(inUse?.certificate && row)
  const own = () => createOwnTls({ localCa: ca, names: ['localhost'], now: () => clock.now }).identity()
  const begin = clock.now
  clock.now = new Date(inUse.certificate.notAfter.getTime() - 3_600_000)
  await own()
  clock.now = begin
  await ca.revocation.revoke(row.id, { reason: 'cACompromise' })
  const { certPem } = await own()
  assert.equal(readCertificates(certPem).length, 2)
})
