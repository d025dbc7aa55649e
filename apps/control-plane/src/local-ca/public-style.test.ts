import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import type { KeyAlgorithm } from '@certloop/contract'
import { createCsr, generateKey, readCrl, readOcspResponse, type CertificateFacts, type RevocationReason } from '@certloop/pki'
import { emptyDatabase } from '../database/database-testing.ts'
import { caWorld } from './ca-testing.ts'
import { opensslFolder } from './openssl-ca-testing.ts'
import { checkRules } from './profile-rules-check.ts'
import { builtInProfiles, type ProfileRules } from './profiles.ts'
import { addProfile, allPolicies, factsOf, publicAddresses, publicStart, publicSubject, publicWorld, responderIn, type PublicKeys, type Wish } from './public-style-testing.ts'

// Field by field against the Baseline Requirements for TLS of the CA/Browser Forum, version 2; numbers are its sections.

const day = 86_400_000
const secondsOf = ({ notBefore, notAfter }: Pick<CertificateFacts, 'notBefore' | 'notAfter'>) => (notAfter.getTime() - notBefore.getTime()) / 1000 + 1
const extensionsOf = ({ extensions }: CertificateFacts) => extensions.map(({ oid, critical }) => `${oid}${critical ? ' critical' : ''}`)
const fieldsOf = ({ subjectFields }: CertificateFacts) => subjectFields.map(({ type, value }) => `${type}=${value}`)
const basicConstraints = '2.5.29.19 critical'
const keyUsage = '2.5.29.15 critical'
const [extendedUsage, subjectKey, authorityKey, alternativeName, policies, crlPoints, authorityAccess, tlsFeature, noCheck] = ['2.5.29.37', '2.5.29.14', '2.5.29.35', '2.5.29.17', '2.5.29.32', '2.5.29.31', '1.3.6.1.5.5.7.1.1', '1.3.6.1.5.5.7.1.24', '1.3.6.1.5.5.7.48.1.5']
const signatures: Partial<Record<KeyAlgorithm, string>> = { 'ec-256': 'ecdsa-with-SHA256', 'ec-384': 'ecdsa-with-SHA384' }
/** 7.1.3.2: digest as strong as an EC key; SHA-256 or more with RSA. */
const signatureBy = (algorithm: KeyAlgorithm) => signatures[algorithm] ?? 'sha256WithRSAEncryption'

/** 7.1: version 3, at least 64 random bits, positive, at most 20 bytes; whole seconds; nothing unknown, nothing odd. */
function checkBasics(certificate: CertificateFacts, issuer: CertificateFacts, signedBy: KeyAlgorithm): void {
  assert.equal(certificate.version, 3)
  assert.match(certificate.serialNumber, /^[0-9a-f]{26,32}$/)
  assert.equal(certificate.issuer, issuer.subject)
  assert.equal(certificate.signatureAlgorithm, signatureBy(signedBy))
  assert.equal(certificate.authorityKeyId, issuer.subjectKeyId)
  assert.deepEqual([certificate.oddities, certificate.unknownCritical, certificate.nameConstraints], [[], [], null])
  // 7.1.2.1.1, 7.1.2.6, 7.1.2.7: begins at most a day before the signing; no fraction of a second.
  const age = publicStart.getTime() - certificate.notBefore.getTime()
  assert.ok(age >= 0 && age <= day && certificate.notBefore.getMilliseconds() === 0 && certificate.notAfter.getMilliseconds() === 0)
}

