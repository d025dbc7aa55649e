import assert from 'node:assert/strict'
import { test } from 'node:test'
import { certIdOf, certificateParts } from '@certloop/pki'
import type { KyselyPlugin } from 'kysely'
import { emptyDatabase } from '../database/database-testing.ts'
import { caWorld } from './ca-testing.ts'
import { issuerInSlot } from './issue.ts'
import { createIssuerLookup } from './ocsp-issuers.ts'

test('requests that come while issuers are read wait for them; a database that is away makes no issuer a stranger', async (t) => {
  const database = await emptyDatabase(t)
  const { ca } = await caWorld(t, database)
  const { id, certificate } = issuerInSlot(await ca.issuers(), 'intermediate')
  const { subject, spki } = certificateParts(certificate?.certificatePem ?? '')
  const certId = certIdOf({ subject: subject.raw, spki: spki.raw }, '01')

  const fresh = createIssuerLookup(database)
  assert.deepEqual(await Promise.all([fresh(certId), fresh(certId), fresh(certId)]), [id, id, id])

  let isAway = true
  const away: KyselyPlugin = {
    transformQuery({ node }) {
      if (isAway) throw new Error('away')
      return node
    },
    transformResult: async ({ result }) => result,
  }
  const later = createIssuerLookup({ ...database, db: database.db.withPlugin(away) })
  await assert.rejects(later(certId), /away/)
  await assert.rejects(later(certId), /away/)
  isAway = false
  assert.equal(await later(certId), id)
})
