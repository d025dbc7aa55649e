import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { operations, permissions, type IssuanceProfile, type IssuedCertificateDetail, type Issuer, type Permission } from '@certloop/contract'
import { pino } from 'pino'
import { composeApp } from '../control-plane.ts'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { addUser, asToken, testPassword } from '../http/http-testing.ts'
import { anonymous } from '../http/who.ts'
import { createSecrets } from '../secret/secrets.ts'
import { addressesAt } from './addresses.ts'
import { caMasterKey } from './ca-testing.ts'
import { createLocalCa } from './local-ca.ts'
import { opensslFolder, outsideCa } from './openssl-ca-testing.ts'
import { builtInProfiles } from './profiles.ts'

interface Reply<R> { status: number; body: R & { code?: string; detail?: string; fields?: { field: string; problem: string }[] } }

/** The whole API over a real CA, with the time of this machine, as openssl has it. */
async function world(t: TestContext, database: Database) {
  const now = () => new Date()
  const secrets = await createSecrets({ database, masterKey: caMasterKey, now })
  const localCa = createLocalCa({ database, secrets, now, addresses: () => addressesAt('http://pki.example.com') })
  await localCa.ensureHierarchy()
  const { app, users } = await composeApp({ webFolder: '/nonexistent', version: '0', logger: pino({ level: 'silent' }), now, random: () => 0, settings: { trustedProxy: [] } }, { database, localCa, secrets }, () => 'https://certloop.test', new AbortController().signal)
  t.after(() => app.close())
  await app.ready()
  await addUser(database, { now, pass: () => {} }, 'root', 'administrator')
  const { who } = await users.signIn({ name: 'root', password: testPassword, address: '127.0.0.1', replaced: anonymous })
  let count = 0
  const tokenFor = async (given: readonly Permission[]) => (await users.tokens.create(who, { name: `token ${++count}`, permissions: [...given] })).token
  const token = await tokenFor(permissions)
  async function call<R = object>(method: string, path: string, payload?: object, as = token): Promise<Reply<R>> {
    const { statusCode, body } = await app.inject({ method: method as 'GET', url: `/api/v1${path}`, headers: asToken(as), ...(payload ? { payload } : {}) })
    return { status: statusCode, body: (body === '' ? {} : JSON.parse(body)) as Reply<R>['body'] }
  }
  const issuers = async () => (await call<{ items: Issuer[] }>('GET', '/ca/issuers')).body.items
  const inUse = async () => (await issuers()).find(({ slot }) => slot === 'intermediate') as Issuer
  const root = async () => (await issuers()).find(({ slot }) => slot === 'root') as Issuer
  return { app, database, localCa, call, tokenFor, issuers, inUse, root, openssl: opensslFolder(t) }
}
type World = Awaited<ReturnType<typeof world>>

/** A request made by openssl. */
function csrBy({ openssl }: World, { subject = '/', extensions = ['subjectAltName=DNS:shop.example'], key = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] }: { subject?: string; extensions?: readonly string[]; key?: readonly string[] } = {}): string {
  return openssl.run('req', '-new', '-nodes', '-newkey', ...key, '-keyout', '/dev/null', '-subj', subject, ...extensions.flatMap((one) => ['-addext', one]))
}
const issue = (w: World, body: object) => w.call<IssuedCertificateDetail>('POST', '/ca/certificates', { profile: 'server', ...body })
/** The fields that a problem document names, each with its problem. */
const fieldsOf = ({ fields = [] }: Reply<object>['body']): string => fields.map((one) => Object.values(one).join(': ')).join('\n')
/** The problem document of a refusal, checked for its form. */
function refused({ status, body }: Reply<object>, code: string, field?: RegExp, what = ''): void {
  assert.equal(body.code, code, `${what}: ${JSON.stringify(body)}`)
  assert.ok(status >= 400 && status < 500 && typeof body.detail === 'string', `${what}: ${status}`)
  if (field) assert.match(fieldsOf(body), field, what)
}