const hierarchies: PublicKeys[] = [{ root: 'ec-384', sub: 'ec-256' }, { root: 'rsa-4096', sub: 'rsa-3072' }, { root: 'rsa-2048', sub: 'ec-384' }]
for (const keys of hierarchies) {
  test(`root ${keys.root} and subordinate ${keys.sub}: 7.1.2.1 and 7.1.2.6`, { timeout: 300_000 }, async (t) => {
    const { root: rootIssuer, sub: subIssuer, leaf } = await publicWorld(t, keys)
    const [root, sub] = [factsOf(rootIssuer), factsOf(subIssuer)]
    checkBasics(root, root, keys.root)
    checkBasics(sub, root, keys.root)
    assert.deepEqual([secondsOf(root), secondsOf(sub)], [5478 * 86_400, 1826 * 86_400])
    // 7.1.2.10.2 and 7.1.4.2: country, organisation, common name, in this order.
    assert.deepEqual([fieldsOf(root), fieldsOf(sub)], [['C=DE', 'O=Example Trust Services', 'CN=Example Root R1'], ['C=DE', 'O=Example Trust Services', 'CN=Example TLS CA T1']])
    // 7.1.2.1.2: neither extended usages nor policies nor a path length.
    assert.deepEqual(extensionsOf(root), [basicConstraints, keyUsage, subjectKey, authorityKey])
    assert.deepEqual([root.basicConstraints, root.keyUsage?.usages], [{ critical: true, isCa: true, pathLength: null }, ['keyCertSign', 'cRLSign']])
    // 7.1.2.6 with 7.1.2.10.3 to .7.
    assert.deepEqual(extensionsOf(sub), [basicConstraints, keyUsage, extendedUsage, subjectKey, authorityKey, policies, crlPoints, authorityAccess])
    assert.deepEqual([sub.basicConstraints, sub.keyUsage?.usages.toSorted()], [{ critical: true, isCa: true, pathLength: 0 }, ['cRLSign', 'digitalSignature', 'keyCertSign']])
    assert.deepEqual([sub.extendedKeyUsage?.usages, sub.policies.map(({ oid }) => oid)], [['serverAuth'], ['2.23.140.1.2.1']])
    assert.deepEqual([sub.crlUrls, sub.ocspUrls, sub.issuerUrls], [[publicAddresses.crl(rootIssuer.id, null)], [publicAddresses.ocsp(rootIssuer.id)], [publicAddresses.issuer(rootIssuer.id)]])
    const certificate = await leaf('one')
    checkBasics(certificate, sub, keys.sub)
    opensslFolder(t).verify({ leaf: certificate.pem, roots: [root.pem], untrusted: [sub.pem], at: publicStart, more: ['-purpose', 'sslserver', '-verify_hostname', 'shop.example.com'] })
  })
}

for (const algorithm of builtInProfiles['public-server'].keyAlgorithms) {
  test(`a server certificate for ${algorithm}: 7.1.2.7`, { timeout: 300_000 }, async (t) => {
    const { leaf, sub } = await publicWorld(t)
    const certificate = await leaf('one', { algorithm, validityDays: 199 })
    checkBasics(certificate, factsOf(sub), 'ec-256')
    assert.equal(certificate.keyAlgorithm, algorithm)
    assert.equal(secondsOf(certificate), 199 * 86_400) // 6.3.2: 200 days at most, notAfter counted in
    assert.deepEqual(fieldsOf(certificate), []) // 7.1.2.7.2: no common name is best
    // 7.1.2.7.12: critical since the subject is empty; 7.1.2.7.8: not a CA.
    assert.deepEqual(extensionsOf(certificate), [basicConstraints, keyUsage, extendedUsage, subjectKey, authorityKey, `${alternativeName} critical`, policies, crlPoints, authorityAccess])
    assert.deepEqual(certificate.basicConstraints, { critical: true, isCa: false, pathLength: null })
    // 7.1.2.7.11: no keyEncipherment with keys that can't encrypt.
    assert.deepEqual(certificate.keyUsage?.usages, algorithm.startsWith('rsa') ? ['digitalSignature', 'keyEncipherment'] : ['digitalSignature'])
    assert.deepEqual([certificate.extendedKeyUsage?.usages, certificate.policies, certificate.validation], [['serverAuth'], [{ oid: '2.23.140.1.2.1', statements: [] }], 'DV']) // 7.1.2.7.9, .10
    assert.deepEqual([certificate.crlUrls, certificate.ocspUrls, certificate.issuerUrls], [[publicAddresses.crl(sub.id, null)], [publicAddresses.ocsp(sub.id)], [publicAddresses.issuer(sub.id)]]) // 7.1.2.7.7, 7.1.2.11.2
    assert.notEqual(certificate.serialNumber, (await leaf('two', { algorithm })).serialNumber)
  })
}

