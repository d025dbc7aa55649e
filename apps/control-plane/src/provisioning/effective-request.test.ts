import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { CertloopError, type CertificateId, type ConfigurationInput, type CsrTemplateRules } from '@certloop/contract'
import { createCsr, generateKey } from '@certloop/pki'
import type { Authority } from '../authority/authority.ts'
import { findCertificate } from '../certificate/certificate-store.ts'
import { insertTemplate, updateTemplate } from '../csr-template/csr-template-store.ts'
import { openRules } from '../csr-template/template-testing.ts'
import type { Database } from '../database/database.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { recordScan } from '../discovery/record-scan.ts'
import { opensslFolder } from '../local-ca/openssl-ca-testing.ts'
import { insertProfile } from '../local-ca/profile-store.ts'
import { builtInProfiles } from '../local-ca/profiles.ts'
import { listOrders } from '../order/order-store.ts'
import { submitOrderKind } from '../order/order-worker.ts'
import { makeWorld, scanOf, slotOf, type World } from '../world-testing.ts'
import { checkConfiguration } from './configuration-check.ts'
import { findConfiguration } from './configuration-store.ts'
import { effectiveRequest } from './effective-request.ts'

type Csr = Partial<ConfigurationInput['csr']>

async function setUp(t: TestContext, database: Database) {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  const openssl = opensslFolder(t)
  let made = 0
  /** A certificate found on the host, with a subject of its own. */
  async function found(name: string, { subject = [{ type: 'C', value: 'DE' }, { type: 'O', value: 'Found Ltd' }, { type: 'businessCategory', value: 'Business Entity' }], commonName = name, names = [name, `www.${name}`], key = 'ec-384' as const } = {}): Promise<CertificateId> {
    const csrPem = await createCsr({ privateKeyPem: await generateKey(key), commonName, names, subject })
    const { chainPem } = await w.localCa.issue({ reference: `found ${made++}`, csrPem, names, commonName, subject, validityDays: 80, profile: 'server' })
    await database.transaction((tx, wake) => recordScan(tx, wake, bot.id, scanOf([slotOf(name, chainPem.join('\n'), w.now())], w.now()), w.now()))
    const row = await database.db.selectFrom('certificate').select('id').where('name', '=', name).executeTakeFirstOrThrow()
    return row.id
  }
  const configuration = async (name: string, csr: Csr, changes: Partial<ConfigurationInput> = {}) => {
    const plain = await w.configurationWith([w.target(bot, name)], changes)
    return { ...plain, csr: { ...plain.csr, ...csr } }
  }
  const save = async (id: CertificateId, name: string, csr: Csr, changes: Partial<ConfigurationInput> = {}) => w.save(id, await configuration(name, csr, changes))
  const asked = async (id: CertificateId) => {
    const [certificate, row] = [await findCertificate(database.db, id), await findConfiguration(database.db, id)]
    assert.ok(certificate && row)
    return effectiveRequest(database.db, certificate, row)
  }
  /** What openssl reads in the newest certificate. */
  const read = async (id: CertificateId): Promise<string> => openssl.run('x509', '-noout', '-text', '-nameopt', 'RFC2253', '-in', openssl.file((await w.detail(id)).versions[0]?.chainPem[0] ?? ''))
  const template = (rules: Partial<CsrTemplateRules>, name = 'house style') => database.transaction((tx) => insertTemplate(tx, { name, description: '', rules: { ...openRules, ...rules } }, 'user:test', w.now()))
  return { w, bot, found, configuration, save, asked, read, template }
}
const code = (expected: string, message = /./) => (error: unknown) => error instanceof CertloopError && error.code === expected && message.test(error.message)
const orders = async (w: World, id: CertificateId) => (await listOrders(w.database.db, { certificateId: id, limit: 20 })).items

testOnDatabases('existing: identity and key kind of the certificate in care, whatever else is said; names given take the place of the present ones', async (t, database) => {
  const { w, found, save, asked, read } = await setUp(t, database)
  const id = await found('shop.example')
  await save(id, 'shop.example', { mode: 'existing', keyAlgorithm: 'rsa-4096', commonName: 'shop.example', subject: { organization: 'Ignored' }, signatureAlgorithm: 'sha512' })
  const { names, commonName, keyAlgorithm, request } = await asked(id)
  assert.deepEqual([names, commonName, keyAlgorithm, request], [['shop.example', 'www.shop.example'], 'shop.example', 'ec-384', { subject: { country: 'DE', organization: 'Found Ltd' } }])
  const action = await w.act(id, 'rotate')
  assert.equal(action.state, 'done', action.reason ?? '')
  const text = await read(id)
  assert.match(text, /Subject: CN=shop\.example,O=Found Ltd,C=DE\n/)
  assert.match(text, /ASN1 OID: secp384r1/)
  assert.match(text, /DNS:shop\.example, DNS:www\.shop\.example\n/)
  const [order] = await orders(w, id)
  assert.deepEqual(order?.request, { subject: { country: 'DE', organization: 'Found Ltd' }, certificateType: 'existing', profile: null, template: null })
  // Once something was ordered, that is what is in care: a scan claims nothing any more.
  await save(id, 'shop.example', { mode: 'existing', names: ['shop.example', 'new.shop.example'] })
  assert.deepEqual((await asked(id)).names, ['shop.example', 'new.shop.example'])
})

