import assert from 'node:assert/strict'
import type { CsrTemplateRules } from '@certloop/contract'
import { createCsr, generateKey, type CsrRequest } from '@certloop/pki'
import { insertTemplate } from '../csr-template/csr-template-store.ts'
import { openRules } from '../csr-template/template-testing.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { makeWorld } from '../world-testing.ts'

const rules: CsrTemplateRules = {
  ...openRules, keyAlgorithm: 'ec-256', subject: { organization: 'Example' }, names: { required: 0, most: 2, allowed: ['example.com'], wildcards: false, addresses: false, commonName: 'allowed' },
  keyUsages: ['digitalSignature'], extendedKeyUsages: ['serverAuth'], keyReuse: 'never', longestValidityDays: 30,
}
const name = 'x.example.com'
const fitting = { commonName: null, names: [name], subject: [{ type: 'O', value: 'Example' }] } satisfies Partial<CsrRequest>

testOnDatabases('an uploaded request keeps to the rules of the template, its longest validity, and the names of the certificate', async (t, database) => {
  const w = await makeWorld(t, database)
  const { id: templateId } = await database.transaction((tx) => insertTemplate(tx, { name: 'web', description: '', rules }, 'user:test', w.now()))
  const id = await w.configured(name, [await w.addBot('a')], { csr: { mode: 'full', templateId, commonName: null, names: [name], keyAlgorithm: 'ec-256', keyReuse: false, validityDays: null } })
  const privateKeyPem = await generateKey('ec-256')
  const upload = async (changes: Partial<CsrRequest>, mayBringNames = true) => w.act(id, 'order', { mayBringNames, csrPem: await createCsr({ privateKeyPem, ...fitting, ...changes }) })
  const refused = (code: string, said: RegExp) => (error: { code?: string; message?: string }) => { assert.equal(error.code, code); assert.match(error.message ?? '', said); return true }

  await assert.rejects(upload({ names: [name, 'y.example.com'] }, false), refused('PERMISSION_DENIED', /asks for y\.example\.com; this certificate is for x\.example\.com/))
  await assert.rejects(upload({ commonName: 'y.example.com' }, false), refused('PERMISSION_DENIED', /y\.example\.com/))
  await assert.rejects(upload({ names: ['*.bank.test'], privateKeyPem: await generateKey('rsa-2048') }), refused('TEMPLATE_VIOLATED', /csr\/keyAlgorithm: .*csr\/names: .*wildcard/))
  await assert.rejects(upload({ subject: [] }), refused('TEMPLATE_VIOLATED', /csr\/subject\/organization: .*the CSR lacks it/))
  await assert.rejects(upload({ subject: [{ type: 'O', value: 'Other' }] }), refused('TEMPLATE_VIOLATED', /csr\/subject\/organization: .*fixed as "Example"/))
  await assert.rejects(upload({ keyUsage: ['keyAgreement'], extendedKeyUsage: ['serverAuth', 'clientAuth'], mustStaple: true }), refused('TEMPLATE_VIOLATED', /csr\/keyUsages: .*keyAgreement.*csr\/extendedKeyUsages: .*clientAuth.*csr\/mustStaple/))
  assert.deepEqual((await w.detail(id)).versions, [])

  const ordered = await upload({}, false)
  assert.equal(ordered.state, 'done', ordered.reason ?? '')
  const [version] = (await w.detail(id)).versions
  assert.ok(version)
  assert.ok(Date.parse(version.notAfter) - Date.parse(version.notBefore) <= 31 * 86_400_000, `${version.notBefore} ${version.notAfter}`)
  await assert.rejects(upload({}), refused('TEMPLATE_VIOLATED', /csr\/keyReuse/), 'the same key a second time')
  assert.equal((await upload({ names: [name, 'y.example.com'], privateKeyPem: await generateKey('ec-256') })).state, 'done', 'who may change the configuration may bring names')
})

testOnDatabases('an uploaded request is issued by the profile that is configured', async (t, database) => {
  const w = await makeWorld(t, database)
  const id = await w.configured(name, [await w.addBot('a')], { csr: { commonName: null, names: [], keyAlgorithm: 'ec-256', keyReuse: false, validityDays: 20, profile: 'server' } })
  await w.act(id, 'order', { csrPem: await createCsr({ privateKeyPem: await generateKey('ec-256'), commonName: null, names: [name] }) })
  const order = await database.db.selectFrom('certificateOrder').select('request').executeTakeFirstOrThrow()
  assert.equal((JSON.parse(order.request) as { profile?: string }).profile, 'server')
})