test('names: 7.1.2.7.12 and 7.1.4.3, wildcards, addresses, A-labels, must-staple', { timeout: 120_000 }, async (t) => {
  const { leaf } = await publicWorld(t)
  const names = ['*.example.com', 'xn--bcher-kva.example.com', '8.8.8.8', '2606:4700:4700::1111']
  const certificate = await leaf('names', { names: ['*.Example.com', 'bücher.example.com', '8.8.8.8', '2606:4700:4700:0::1111'], mustStaple: true })
  assert.deepEqual([certificate.names, certificate.mustStaple, extensionsOf(certificate).at(-1)], [names, true, tlsFeature])
  const named = await leaf('named', { commonName: 'shop.example.com' })
  assert.deepEqual([fieldsOf(named), named.names], [['CN=shop.example.com'], ['shop.example.com']])
  assert.ok(extensionsOf(named).includes(alternativeName ?? ''), 'not critical beside a subject')
  const asked = await leaf('idn', { names: ['xn--bcher-kva.example.com'], commonName: 'xn--bcher-kva.example.com' })
  assert.equal(asked.commonName, 'xn--bcher-kva.example.com')
})

test('organisation, individual and extended validation by profiles of one\'s own: 7.1.2.7.3 to .5, 7.1.4.2', { timeout: 120_000 }, async (t) => {
  const world = await publicWorld(t, { root: 'ec-384', sub: 'ec-256', policies: allPolicies })
  await addProfile(world, 'ov', { policies: ['2.23.140.1.2.2'], subjectAttributes: ['C', 'ST', 'L', 'postalCode', 'street', 'O'], requiredAttributes: ['C', 'L', 'O'] })
  const given = [{ type: 'O', value: 'Example Ltd' }, { type: 'street', value: 'Main Street 1' }, { type: 'L', value: 'Berlin' }, { type: 'C', value: 'DE' }, { type: 'postalCode', value: '10115' }]
  const certificate = await world.leaf('ov', { profile: 'ov', subject: given, commonName: 'shop.example.com' })
  assert.deepEqual(fieldsOf(certificate), ['C=DE', 'L=Berlin', 'postalCode=10115', 'street=Main Street 1', 'O=Example Ltd', 'CN=shop.example.com'])
  assert.equal(certificate.validation, 'OV')
  await addProfile(world, 'iv', { policies: ['2.23.140.1.2.3'], subjectAttributes: ['C', 'ST', 'SN', 'GN'], requiredAttributes: ['C', 'ST', 'SN', 'GN'] })
  const person = await world.leaf('iv', { profile: 'iv', subject: [{ type: 'GN', value: 'Erika' }, { type: 'SN', value: 'Mustermann' }, { type: 'ST', value: 'Berlin' }, { type: 'C', value: 'DE' }] })
  assert.deepEqual([fieldsOf(person), person.validation], [['C=DE', 'ST=Berlin', 'SN=Mustermann', 'GN=Erika'], 'IV'])
  const extended = ['C', 'L', 'O', 'businessCategory', 'serialNumber', 'jurisdictionC']
  await addProfile(world, 'ev', { policies: ['2.23.140.1.1'], subjectAttributes: extended, requiredAttributes: extended, names: { ...builtInProfiles['public-server'].names, types: ['dns'], wildcards: false } })
  const company = await world.leaf('ev', { profile: 'ev', subject: [{ type: 'businessCategory', value: 'Private Organization' }, { type: 'jurisdictionC', value: 'DE' }, { type: 'serialNumber', value: 'HRB 1234' }, { type: 'O', value: 'Example Ltd' }, { type: 'L', value: 'Berlin' }, { type: 'C', value: 'DE' }] })
  assert.deepEqual([fieldsOf(company).slice(0, 3), company.validation], [['C=DE', 'L=Berlin', 'O=Example Ltd'], 'EV'])
  await assert.rejects(world.leaf('short', { profile: 'ov', subject: given.filter(({ type }) => type !== 'L') }), { code: 'PROFILE_VIOLATION' })
  await assert.rejects(world.leaf('small', { profile: 'ov', subject: given.map((one) => (one.type === 'C' ? { type: 'C', value: 'de' } : one)) }), { code: 'PROFILE_VIOLATION' })
  await assert.rejects(world.leaf('twice', { profile: 'ov', subject: [...given, { type: 'O', value: 'Another' }] }), { code: 'PROFILE_VIOLATION' })
})