testOnDatabases('partial: as it is, except for what is given; what can not be kept is left out, and said', async (t, database) => {
  const { w, found, configuration, save, asked } = await setUp(t, database)
  const id = await found('old.example', { commonName: 'old.example', names: ['old.example', 'a.old.example'] })
  await save(id, 'old.example', { mode: 'partial', keyAlgorithm: 'ec-256', subject: { organization: 'New Ltd' } })
  const { commonName, keyAlgorithm, request } = await asked(id)
  assert.deepEqual([commonName, keyAlgorithm, request.subject], ['old.example', 'ec-256', { country: 'DE', organization: 'New Ltd' }])
  const input = await configuration('old.example', { names: ['a.old.example'] })
  const check = await database.transaction((tx) => checkConfiguration(tx, w.deps, id, input))
  assert.deepEqual([check.problems, check.warnings.map(({ field }) => field)], [[], ['csr/commonName', 'csr/subject']])
  assert.match(check.warnings[1]?.problem ?? '', /businessCategory=Business Entity/)
})

testOnDatabases('full: from a template, by its newest version unless one is named; what it asks for is in the certificate', async (t, database) => {
  const { w, found, save, asked, read, template } = await setUp(t, database)
  await database.transaction((tx) => insertProfile(tx, 'house', { ...builtInProfiles['server-and-client'], keyUsage: ['digitalSignature', 'keyEncipherment', 'keyAgreement'] }, w.now()))
  const rules = { keyAlgorithm: 'ec-256', subject: { organization: 'House' }, requiredSubject: ['locality'], keyUsages: ['digitalSignature', 'keyEncipherment'], extendedKeyUsages: ['serverAuth', '1.3.6.1.5.5.7.3.2'], mustStaple: true, longestValidityDays: 30 } as const
  const { id: templateId } = await template({ ...rules, requiredSubject: [...rules.requiredSubject], keyUsages: [...rules.keyUsages], extendedKeyUsages: [...rules.extendedKeyUsages] })
  const id = await found('full.example')
  const csr: Csr = { mode: 'full', templateId, names: ['full.example'], commonName: 'full.example', subject: { locality: 'Hamburg' }, signatureAlgorithm: 'sha384', validityDays: null, profile: 'house' }
  await assert.rejects(save(id, 'full.example', { ...csr, profile: null }), code('INPUT_INVALID', /csr\/templateId: the profile "server".*extendedKeyUsage: clientAuth/))
  await assert.rejects(save(id, 'full.example', { ...csr, profile: 'bot-identity' }), code('INPUT_INVALID', /csr\/profile: .*only the control plane itself/))
  await assert.rejects(save(id, 'full.example', { ...csr, subject: {} }), code('INPUT_INVALID', /csr\/subject\/locality/))
  await save(id, 'full.example', csr)
  assert.deepEqual([(await asked(id)).validityDays, (await asked(id)).templateVersion], [30, 1], 'the template bounds what nobody said')
  const action = await w.act(id, 'rotate')
  assert.equal(action.state, 'done', action.reason ?? '')
  const text = await read(id)
  assert.match(text, /Subject: CN=full\.example,O=House,L=Hamburg\n/)
  assert.match(text, /X509v3 Key Usage: critical\s+Digital Signature\n/, 'an EC key encrypts nothing, and no more is there than was asked for')
  assert.match(text, /TLS Web Server Authentication, TLS Web Client Authentication\n/)
  assert.match(text, /TLS Feature:\s+status_request/)
  const [order] = await orders(w, id)
  assert.deepEqual([order?.request.template, order?.request.profile, order?.validityDays], [{ id: templateId, version: 1 }, 'house', 30])

  await database.transaction((tx) => updateTemplate(tx, templateId, { version: 1, name: 'house style', description: '', rules: { ...openRules, mustStaple: false, subject: { organization: 'Second' } } }, 'user:test', w.now()))
  assert.deepEqual([(await asked(id)).templateVersion, (await asked(id)).request.subject], [2, { locality: 'Hamburg', organization: 'Second' }])
  await save(id, 'full.example', { ...csr, templateVersion: 1 })
  assert.equal((await asked(id)).request.mustStaple, true)
  await assert.rejects(save(id, 'full.example', { ...csr, templateVersion: 9 }), code('INPUT_INVALID', /csr\/templateVersion: there is no version 9/))
})

