import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { emptyDatabase } from '../database/database-testing.ts'
import { createSecrets } from '../secret/secrets.ts'
import { caMasterKey, caWorld } from './ca-testing.ts'
import { issuerInSlot } from './issue.ts'
import { createResponders } from './responder.ts'

const day = 86_400_000

test('a responder that can not be renewed is tried again once a minute, however many ask; the old one goes on', async (t) => {
  const database = await emptyDatabase(t)
  const { ca, clock } = await caWorld(t, database)
  const now = () => clock.now
  let tries = 0
  let isAway = false
  const issue: typeof ca.issue = async (options) => {
    tries++
    if (isAway) throw new CertloopError('PKCS11_UNAVAILABLE', 'away')
    return ca.issue(options)
  }
  const responders = createResponders({ database, secrets: await createSecrets({ database, masterKey: caMasterKey, now }), issue, now })
  const issuer = issuerInSlot(await ca.issuers(), 'intermediate')
  const first = await responders.of(issuer)
  isAway = true
  clock.now = new Date(clock.now.getTime() + 22 * day)
  for (let i = 0; i < 5; i++) assert.deepEqual((await responders.of(issuer)).certificate, first.certificate)
  assert.equal(tries, 2)
  clock.now = new Date(clock.now.getTime() + 61_000)
  await responders.of(issuer)
  assert.equal(tries, 3)
  clock.now = new Date(clock.now.getTime() + 10 * day)
  for (let i = 0; i < 5; i++) await assert.rejects(responders.of(issuer), { code: 'PKCS11_UNAVAILABLE' })
  assert.equal(tries, 4)
  isAway = false
  clock.now = new Date(clock.now.getTime() + 61_000)
  assert.notDeepEqual((await responders.of(issuer)).certificate, first.certificate)
  // A clock that went back does not stop it.
  isAway = true
  clock.now = new Date(clock.now.getTime() + 40 * day)
  await assert.rejects(responders.of(issuer))
  isAway = false
  clock.now = new Date(clock.now.getTime() - day)
  await responders.of(issuer)
  assert.equal(tries, 7)
})