test('what the Requirements do not allow in a server certificate is refused', { timeout: 300_000 }, async (t) => {
  const world = await publicWorld(t)
  const weak = execFileSync('openssl', ['req', '-new', '-nodes', '-newkey', 'rsa:1024', '-keyout', '/dev/null', '-subj', '/', '-addext', 'subjectAltName=DNS:shop.example.com'], { encoding: 'utf8', stdio: 'pipe' })
  const names = (...all: string[]): Wish => ({ names: all })
  const cases: [string, Wish, string][] = [
    ['6.3.2, 200 days', { validityDays: 200 }, 'PROFILE_VIOLATION'],
    ...['localhost', 'intranet', 'www.local', 'db.internal', 'a.home.arpa', 'x.test', 'router.lan', 'x.corp', 'abc.onion', '*.localhost.example'].map((name): [string, Wish, string] => [`4.2.2, ${name}`, names(name), 'PROFILE_VIOLATION']),
    ...['10.0.0.1', '192.168.1.1', '172.16.0.1', '127.0.0.1', '169.254.1.1', '100.64.0.1', '192.0.2.1', '0.0.0.0', '255.255.255.255', 'fd00::1', 'fe80::1', '::1', '2001:db8::1', 'ff02::1', '::ffff:8.8.8.8'].map((address): [string, Wish, string] => [`4.2.2, ${address}`, names(address), 'PROFILE_VIOLATION']),
    ['7.1.2.7.12, underscore', names('a_b.example.com'), 'NAME_INVALID'], ['7.1.2.7.12, reserved label', names('ab--c.example.com'), 'PROFILE_VIOLATION'],
    ['3.2.2.6, wildcard over a top-level domain', names('*.com'), 'NAME_INVALID'], ['wildcard within', names('a.*.example.com'), 'NAME_INVALID'],
    ['7.1.2.7.2, subject', { subject: [{ type: 'O', value: 'Example' }] }, 'PROFILE_VIOLATION'], ['7.1.2.7.2, unit', { subject: [{ type: 'OU', value: 'Sales' }] }, 'PROFILE_VIOLATION'],
    ['7.1.4.3, another common name', { commonName: 'other.example.com' }, 'NAME_INVALID'], ['7.1.4.3, common name in capitals', { commonName: 'Shop.example.com' }, 'PROFILE_VIOLATION'],
    ['7.1.2.7.12, e-mail', { otherNames: [{ type: 'email', value: 'a@example.com' }] }, 'PROFILE_VIOLATION'], ['7.1.2.7.12, URI', { otherNames: [{ type: 'uri', value: 'https://example.com/' }] }, 'PROFILE_VIOLATION'],
    ['6.1.5, RSA of 1024 bits', { csrPem: weak }, 'KEY_ALGORITHM_UNSUPPORTED'],
    ...(['ed25519', 'ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87', 'ec-521'] as const).map((algorithm): [string, Wish, string] => [`6.1.5, ${algorithm}`, { algorithm }, 'KEY_ALGORITHM_UNSUPPORTED']),
    ['not an issuer of public style', { issuerId: undefined } as unknown as Wish, 'PROFILE_VIOLATION'],
  ]
  for (const [title, wish, code] of cases) await assert.rejects(world.leaf(`refused ${title}`, wish), { code }, title)
  const rows = await world.database.db.selectFrom('ca_certificate').select('profile').where('profile', '=', 'public-server').execute()
  assert.deepEqual(rows, [], 'nothing was recorded')
})

