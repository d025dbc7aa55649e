import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { readCrl, findInCrl, revocationReasons, toPem, type RevocationReason } from '@certloop/pki'
import { tempFolder } from '@certloop/test-kit'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import { caWorld, serverRequest } from './ca-testing.ts'
import { findIssued } from './issued-store.ts'
import { givableReasons } from './revocation.ts'

const run = promisify(execFile)

testOnDatabases('openssl sees good, suspended, resumed, revoked and unknown, at once; the list follows its publication', async (t, database) => {
  const { ca, origin } = await caWorld(t, database, { now: () => new Date() })
  const folder = await tempFolder(t, 'ocsp')
  const issued = await ca.issue(await serverRequest('ord_1'))
  const [leaf = '', intermediate = ''] = issued.chainPem
  for (const [name, pem] of Object.entries({ leaf, intermediate, root: issued.rootPem })) writeFileSync(join(folder, name), pem)
  const row = await findIssued(database.db, 'ord_1')
  assert.ok(row)
  const ask = async (...which: string[]) => {
    const { stdout, stderr } = await run('openssl', ['ocsp', '-issuer', join(folder, 'intermediate'), ...which, '-CAfile', join(folder, 'root'), '-verify_other', join(folder, 'intermediate'), '-url', `${origin}/ocsp/${row.issuerId}`])
    assert.match(stderr, /Response verify OK/)
    return stdout
  }
  const leafStatus = (...more: string[]) => ask('-cert', join(folder, 'leaf'), ...more)
  assert.match(await leafStatus(), /leaf: good/)
  assert.match(await leafStatus('-no_nonce'), /leaf: good/)
  await ca.revocation.suspend(row.id)
  for (const more of [[], ['-no_nonce']]) assert.match(await leafStatus(...more), /leaf: revoked[\s\S]*Reason: certificateHold/)
  await ca.revocation.resume(row.id)
  for (const more of [[], ['-no_nonce']]) assert.match(await leafStatus(...more), /leaf: good/)
  await ca.revocation.revoke(row.id, { reason: 'keyCompromise' })
  for (const more of [[], ['-no_nonce']]) assert.match(await leafStatus(...more), /leaf: revoked[\s\S]*Reason: keyCompromise/)
  assert.match(await ask('-serial', '0x1234'), /0x1234: unknown/)

  await ca.crls.publish(row.issuerId)
  const fetched = Buffer.from(await (await fetch(`${origin}/crl/${row.issuerId}.crl`)).arrayBuffer())
  const found = findInCrl(readCrl(fetched), row.serialNumber)
  assert.equal(found?.reason, 'keyCompromise')
  writeFileSync(join(folder, 'crl'), toPem('X509 CRL', fetched))
  await run('openssl', ['crl', '-in', join(folder, 'crl'), '-CAfile', join(folder, 'intermediate'), '-noout', '-verify'])
  await assert.rejects(run('openssl', ['verify', '-crl_check', '-CRLfile', join(folder, 'crl'), '-CAfile', join(folder, 'root'), '-untrusted', join(folder, 'intermediate'), join(folder, 'leaf')]), /certificate revoked/)
})

test('every reason that can be given stands in OCSP and list; the others are refused', async (t) => {
  const database = await emptyDatabase(t)
  const { ca } = await caWorld(t, database)
  assert.deepEqual(new Set([...givableReasons, 'certificateHold', 'removeFromCRL']), new Set(Object.keys(revocationReasons)))
  for (const reason of givableReasons) {
    await ca.issue(await serverRequest(reason))
    const row = await findIssued(database.db, reason)
    assert.ok(row)
    assert.equal((await ca.revocation.revoke(row.id, { reason })).revocationReason, reason)
    await assert.rejects(ca.revocation.resume(row.id), { code: 'ACTION_NOT_POSSIBLE' })
    await assert.rejects(ca.revocation.suspend(row.id), { code: 'ACTION_NOT_POSSIBLE' })
    await assert.rejects(ca.revocation.revoke(row.id, { reason: 'superseded' }), { code: 'ACTION_NOT_POSSIBLE' })
    for (const refused of ['certificateHold', 'removeFromCRL', 'nonsense'] as RevocationReason[]) await assert.rejects(ca.revocation.revoke(row.id, { reason: refused }), { code: 'INPUT_INVALID' })
  }
})

test('a key that was in other hands is certified by nobody again; one that was replaced for other reasons is', async (t) => {
  const database = await emptyDatabase(t)
  const { ca } = await caWorld(t, database)
  for (const reason of ['keyCompromise', 'superseded'] as const) {
    const request = await serverRequest(reason)
    await ca.issue(request)
    const row = await findIssued(database.db, reason)
    assert.ok(row)
    await ca.revocation.revoke(row.id, { reason })
    const again = ca.issue({ ...request, reference: `${reason} again` })
    if (reason === 'superseded') await again
    else await assert.rejects(again, { code: 'KEY_WEAK', message: /in other hands/ })
  }
})