testOnDatabases('a configuration that no longer follows its template orders nothing, and says which rule', async (t, database) => {
  const { w, found, save, template } = await setUp(t, database)
  const { id: templateId } = await template({ keyAlgorithm: 'ec-256' })
  const id = await found('left.example')
  await save(id, 'left.example', { mode: 'full', templateId, names: ['left.example'] })
  await database.transaction((tx) => updateTemplate(tx, templateId, { version: 1, name: 'house style', description: '', rules: { ...openRules, keyAlgorithm: 'rsa-3072' } }, 'user:test', w.now()))
  const before = await orders(w, id)
  await assert.rejects(w.start(id, 'rotate'), code('TEMPLATE_VIOLATED', /version 2.*csr\/keyAlgorithm: the template allows rsa-3072/))
  assert.deepEqual([await orders(w, id), (await w.detail(id)).lastAction], [before, null])
})

testOnDatabases('what the authority does not allow fails the order with profile and field, not unseen', async (t, database) => {
  const { w, found, save } = await setUp(t, database)
  await database.transaction((tx) => insertProfile(tx, 'bare', { ...builtInProfiles.server, subjectAttributes: [] }, w.now()))
  const id = await found('bare.example')
  await assert.rejects(save(id, 'bare.example', { profile: 'bare', subject: { organization: 'X' } }), code('INPUT_INVALID', /csr\/subject\/organization: the profile "bare".*O is not allowed/))
  await save(id, 'bare.example', { profile: 'bare' })
  const action = await w.act(id, 'order')
  assert.equal(action.state, 'done', 'what is found has a subject, but this profile takes none: it is not asked for')
  // The rules of a profile can change between saving and ordering.
  await save(id, 'bare.example', { subject: { organization: 'X' } })
  const row = await findConfiguration(database.db, id)
  await database.db.updateTable('configuration').set({ csr: (row?.csr ?? '').replace('"profile":null', '"profile":"bare"') }).where('certificateId', '=', id).execute()
  const refused = await w.act(id, 'order')
  assert.equal(refused.state, 'failed')
  assert.match(refused.error ?? '', /AUTHORITY_REJECTED/)
  assert.match(refused.error ?? '', /bare.*O is not allowed/)
})

testOnDatabases('a CSR or certificate that lacks or adds something is not taken', async (t, database) => {
  const { w, bot, found, save } = await setUp(t, database)
  const id = await found('strict.example', { subject: [{ type: 'O', value: 'Strict' }] })
  await save(id, 'strict.example', { mode: 'partial' })
  const privateKeyPem = await generateKey('ec-256')
  const names = ['strict.example', 'www.strict.example']
  const made = { privateKeyPem, commonName: 'strict.example', names, subject: [{ type: 'O', value: 'Strict' }] }
  for (const [what, csr] of Object.entries({ 'lacks "O=Strict"': { ...made, subject: [] }, 'key usage cRLSign': { ...made, keyUsage: ['cRLSign'] as const }, 'must-staple': { ...made, mustStaple: true }, 'certificate authority': { ...made, certificateAuthority: { pathLength: null } } })) {
    bot.answers.set('make-csr', { keyId: 'key_00000000000000000000000001', csrPem: await createCsr(csr) })
    const action = await w.act(id, 'order')
    assert.match(action.error ?? '', /CSR_MISMATCH/, what)
    assert.ok((action.reason ?? '').includes(what) || (action.error ?? '').replaceAll('\\', '').includes(what), `${what}: ${action.error}`)
  }
  bot.answers.clear()
  // An authority that drops the subject.
  const forgetful = async (db: Parameters<typeof w.deps.authorityOf>[0], of: Parameters<typeof w.deps.authorityOf>[1]): Promise<Authority> => {
    const real = await w.deps.authorityOf(db, of)
    return { ...real, submit: async (request, call) => real.submit({ ...request, request: {}, csrPem: await createCsr({ ...made, subject: [] }) }, call) }
  }
  w.planeKinds['submit-order'] = submitOrderKind({ ...w.deps, authorityOf: forgetful })
  bot.answers.set('make-csr', { keyId: 'key_00000000000000000000000001', csrPem: await createCsr(made) })
  assert.match((await w.act(id, 'order')).error ?? '', /ISSUED_CERTIFICATE_WRONG.*lacks O=Strict/)
})