test('an issuer of public style signs nothing private, and none is made that the Requirements do not allow', { timeout: 300_000 }, async (t) => {
  const world = await publicWorld(t)
  const { ca, root, sub, leaf } = world
  await assert.rejects(leaf('private', { profile: 'server' }), { code: 'PROFILE_VIOLATION', message: /public style/ })
  // 6.1.7: a root's key signs no server certificates; RFC 5280, 6.1.3: a policy that its issuer does not have counts for nothing.
  await assert.rejects(leaf('by the root', { issuerId: root.id }), { code: 'PROFILE_VIOLATION', message: /is a root/ })
  await assert.rejects(leaf('a CA below', { profile: 'public-subordinate-ca', names: [], commonName: 'Below', subject: publicSubject }), { code: 'PROFILE_VIOLATION', message: /path length/ })
  await addProfile(world, 'ov', { policies: ['2.23.140.1.2.2'], subjectAttributes: ['C', 'L', 'O'], requiredAttributes: ['C', 'L', 'O'] })
  await assert.rejects(leaf('ov', { profile: 'ov', subject: [...publicSubject, { type: 'L', value: 'Berlin' }] }), { code: 'PROFILE_VIOLATION', message: /does not have the policy 2\.23\.140\.1\.2\.2/ })
  await assert.rejects(ca.issuerService.takeSlot(sub.id), { code: 'ACTION_NOT_POSSIBLE' })
  const wish = { name: 'x', commonName: 'X', subject: publicSubject, profile: 'public-subordinate-ca', keyAlgorithm: 'ec-256' as const, signedBy: root.id, validityDays: 1826, settings: { pathLength: 0 } }
  const rootWish = { ...wish, signedBy: 'self' as const, validityDays: 5478, settings: {} }
  const privateRoot = (await ca.issuers()).find(({ slot }) => slot === 'root')
  const cases: [string, Parameters<typeof ca.issuerService.create>[0], string][] = [
    ['7.1.2.10.2, country', { ...wish, subject: [{ type: 'O', value: 'Example' }] }, 'PROFILE_VIOLATION'], ['7.1.2.10.2, unit', { ...wish, subject: [...publicSubject, { type: 'OU', value: 'CA' }] }, 'PROFILE_VIOLATION'],
    ['6.1.5, key', { ...wish, keyAlgorithm: 'ed25519' }, 'KEY_ALGORITHM_UNSUPPORTED'], ['7.1.3.2.2, digest', { ...wish, settings: { pathLength: 0, hash: 'sha512' } }, 'PROFILE_VIOLATION'],
    ['7.1.2.10.8, constraints without directory names', { ...wish, settings: { pathLength: 0, nameConstraints: { permitted: [{ type: 'dns', value: 'example.com' }], excluded: [] } } }, 'PROFILE_VIOLATION'],
    ['too long', { ...wish, validityDays: 3653 }, 'PROFILE_VIOLATION'], ['by a private profile', { ...wish, profile: 'subordinate-ca' }, 'PROFILE_VIOLATION'], ['under a private root', { ...wish, signedBy: privateRoot?.id ?? null }, 'PROFILE_VIOLATION'],
    ['not a profile for CAs', { ...wish, profile: 'public-server' }, 'PROFILE_VIOLATION'],
    ['7.1.2.1.1, root for too short', { ...rootWish, validityDays: 2921 }, 'PROFILE_VIOLATION'], ['7.1.2.1.1, root for too long', { ...rootWish, validityDays: 9133 }, 'PROFILE_VIOLATION'],
    ['7.1.2.1.4, path length of a root', { ...rootWish, settings: { pathLength: 1 } }, 'PROFILE_VIOLATION'], ['7.1.2.10.2, root without country', { ...rootWish, subject: [] }, 'PROFILE_VIOLATION'],
    ['4.9.10, answers', { ...wish, settings: { pathLength: 0, ocspMinutes: 60 } }, 'INPUT_INVALID'], ['7.2, lists', { ...wish, settings: { pathLength: 0, crlHours: 241 } }, 'INPUT_INVALID'], ['7.2, lists of a root', { ...rootWish, settings: { crlHours: 8784 } }, 'INPUT_INVALID'],
  ]
  const before = (await ca.issuers()).length
  for (const [title, one, code] of cases) await assert.rejects(ca.issuerService.create(one), { code }, title)
  assert.equal((await ca.issuers()).length, before)
  await assert.rejects(ca.issuerService.configure(sub.id, { ocspMinutes: 479 }), { code: 'INPUT_INVALID' })
  await assert.rejects(ca.issuerService.configure(sub.id, { crlHours: 241 }), { code: 'INPUT_INVALID' })
  await ca.issuerService.configure(sub.id, { ocspMinutes: 480, crlHours: 240 })
  await ca.issuerService.configure(root.id, { crlHours: 8760 })
})