test('every operation asks for its permission, and for a body it knows', { timeout: 120_000 }, async (t) => {
  const w = await world(t, await emptyDatabase(t))
  const [id, rootId] = [(await w.inUse()).id, (await w.root()).id]
  const issued = (await issue(w, { csrPem: csrBy(w) })).body
  const tokens = new Map<string, string>()
  for (const permission of permissions) tokens.set(permission, await w.tokenFor(permissions.filter((one) => one !== permission)))
  for (const [name, { method, path, access }] of Object.entries(operations).filter(([, { path }]) => path.startsWith('/ca/'))) {
    const address = path.replace('{name}', 'server').replace('{id}', path.startsWith('/ca/certificates') ? issued.id : id)
    refused(await w.call(method, address, method === 'GET' ? undefined : {}, tokens.get(access)), 'PERMISSION_DENIED', undefined, name)
    if (method === 'GET') continue
    const strange = await w.call(method, address, { nonsense: true, '__proto__x': 1 })
    assert.ok('body' in operations[name as keyof typeof operations] ? strange.body.code === 'INPUT_INVALID' && /nonsense/.test(fieldsOf(strange.body)) : strange.status < 500, `${name}: ${JSON.stringify(strange)}`)
  }
  for (const path of ['/ca/issuers/iss_none', '/ca/certificates/x']) assert.equal((await w.call('GET', path)).status >= 400, true)
  refused(await w.call('GET', `/ca/issuers/${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}`), 'NOT_FOUND')
  refused(await w.call('GET', `/ca/certificates/${issued.id.slice(0, -1)}${issued.id.endsWith('0') ? '1' : '0'}`), 'NOT_FOUND')
  assert.notEqual(id, rootId)
})

testOnDatabases('profiles: made, changed with their revision, deleted; built-in ones stay as they are', async (t, database) => {
  const w = await world(t, database)
  const rules = { ...structuredClone(builtInProfiles.server), title: 'Short', maximumValidityDays: 10, defaultValidityDays: 5, names: { ...builtInProfiles.server.names, types: ['dns'], wildcards: false, permitted: ['corp.example'], excluded: ['secret.corp.example'] } }
  const made = await w.call<IssuanceProfile>('POST', '/ca/profiles', { name: 'short', rules })
  assert.deepEqual([made.status, made.body.revision, made.body.builtIn], [201, 1, false])
  refused(await w.call('POST', '/ca/profiles', { name: 'short', rules }), 'CONFLICT')
  refused(await w.call('POST', '/ca/profiles', { name: 'server', rules }), 'CONFLICT')
  refused(await w.call('POST', '/ca/profiles', { name: 'Bad Name', rules }), 'INPUT_INVALID', /name/)
  const contradictions: [object, RegExp][] = [
    [{ defaultValidityDays: 11 }, /rules\.defaultValidityDays/], [{ policies: ['1.2.x'] }, /rules\.policies/], [{ keyUsage: ['keyCertSign'] }, /rules\.keyUsage/],
    [{ requiredAttributes: ['1.2.3.4'] }, /rules\.requiredAttributes/], [{ pathLength: 0 }, /rules\.pathLength/], [{ style: 'public' }, /rules\./], [{ names: { ...rules.names, types: [] } }, /rules\.names/], [{ extendedKeyUsage: ['no such usage'] }, /rules\.extendedKeyUsage/],
    [{ names: { ...rules.names, excluded: ['Secret.Example'] } }, /rules\.names\.excluded/], [{ names: { ...rules.names, permitted: ['10.0.0.0/33'] } }, /rules\.names\.permitted/],
  ]
  for (const [change, field] of contradictions) refused(await w.call('POST', '/ca/profiles', { name: 'bad', rules: { ...rules, ...change } }), 'INPUT_INVALID', field, JSON.stringify(change))
  const changed = await w.call<IssuanceProfile>('PUT', '/ca/profiles/short', { rules: { ...rules, title: 'Changed' }, revision: 1 })
  assert.deepEqual([changed.status, changed.body.revision, changed.body.rules.title], [200, 2, 'Changed'])
  refused(await w.call('PUT', '/ca/profiles/short', { rules, revision: 1 }), 'CONFLICT')
  refused(await w.call('PUT', '/ca/profiles/short', { rules, revision: 3 }), 'CONFLICT')
  const two = await Promise.all([1, 2].map((i) => w.call('PUT', '/ca/profiles/short', { rules: { ...rules, title: `At once ${i}` }, revision: 2 })))
  assert.deepEqual(new Set(two.map(({ status }) => status)), new Set([200, 409]))
  refused(await w.call('PUT', '/ca/profiles/none', { rules, revision: 1 }), 'NOT_FOUND')
  for (const [method, body] of [['PUT', { rules, revision: 1 }], ['DELETE', undefined]] as const) refused(await w.call(method, '/ca/profiles/server', body), 'CONFLICT')

  // Its limits hold, each told by its field.
  const limits: [object, RegExp][] = [
    [{ csrPem: csrBy(w, { extensions: ['subjectAltName=DNS:other.example'] }) }, /names\[0\]/], [{ csrPem: csrBy(w, { extensions: ['subjectAltName=DNS:a.secret.corp.example'] }) }, /names\[0\]/],
    [{ csrPem: csrBy(w, { extensions: ['subjectAltName=DNS:*.corp.example'] }) }, /wildcards/], [{ csrPem: csrBy(w, { extensions: ['subjectAltName=IP:192.0.2.1'] }) }, /IP addresses/],
    [{ csrPem: csrBy(w, { extensions: ['subjectAltName=DNS:a.corp.example'] }), validityDays: 11 }, /validityDays/],
  ]
  for (const [body, field] of limits) refused(await issue(w, { profile: 'short', ...body }), 'PROFILE_VIOLATION', field, String(field))
  const good = await issue(w, { profile: 'short', csrPem: csrBy(w, { extensions: ['subjectAltName=DNS:a.corp.example'] }) })
  assert.equal(good.status, 201, JSON.stringify(good.body))
  assert.equal((Date.parse(good.body.notAfter) - Date.parse(good.body.notBefore) + 1000) / 86_400_000, 5)
  assert.equal((await w.call('DELETE', '/ca/profiles/short')).status, 204)
  refused(await w.call('DELETE', '/ca/profiles/short'), 'NOT_FOUND')
  refused(await issue(w, { profile: 'short', csrPem: csrBy(w) }), 'NOT_FOUND')
  assert.ok((await w.call<{ items: IssuanceProfile[] }>('GET', '/ca/profiles')).body.items.every(({ builtIn }) => builtIn))
})

test('what is signed is what was asked and allowed; the rest is refused, and nothing of it kept', { timeout: 120_000 }, async (t) => {
  const w = await world(t, await emptyDatabase(t))
  const rsa = csrBy(w, { subject: '/O=Trial/C=DE/CN=shop.example', extensions: ['subjectAltName=DNS:shop.example,IP:192.0.2.7', 'keyUsage=digitalSignature,keyEncipherment', 'extendedKeyUsage=serverAuth', 'tlsfeature=status_request'], key: ['rsa:2048'] })
  const good = await issue(w, { csrPem: rsa })
  assert.equal(good.status, 201, JSON.stringify(good.body))
  const text = w.openssl.run('x509', '-noout', '-text', '-in', w.openssl.file(good.body.certificatePem ?? ''))
  for (const expected of [/Subject: O = Trial, C = DE, CN = shop\.example\n|Subject: C = DE, O = Trial, CN = shop\.example\n/, /DNS:shop\.example, IP Address:192\.0\.2\.7/, /TLS Feature:\s+status_request/, /Digital Signature, Key Encipherment/, new RegExp(`OCSP - URI:http://pki\\.example\\.com/ocsp/${good.body.issuerId}`), new RegExp(`CA Issuers - URI:http://pki\\.example\\.com/ca/${good.body.issuerId}\\.cer`), /URI:http:\/\/pki\.example\.com\/crl\//]) assert.match(text, expected)
  w.openssl.verify({ leaf: good.body.chainPem[0] ?? '', roots: [good.body.rootPem ?? ''], untrusted: good.body.chainPem.slice(1), more: ['-purpose', 'sslserver'] })
  const before = (await w.call<{ items: object[] }>('GET', '/ca/certificates')).body.items.length

  const plain = csrBy(w)
  const cases: [string, object, string, RegExp?][] = [
    ['a name more than asked', { csrPem: csrBy(w, { extensions: ['subjectAltName=DNS:shop.example,DNS:admin.example'] }), names: ['shop.example'] }, 'CSR_MISMATCH', /admin\.example/],
    ['a name less', { csrPem: plain, names: ['shop.example', 'other.example'] }, 'CSR_MISMATCH', /other\.example/],
    ['the wish to be a CA', { csrPem: csrBy(w, { extensions: ['subjectAltName=DNS:shop.example', 'basicConstraints=critical,CA:true'] }) }, 'CSR_MISMATCH', /csrPem/],
    ['a further usage', { csrPem: csrBy(w, { extensions: ['subjectAltName=DNS:shop.example', 'extendedKeyUsage=serverAuth,codeSigning'] }) }, 'CSR_MISMATCH', /codeSigning/],
    ['the right to sign certificates', { csrPem: csrBy(w, { extensions: ['subjectAltName=DNS:shop.example', 'keyUsage=digitalSignature,keyCertSign'] }) }, 'CSR_MISMATCH', /keyCertSign/],
    ['an e-mail address beside it', { csrPem: csrBy(w, { extensions: ['subjectAltName=DNS:shop.example,email:a@b.example'] }) }, 'PROFILE_VIOLATION', /otherNames/],
    ['a common name that is no name of it', { csrPem: csrBy(w, { subject: '/CN=other.example' }) }, 'NAME_INVALID', /commonName/],
    ['another common name than asked', { csrPem: plain, commonName: 'shop.example' }, 'CSR_MISMATCH', /CN=shop\.example/],
    ['an attribute that the profile does not know', { csrPem: csrBy(w, { subject: '/description=x' }) }, 'PROFILE_VIOLATION', /subject\[0\]/],
    ['no name', { csrPem: csrBy(w, { subject: '/', extensions: [] }) }, 'NAME_INVALID'],
    ['a small key', { csrPem: csrBy(w, { key: ['rsa:1024'] }) }, 'KEY_ALGORITHM_UNSUPPORTED'],
    ['an odd curve', { csrPem: csrBy(w, { key: ['ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'] }) }, 'KEY_ALGORITHM_UNSUPPORTED'],
    ['too long', { csrPem: plain, validityDays: 4000 }, 'PROFILE_VIOLATION', /validityDays/],
    ['no whole days', { csrPem: plain, validityDays: 1.5 }, 'INPUT_INVALID', /validityDays/],
    ['no request', { csrPem: 'nonsense' }, 'CSR_INVALID'],
    ['an internal profile', { csrPem: plain, profile: 'control-plane' }, 'PROFILE_VIOLATION', /profile/],
    ['the OCSP responder', { csrPem: plain, profile: 'ocsp-responder' }, 'PROFILE_VIOLATION', /profile/],
    ['an issuer that is not there', { csrPem: plain, issuerId: 'iss_00000000000000000000000000' }, 'NOT_FOUND'],
    ['an internal name in public style', { csrPem: plain, profile: 'public-server' }, 'PROFILE_VIOLATION', /names\[0\]/],
  ]
  for (const [what, body, code, field] of cases) refused(await issue(w, body), code, field, what)
  assert.equal((await w.call<{ items: object[] }>('GET', '/ca/certificates')).body.items.length, before)
  // A profile for CAs needs the right to make them.
  const issuing = await w.tokenFor(['ca:issue', 'ca:read'])
  refused(await w.call('POST', '/ca/certificates', { csrPem: csrBy(w, { subject: '/CN=Sub', extensions: [] }), profile: 'subordinate-ca' }, issuing), 'PERMISSION_DENIED')
})

testOnDatabases('revoke, suspend, resume: each from the states that allow it, and in the audit log', async (t, database) => {
  const w = await world(t, database)
  const { id } = (await issue(w, { csrPem: csrBy(w) })).body
  const act = (action: string, body?: object) => w.call<IssuedCertificateDetail>('POST', `/ca/certificates/${id}/actions/${action}`, body)
  refused(await act('resume'), 'ACTION_NOT_POSSIBLE')
  assert.deepEqual([(await act('suspend')).body.status, (await act('suspend')).body.code, (await act('resume')).body.status], ['held', 'ACTION_NOT_POSSIBLE', 'good'])
  for (const [body, field] of [[{}, /reason/], [{ reason: 'certificateHold' }, /reason/], [{ reason: 'removeFromCRL' }, /reason/], [{ reason: 'x' }, /reason/], [{ reason: 'keyCompromise', invalidityDate: '2999-01-01T00:00:00.000Z' }, /invalidityDate/], [{ reason: 'keyCompromise', invalidityDate: 'yesterday' }, /invalidityDate/]] as const) refused(await act('revoke', body), 'INPUT_INVALID', field, JSON.stringify(body))
  assert.equal((await act('suspend')).body.status, 'held')
  const revoked = (await act('revoke', { reason: 'superseded', invalidityDate: null })).body
  assert.deepEqual([revoked.status, revoked.revocationReason], ['revoked', 'superseded'])
  for (const action of ['suspend', 'resume']) refused(await act(action), 'ACTION_NOT_POSSIBLE')
  refused(await act('revoke', { reason: 'cessationOfOperation' }), 'ACTION_NOT_POSSIBLE')
  const lost = (await act('revoke', { reason: 'keyCompromise', invalidityDate: '2026-01-01T00:00:00.000Z' })).body
  assert.deepEqual([lost.revocationReason, lost.invalidityDate, lost.revokedAt], ['keyCompromise', '2026-01-01T00:00:00.000Z', revoked.revokedAt])
  const published = (await w.call<Issuer>('POST', `/ca/issuers/${lost.issuerId}/actions/publish-crl`)).body
  assert.equal(published.crls.find(({ scope }) => scope === 'full')?.entries, 1)
  const audit = JSON.stringify((await w.call('GET', '/audit?limit=200')).body)
  for (const operation of ['issueCertificate', 'suspendCertificate', 'resumeCertificate', 'revokeCertificate', 'publishCrl']) assert.ok(audit.includes(operation), operation)
  assert.ok(audit.includes(id))
})

test('issuers over the API: made, imported, signed outside, cross-signed, replaced, retired; and refused with their fields', { timeout: 120_000 }, async (t) => {
  const w = await world(t, await emptyDatabase(t))
  const post = (path: string, body: object) => w.call<Issuer>('POST', path, body)
  const root = { name: 'API root', commonName: 'API root', keyAlgorithm: 'ec-256', signedBy: 'self', validityDays: 3000 }
  const made = await post('/ca/issuers', { ...root, nameConstraints: { permitted: [{ type: 'dns', value: 'corp.example' }, { type: 'ip', value: '10.0.0.0/8' }], excluded: [] } })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  refused(await post('/ca/issuers', root), 'CONFLICT', /name/)
  for (const [change, field] of [[{ name: '' }, /name/], [{ keyAlgorithm: 'rsa-512' }, /keyAlgorithm/], [{ validityDays: 0 }, /validityDays/], [{ signedBy: 'somebody' }, /signedBy/], [{ nameConstraints: { permitted: [{ type: 'ip', value: 'x' }], excluded: [] } }, /nameConstraints/], [{ nameConstraints: { permitted: [{ type: 'dns', value: 'UPPER' }], excluded: [] } }, /nameConstraints/]] as const) refused(await post('/ca/issuers', { ...root, name: 'Other', ...change }), 'INPUT_INVALID', field, JSON.stringify(change))
  refused(await post('/ca/issuers', { ...root, name: 'Other', pkcs11Label: 'x' }), 'PKCS11_UNAVAILABLE')
  refused(await post('/ca/issuers', { ...root, name: 'Other', signedBy: (await w.inUse()).id }), 'PROFILE_VIOLATION', /signedBy/)

  const outside = outsideCa(t)
  const waiting = (await post('/ca/issuers', { ...root, name: 'Waiting', commonName: 'Waiting', signedBy: 'outside' })).body
  assert.equal(waiting.status, 'pending')
  refused(await post(`/ca/issuers/${waiting.id}/certificates`, { certificatesPem: outside.rootPem }), 'ISSUER_MISMATCH', /certificatePem/)
  const active = await post(`/ca/issuers/${waiting.id}/certificates`, { certificatesPem: `${outside.sign(waiting.csrPem ?? '')}${outside.rootPem}` })
  assert.deepEqual([active.status, active.body.status, active.body.csrPem], [200, 'active', null], JSON.stringify(active.body))
  const issued = (await issue(w, { csrPem: csrBy(w), issuerId: waiting.id, validityDays: 20 })).body
  outside.verify({ leaf: issued.chainPem[0] ?? '', roots: [outside.rootPem], untrusted: issued.chainPem.slice(1) })

  const imported = await post('/ca/issuer-imports', { name: 'Imported', certificatesPem: outside.rootPem, keyPem: outside.keyPem })
  assert.deepEqual([imported.status, imported.body.kind, imported.body.keySource], [201, 'root', 'sealed'], JSON.stringify(imported.body))
  assert.ok(!JSON.stringify(imported.body).includes('PRIVATE KEY'))
  refused(await post('/ca/issuer-imports', { name: 'Again', certificatesPem: outside.rootPem, keyPem: outside.keyPem }), 'CONFLICT')
  refused(await post('/ca/issuer-imports', { name: 'Nothing' }), 'INPUT_INVALID', /certificatesPem/)

  const crossed = await post(`/ca/issuers/${made.body.id}/actions/cross-sign`, { signedBy: imported.body.id, validityDays: 100 })
  assert.deepEqual([crossed.status, crossed.body.certificates.length], [201, 2], JSON.stringify(crossed.body))
  const preferred = await w.call<Issuer>('PUT', `/ca/issuers/${made.body.id}/preferred-certificate`, { certificateId: crossed.body.certificates[1]?.id })
  assert.equal(preferred.body.certificateId, crossed.body.certificates[1]?.id)
  const settings = await w.call<Issuer>('PUT', `/ca/issuers/${made.body.id}/settings`, { crlShards: 2, crlHours: 24, deltaCrl: true, ocspMinutes: 5 })
  assert.deepEqual([settings.body.crlShards, settings.body.crlHours, settings.body.deltaCrl, settings.body.ocspMinutes], [2, 24, true, 5])
  refused(await w.call('PUT', `/ca/issuers/${made.body.id}/settings`, { crlShards: -1 }), 'INPUT_INVALID', /crlShards/)

  const old = await w.inUse()
  const later = await post(`/ca/issuers/${old.id}/actions/roll-over`, { later: true })
  assert.deepEqual([later.status, later.body.slot], [201, null], JSON.stringify(later.body))
  refused(await post(`/ca/issuers/${old.id}/actions/roll-over`, {}), 'ACTION_NOT_POSSIBLE')
  refused(await w.call('POST', `/ca/issuers/${old.id}/actions/retire`), 'ACTION_NOT_POSSIBLE')
  assert.equal((await w.call<Issuer>('POST', `/ca/issuers/${later.body.id}/actions/activate`)).body.slot, 'intermediate')
  assert.equal((await w.call<Issuer>('GET', `/ca/issuers/${old.id}`)).body.status, 'retired')
  assert.equal((await w.call<Issuer>('POST', `/ca/issuers/${waiting.id}/actions/retire`)).body.status, 'retired')
  refused(await issue(w, { csrPem: csrBy(w), issuerId: waiting.id }), 'ISSUER_NOT_READY')
  const audit = JSON.stringify((await w.call('GET', '/audit?limit=200')).body)
  for (const operation of ['createIssuer', 'importIssuer', 'installIssuerCertificate', 'crossSignIssuer', 'preferIssuerCertificate', 'configureIssuer', 'rollOverIssuer', 'activateIssuer', 'retireIssuer']) assert.ok(audit.includes(operation), operation)
  assert.ok(!audit.includes('PRIVATE KEY'))
})

testOnDatabases('issued certificates are found by name, number, state and issuer, page by page', async (t, database) => {
  const w = await world(t, database)
  const all: IssuedCertificateDetail[] = []
  for (let i = 0; i < 5; i++) all.push((await issue(w, { csrPem: csrBy(w, { extensions: [`subjectAltName=DNS:host${i}.example`] }) })).body)
  await w.call('POST', `/ca/certificates/${all[2]?.id}/actions/revoke`, { reason: 'superseded' })
  type Page = { items: IssuedCertificateDetail[]; nextCursor: string | null }
  const list = async (query: string) => (await w.call<Page>('GET', `/ca/certificates?${query}`)).body
  const names = ({ items }: Page) => items.flatMap((one) => one.names)
  assert.deepEqual(names(await list('search=host3')), ['host3.example'])
  assert.deepEqual(names(await list(`search=${(all[1]?.serialNumber ?? '').toUpperCase().replace(/(..)(?!$)/g, '$1:')}`)), ['host1.example'])
  assert.deepEqual(names(await list('status=revoked')), ['host2.example'])
  assert.deepEqual(names(await list('status=expired')), [])
  assert.deepEqual(names(await list('search=%25')), [], 'no pattern')
  const [first, again] = [await list(`issuerId=${(await w.inUse()).id}&limit=3`), await list('search=host&limit=3')]
  assert.deepEqual(names(again), ['host4.example', 'host3.example', 'host2.example'])
  assert.deepEqual(names(await list(`search=host&limit=3&cursor=${again.nextCursor}`)), ['host1.example', 'host0.example'])
  assert.equal(first.items.length, 3)
})

test('a request is read back into fields, with what is wrong with it', async (t) => {
  const w = await world(t, await emptyDatabase(t))
  const csrPem = csrBy(w, { subject: '/O=Trial/CN=shop.example', extensions: ['subjectAltName=DNS:shop.example,email:a@b.example', 'extendedKeyUsage=serverAuth'], key: ['rsa:1024'] })
  const { status, body } = await w.call<Record<string, unknown>>('POST', '/csr-inspections', { csrPem })
  assert.equal(status, 200)
  assert.deepEqual([body['commonName'], body['names'], body['otherNames'], body['extendedKeyUsage'], body['isCaRequest']], ['shop.example', ['shop.example'], [{ type: 'email', value: 'a@b.example' }], ['serverAuth'], false])
  assert.ok((body['findings'] as unknown[]).length > 0, 'a key of 1024 bits')
  refused(await w.call('POST', '/csr-inspections', { csrPem: 'nonsense' }), 'CSR_INVALID')
})

test('what is left out of a new issuer is what is usual for its kind; null stands for no limit', { timeout: 60_000 }, async (t) => {
  const w = await world(t, await emptyDatabase(t))
  const made = async (signedBy: string, more: object) => (await w.call<Issuer>('POST', '/ca/issuers', { name: `Usual ${signedBy} ${JSON.stringify(more)}`, commonName: 'Usual', keyAlgorithm: 'ec-256', signedBy, ...more })).body
  const days = ({ certificates: [one] }: Issuer) => one && Math.round((Date.parse(one.notAfter) - Date.parse(one.notBefore)) / 86_400_000)
  const root = await made('self', {})
  const [below, free] = [await made(root.id, {}), await made(root.id, { pathLength: null, validityDays: 100 })]
  assert.deepEqual([root, below, free].map((one) => [days(one), one.pathLength]), [[3652, null], [1826, 0], [100, null]])
  assert.equal((await made('outside', {})).status, 'pending')
})

test('a leaf right under a root takes the right to make issuers', { timeout: 60_000 }, async (t) => {
  const w = await world(t, await emptyDatabase(t))
  const body = { profile: 'server', csrPem: csrBy(w), issuerId: (await w.root()).id }
  refused(await w.call('POST', '/ca/certificates', body, await w.tokenFor(['ca:issue', 'ca:read'])), 'PERMISSION_DENIED')
  assert.equal((await w.call('POST', '/ca/certificates', { ...body, issuerId: (await w.inUse()).id }, await w.tokenFor(['ca:issue', 'ca:read']))).status, 201)
  assert.equal((await w.call('POST', '/ca/certificates', body)).status, 201)
})