test('profiles of public style that are not by the Requirements are refused', () => {
  const rules: ProfileRules = builtInProfiles['public-server']
  const ca: ProfileRules = builtInProfiles['public-subordinate-ca']
  assert.deepEqual([checkRules(rules), checkRules(ca)], [[], []])
  const cases: [string, ProfileRules, RegExp][] = [
    ['6.3.2', { ...rules, maximumValidityDays: 200 }, /maximumValidityDays/], ['7.1.2.7.9', { ...rules, policies: [] }, /policies/], ['7.1.2.7.9, two reserved', { ...rules, policies: ['2.23.140.1.2.1', '2.23.140.1.2.2'] }, /policies/],
    ['7.1.2.7.9, not first', { ...rules, policies: ['1.2.3', '2.23.140.1.2.1'] }, /policies/], ['7.1.2.7.10', { ...rules, extendedKeyUsage: ['serverAuth', 'emailProtection'] }, /emailProtection/], ['7.1.2.7.10, none', { ...rules, extendedKeyUsage: ['clientAuth'] }, /serverAuth/],
    ['7.1.2.7.11', { ...rules, keyUsage: ['keyEncipherment'] }, /digitalSignature/], ['7.1.2.7.11, more', { ...rules, keyUsage: ['digitalSignature', 'dataEncipherment'] }, /keyUsage/],
    ['7.1.2.7.2', { ...rules, subjectAttributes: ['O'] }, /subjectAttributes: O/], ['7.1.2.7.4', { ...rules, policies: ['2.23.140.1.2.2'], subjectAttributes: ['C', 'O'], requiredAttributes: ['C', 'O'] }, /L or ST/],
    ['7.1.2.7.5, wildcards', { ...rules, policies: ['2.23.140.1.1'] }, /wildcards/], ['7.1.2.7.12', { ...rules, names: { ...rules.names, types: ['dns', 'email'] } }, /names\.types/], ['7.1.2.7.12, none', { ...rules, names: { ...rules.names, required: false } }, /names\.required/],
    ['6.1.5', { ...rules, keyAlgorithms: ['ed25519'] }, /ed25519/], ['7.1.2.6, backdating', { ...ca, backdateMinutes: 1441 }, /backdateMinutes/], ['7.1.2.10.2', { ...ca, requiredAttributes: ['C'] }, /O is needed/],
    ['7.1.2.10.5', { ...ca, policies: ['1.2.3'] }, /policies/], ['7.1.2.10.5, two', { ...ca, policies: ['2.23.140.1.2.1', '2.23.140.1.2.2'] }, /policies: just one/], ['7.1.2.10.5, both', { ...ca, policies: ['2.23.140.1.2.1', '2.5.29.32.0'] }, /alone/], ['7.1.2.10.6', { ...ca, extendedKeyUsage: ['serverAuth', 'ocspSigning'] }, /ocspSigning/],
    ['7.1.2.10.7', { ...ca, keyUsage: ['keyCertSign'] }, /cRLSign/], ['7.1.2.8', { ...builtInProfiles['ocsp-responder'], style: 'public' }, /kind/],
  ]
  for (const [title, one, expected] of cases) assert.match(checkRules(one).join('\n'), expected, title)
})

test('revocation and lists: 4.9.1, 4.9.7, 7.2', { timeout: 120_000 }, async (t) => {
  const world = await publicWorld(t, { root: 'ec-384', sub: 'ec-256', settings: { crlShards: 2 } })
  const { ca, clock, leaf, root, rowOf, sub } = world
  const allowed: RevocationReason[] = ['keyCompromise', 'affiliationChanged', 'superseded', 'cessationOfOperation', 'privilegeWithdrawn', 'unspecified']
  const serials = new Map<string, string>()
  for (const reason of allowed) {
    serials.set((await leaf(reason, { ownKey: true })).serialNumber, reason)
    await ca.revocation.revoke((await rowOf(reason)).id, { reason })
  }
  await leaf('kept')
  const kept = await rowOf('kept')
  for (const reason of ['cACompromise', 'aACompromise'] as const) await assert.rejects(ca.revocation.revoke(kept.id, { reason }), { code: 'INPUT_INVALID', message: /public style/ })
  await assert.rejects(ca.revocation.suspend(kept.id), { code: 'ACTION_NOT_POSSIBLE', message: /can not be suspended/ })
  assert.equal((await rowOf('kept')).status, 'good')

  const list = readCrl(await world.crl(sub))
  assert.equal(list.signatureAlgorithm, 'ecdsa-with-SHA256')
  assert.deepEqual([list.issuer, list.authorityKeyId, list.scope, list.unknownCritical], [factsOf(sub).subject, factsOf(sub).subjectKeyId, null, []])
  assert.match(list.number ?? '', /^[0-9a-f]{1,40}$/)
  assert.ok(list.nextUpdate && list.nextUpdate.getTime() - list.thisUpdate.getTime() <= 10 * day)
  const entries = [...list.entries()]
  assert.deepEqual(new Map(entries.map(({ serialNumber, reason }) => [serialNumber, reason ?? 'none'])), new Map([...serials].map(([serial, reason]) => [serial, reason === 'unspecified' ? 'none' : reason]))) // 7.2.2: unspecified is not written
  const shards = [readCrl(await world.crl(sub, 0)), readCrl(await world.crl(sub, 1))]
  assert.deepEqual(shards.map(({ scope }) => scope?.addresses), [[publicAddresses.crl(sub.id, 0)], [publicAddresses.crl(sub.id, 1)]]) // 7.2.2.1
  assert.equal(shards.reduce((sum, { entryCount }) => sum + entryCount, 0), allowed.length)

  // Of a CA certificate the reason has to be told (7.2.2).
  const subRow = await rowOf(`issuer:${sub.id}`)
  for (const reason of ['unspecified', 'aACompromise'] as const) await assert.rejects(ca.revocation.revoke(subRow.id, { reason }), { code: 'INPUT_INVALID' })
  await ca.revocation.revoke(subRow.id, { reason: 'cACompromise' })
  clock.now = new Date(publicStart.getTime() + 1000)
  const rootList = readCrl(await world.crl(root))
  assert.deepEqual([...rootList.entries()].map(({ serialNumber, reason }) => [serialNumber, reason]), [[factsOf(sub).serialNumber, 'cACompromise']])
  assert.ok(rootList.nextUpdate && rootList.nextUpdate.getTime() - rootList.thisUpdate.getTime() <= 365 * day)
})

test('OCSP: 4.9.9, 4.9.10, 7.1.2.8, 7.3', { timeout: 120_000 }, async (t) => {
  const { ca, leaf, ocsp, root, rowOf, sub } = await publicWorld(t)
  const [good, revoked] = [await leaf('good'), await leaf('revoked')]
  await ca.revocation.revoke((await rowOf('revoked')).id, { reason: 'unspecified' })
  for (const [serial, status] of [[good.serialNumber, 'good'], [revoked.serialNumber, 'revoked'], ['00ff'.repeat(8).slice(2), 'unknown']] as const) {
    const answer = await ocsp(sub, serial)
    const read = readOcspResponse(answer)
    assert.ok(read.status === 'successful')
    const [single] = read.responses
    assert.ok(single && single.nextUpdate && read.responses.length === 1)
    // Never good for a number that was not given out; no reason where none was told.
    assert.deepEqual(typeof single.status === 'string' ? single.status : { revoked: true, reason: single.status.reason }, status === 'revoked' ? { revoked: true, reason: undefined } : status)
    const hours = (single.nextUpdate.getTime() - single.thisUpdate.getTime()) / 3_600_000
    assert.ok(hours >= 8 && hours <= 240, `${hours} hours`)
    const responder = responderIn(answer)
    checkBasics(responder, factsOf(sub), 'ec-256')
    assert.deepEqual(fieldsOf(responder), ['C=DE', 'O=Example Trust Services', 'CN=OCSP public sub'])
    assert.deepEqual(extensionsOf(responder), [basicConstraints, keyUsage, extendedUsage, subjectKey, authorityKey, noCheck])
    assert.deepEqual([responder.keyUsage?.usages, responder.extendedKeyUsage?.usages, responder.isCa, responder.ocspNoCheck], [['digitalSignature'], ['ocspSigning'], false, true])
  }
  const rootAnswer = readOcspResponse(await ocsp(root, factsOf(sub).serialNumber))
  assert.ok(rootAnswer.status === 'successful')
  assert.equal(rootAnswer.responses[0]?.status, 'good')
})

test('without an address that others can reach nothing of public style is signed: 7.1.2.11.2', async (t) => {
  const { ca } = await caWorld(t, await emptyDatabase(t), { addresses: () => undefined })
  const wish = { subject: publicSubject, profile: 'public-subordinate-ca', keyAlgorithm: 'ec-256' as const, validityDays: 3000 }
  const root = await ca.issuerService.create({ ...wish, name: 'root', commonName: 'Root', signedBy: 'self' })
  await assert.rejects(ca.issuerService.create({ ...wish, name: 'sub', commonName: 'Sub', signedBy: root.id, settings: { pathLength: 0 } }), { code: 'PROFILE_VIOLATION', message: /pki-url/ })
})

test('an imported CA is of public style when that is said and its certificate is so', { timeout: 120_000 }, async (t) => {
  const { ca, rowOf } = await publicWorld(t)
  const [rootKey, subKey] = [await generateKey('ec-384'), await generateKey('ec-256')]
  const { file, run } = opensslFolder(t)
  const fields = 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
  const root = run('req', '-x509', '-new', '-sha384', '-key', file(rootKey), '-days', '9000', '-subj', '/C=DE/O=Example/CN=Elsewhere R1', '-addext', 'keyUsage=critical,keyCertSign,cRLSign')
  const sign = (subject: string, more: string) => run('x509', '-req', '-in', file(run('req', '-new', '-key', file(subKey), '-subj', subject)), '-CA', file(root), '-CAkey', file(rootKey), '-set_serial', '0x4f6a52f2a1b0c3d4e5f60718', '-days', '8000', '-extfile', file(fields + more))
  const good = sign('/C=DE/O=Example/CN=Elsewhere T1', 'extendedKeyUsage=serverAuth\ncertificatePolicies=2.23.140.1.2.1')
  for (const [title, bad] of [['no country', sign('/O=Example/CN=T1', 'extendedKeyUsage=serverAuth\ncertificatePolicies=2.23.140.1.2.1')], ['no usage', sign('/C=DE/O=Example/CN=T1', 'certificatePolicies=2.23.140.1.2.1')], ['no policies', sign('/C=DE/O=Example/CN=T1', 'extendedKeyUsage=serverAuth')]] as const) {
    await assert.rejects(ca.issuerService.import({ name: title, certificatesPem: bad + root, keyPem: subKey, style: 'public' }), { code: 'ISSUER_MISMATCH' }, title)
  }
  const { id, settings } = await ca.issuerService.import({ name: 'elsewhere', certificatesPem: good + root, keyPem: subKey, style: 'public' })
  assert.deepEqual([settings.style, settings.ocspMinutes], ['public', 2880])
  const names = ['shop.example.com']
  const csrPem = await createCsr({ privateKeyPem: await generateKey('ec-256'), names })
  const issued = await ca.issue({ reference: 'x', csrPem, names, commonName: null, profile: 'public-server', validityDays: null, issuerId: id })
  assert.equal(issued.chainPem.length, 2)
  await assert.rejects(ca.revocation.suspend((await rowOf('x')).id), { code: 'ACTION_NOT_POSSIBLE' })
})
