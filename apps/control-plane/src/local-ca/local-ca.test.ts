import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { keyAlgorithms, type KeyAlgorithm } from '@certloop/contract'
import { createCsr, generateKey, isIssuedBy, isSelfSigned, readCertificate, splitPem, toPem } from '@certloop/pki'
import { emptyDatabase, testOnDatabases } from '../database/database-testing.ts'
import type { Database } from '../database/database.ts'
import { createSecrets } from '../secret/secrets.ts'
import type { Call } from '@certloop/plugin-kit'
import { localCaAuthority } from './local-ca-authority.ts'
import { findIssued } from './issued-store.ts'
import { listIssuers } from './issuer-store.ts'
import { createLocalCa, type LocalCa, type LocalIssued } from './local-ca.ts'
import type { IssueOptions } from './issue-request.ts'

const start = new Date('2026-03-01T12:00:00.500Z')
const days = (n: number) => n * 86_400_000
const masterKey = randomBytes(32)

async function caOn(database: Database, now: () => Date = () => start): Promise<LocalCa> {
  return createLocalCa({ database, secrets: await createSecrets({ database, masterKey, now }), now })
}
async function readyCa(database: Database, now?: () => Date): Promise<LocalCa> {
  const ca = await caOn(database, now)
  await ca.ensureHierarchy()
  return ca
}
const cached = new Map<KeyAlgorithm, Promise<string>>()
function keyOf(algorithm: KeyAlgorithm): Promise<string> {
  const made = cached.get(algorithm) ?? generateKey(algorithm)
  cached.set(algorithm, made)
  return made
}
async function requestFor(reference: string, o: Partial<IssueOptions> & { algorithm?: KeyAlgorithm; csrNames?: string[]; csrCommonName?: string | null } = {}): Promise<IssueOptions & { csrPem: string }> {
  const { algorithm = 'ec-256', csrNames, csrCommonName, ...given } = o
  const names = given.names ?? ['shop.example', '192.0.2.1']
  const commonName = given.commonName ?? null
  const csrPem = await createCsr({ privateKeyPem: await keyOf(algorithm), commonName: csrCommonName === undefined ? commonName : csrCommonName, names: csrNames ?? names })
  return { reference, validityDays: null, profile: 'server', ...given, csrPem, names, commonName }
}
const leafOf = ({ chainPem }: LocalIssued) => readCertificate(chainPem[0] ?? '')

/** All but the intermediate itself. */
const issuedTo = (database: Database) => database.db.selectFrom('ca_certificate').selectAll().where('profile', '!=', 'subordinate-ca').execute()

/** What openssl says: throws with its words when the chain does not verify. */
function opensslVerify(t: TestContext, issued: LocalIssued, purpose: string, at: Date): string {
  const folder = mkdtempSync(join(tmpdir(), 'certloop-ca-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const [leaf = '', intermediate = ''] = issued.chainPem
  for (const [name, pem] of Object.entries({ leaf, intermediate, root: issued.rootPem })) writeFileSync(join(folder, name), pem)
  execFileSync('openssl', ['verify', '-x509_strict', '-purpose', purpose, '-attime', String(Math.floor(at.getTime() / 1000)), '-CAfile', join(folder, 'root'), '-untrusted', join(folder, 'intermediate'), join(folder, 'leaf')], { stdio: 'pipe' })
  return execFileSync('openssl', ['x509', '-noout', '-text', '-in', join(folder, 'leaf')], { encoding: 'utf8' })
}

testOnDatabases('root and intermediate are made once, sealed, and survive a restart', async (_t, database) => {
  const ca = await readyCa(database)
  const rows = await listIssuers(database.db)
  assert.deepEqual(rows.map(({ slot, keyAlgorithm, status }) => `${slot} ${keyAlgorithm} ${status}`).toSorted((a, b) => (a < b ? -1 : 1)), ['intermediate ec-256 active', 'root ec-384 active'])
  const [root, intermediate] = ['root', 'intermediate'].map((slot) => readCertificate(rows.find((row) => row.slot === slot)?.certificate?.certificatePem ?? ''))
  assert.ok(root && intermediate)
  assert.ok(isSelfSigned(root) && isIssuedBy(intermediate, root) && root.isCa && intermediate.isCa)
  assert.equal((root.notAfter.getTime() - root.notBefore.getTime() + 1000) / days(1), 3652)
  assert.equal((intermediate.notAfter.getTime() - intermediate.notBefore.getTime() + 1000) / days(1), 1826)
  assert.ok(!JSON.stringify(await database.db.selectFrom('ca_issuer').selectAll().execute()).includes('PRIVATE KEY'))
  assert.equal(await ca.trustAnchorPin(), root.spkiDigest)
  const restarted = await readyCa(database)
  assert.equal(await restarted.trustAnchorPem(), root.pem)
  assert.equal((await restarted.issuers()).length, 2)
})

testOnDatabases('replicas that start at once make one hierarchy', async (_t, database) => {
  const replicas = await Promise.all(Array.from({ length: 4 }, () => caOn(database)))
  await Promise.all(replicas.map((ca) => ca.ensureHierarchy()))
  assert.equal((await listIssuers(database.db)).length, 2)
  assert.equal(new Set(await Promise.all(replicas.map((ca) => ca.trustAnchorPin()))).size, 1)
  const [a, b] = await Promise.all([0, 1].map(async (i) => leafOf(await (replicas[i] as LocalCa).issue(await requestFor(`ord_${i}`)))))
  assert.equal(a?.issuer, b?.issuer)
})

// ML-DSA came to openssl with version 3.5; what is certified for such keys is looked at in packages/pki.
for (const algorithm of keyAlgorithms.filter((one) => !one.startsWith('ml-dsa'))) {
  test(`openssl accepts a server certificate for ${algorithm}`, { timeout: 120_000 }, async (t) => {
    const ca = await readyCa(await emptyDatabase(t))
    const issued = await ca.issue(await requestFor('ord_1', { algorithm, names: ['shop.example', '*.shop.example', '2001:db8::1'] }))
    const text = opensslVerify(t, issued, 'sslserver', start)
    assert.match(text, algorithm.startsWith('rsa') ? /Key Usage: critical\n\s+Digital Signature, Key Encipherment\n/ : /Key Usage: critical\n\s+Digital Signature\n/)
    assert.match(text, /Extended Key Usage: \n\s+TLS Web Server Authentication\n/)
    assert.match(text, /Subject Alternative Name: critical\n\s+DNS:shop\.example, DNS:\*\.shop\.example, IP Address:2001:DB8/)
    assert.match(text, /Basic Constraints: critical\n\s+CA:FALSE/)
    assert.deepEqual([leafOf(issued).names, leafOf(issued).keyAlgorithm], [['shop.example', '*.shop.example', '2001:db8::1'], algorithm])
    assert.throws(() => opensslVerify(t, issued, 'sslclient', start), /unsupported certificate purpose|unsuitable certificate purpose/i)
    assert.throws(() => opensslVerify(t, issued, 'sslserver', new Date(start.getTime() + days(90))), /expired/)
  })
}

const lifetimes: [string, number][] = [['server', 90], ['control-plane', 30], ['bot-identity', 365]]
for (const [profile, defaultDays] of lifetimes) {
  test(`the profile ${profile} lasts ${defaultDays} days, begins an hour ago and ends on a whole second`, async (t) => {
    const ca = await readyCa(await emptyDatabase(t))
    const issued = await ca.issue(await requestFor('a', profile === 'bot-identity' ? { profile, names: [], commonName: 'bot_1', algorithm: 'ed25519' } : { profile }))
    const leaf = leafOf(issued)
    assert.equal(leaf.notBefore.toISOString(), '2026-03-01T11:00:00.000Z')
    assert.equal(leaf.notAfter.getTime() - leaf.notBefore.getTime(), days(defaultDays) - 1000)
    opensslVerify(t, issued, profile === 'bot-identity' ? 'sslclient' : 'sslserver', start)
    assert.equal(leafOf(await ca.issue(await requestFor('b', { validityDays: 7 }))).notAfter.toISOString(), '2026-03-08T10:59:59.000Z')
  })
}

test('the subject alternative name is critical only where there is no common name', async (t) => {
  const ca = await readyCa(await emptyDatabase(t))
  const text = opensslVerify(t, await ca.issue(await requestFor('a', { commonName: 'shop.example' })), 'sslserver', start)
  assert.match(text, /Subject: CN = shop\.example\n/)
  assert.match(text, /Subject Alternative Name: \n/)
})

test('a request with its common name before the rest of the subject is the same wish', async (t) => {
  const ca = await readyCa(await emptyDatabase(t))
  const subject = [{ type: 'CN', value: 'shop.example' }, { type: 'O', value: 'Shop' }]
  const csrPem = await createCsr({ privateKeyPem: await generateKey('ec-256'), subject, names: ['shop.example'] })
  const issued = await ca.issue({ reference: 'a', csrPem, names: ['shop.example'], commonName: 'shop.example', subject: [{ type: 'O', value: 'Shop' }], profile: 'server', validityDays: null })
  assert.deepEqual(leafOf(issued).subjectFields.map(({ type, value }) => `${type}=${value}`), ['O=Shop', 'CN=shop.example'])
})

test('an issuer caps what it signs, and refuses when less than a day remains', async (t) => {
  let time = start
  const ca = await readyCa(await emptyDatabase(t), () => time)
  const end = (await ca.issuers()).find(({ slot }) => slot === 'intermediate')?.certificate?.notAfter
  assert.ok(end)
  time = new Date(end.getTime() - days(1))
  assert.deepEqual(leafOf(await ca.issue(await requestFor('a'))).notAfter, end)
  time = new Date(time.getTime() + 1)
  await assert.rejects(ca.issue(await requestFor('b')), { code: 'ISSUER_EXPIRED' })
  assert.equal(await ca.findByReference('b'), undefined)
})

testOnDatabases('one reference gives one certificate: again, at once, on two replicas', async (_t, database) => {
  const [one, two] = [await readyCa(database), await readyCa(database)]
  const request = await requestFor('ord_1')
  const all = await Promise.all(Array.from({ length: 8 }, (_, i) => (i % 2 ? one : two).issue(request)))
  assert.equal(new Set(all.map(({ chainPem }) => chainPem.join())).size, 1)
  assert.deepEqual(await one.issue(request), all[0])
  assert.deepEqual(await two.findByReference('ord_1'), all[0])
  assert.equal((await issuedTo(database)).length, 1)
  assert.notEqual(leafOf(await one.issue(await requestFor('ord_2'))).serialNumber, leafOf(all[0] as LocalIssued).serialNumber)
})

/** The database as seen by a process that is cut off at its k-th statement. */
function cutOffAt(database: Database, k: number): { database: Database; statements: () => number } {
  let count = 0
  const db = database.db.withPlugin({
    transformQuery({ node }) {
      if (++count === k) throw new Error('cut off')
      return node
    },
    transformResult: async ({ result }) => result,
  })
  return { database: { ...database, db }, statements: () => count }
}

testOnDatabases('cut off at any statement, the repeat gives the serial number that was recorded and one certificate', async (_t, database) => {
  let time = start
  const now = () => time
  const secrets = await createSecrets({ database, masterKey, now })
  const ca = createLocalCa({ database, secrets, now })
  await ca.ensureHierarchy()
  const counted = cutOffAt(database, 0)
  await createLocalCa({ database: counted.database, secrets, now }).issue(await requestFor('ord_0'))
  assert.ok(counted.statements() >= 4, `${counted.statements()} statements`)
  let intents = 0
  for (let k = 1; k <= counted.statements(); k++) {
    time = start
    const request = await requestFor(`ord_${k}`)
    await assert.rejects(createLocalCa({ database: cutOffAt(database, k).database, secrets, now }).issue(request), /cut off/)
    const intent = await findIssued(database.db, request.reference)
    assert.equal(await ca.findByReference(request.reference), undefined)
    time = new Date(start.getTime() + days(2))
    const leaf = leafOf(await ca.issue(request))
    if (intent) {
      intents++
      assert.deepEqual([intent.status, intent.certificatePem, intent.serialNumber, intent.notBefore], ['intended', null, leaf.serialNumber, leaf.notBefore.toISOString()])
    }
    const stored = await findIssued(database.db, request.reference)
    assert.deepEqual([stored?.status, stored?.serialNumber, stored?.fingerprint, stored?.certificatePem], ['good', leaf.serialNumber, leaf.fingerprint, leaf.pem])
  }
  assert.ok(intents >= 1)
  assert.equal((await issuedTo(database)).length, counted.statements() + 1)
})

test('a reference is not used for two requests', async (t) => {
  const ca = await readyCa(await emptyDatabase(t))
  await ca.issue(await requestFor('ord_1'))
  await assert.rejects(ca.issue(await requestFor('ord_1', { names: ['other.example'] })), { code: 'CONFLICT' })
  await assert.rejects(ca.issue(await requestFor('ord_1', { algorithm: 'ec-384' })), { code: 'CONFLICT' })
  await assert.rejects(ca.issue(await requestFor('ord_1', { profile: 'control-plane' })), { code: 'CONFLICT' })
})

test('what is not just what was asked is refused, and leaves no row', async (t) => {
  const database = await emptyDatabase(t)
  const ca = await readyCa(database)
  const good = await requestFor('x')
  const tampered = Buffer.from(splitPem(good.csrPem)[0]?.der ?? '')
  tampered[tampered.length - 1] = (tampered.at(-1) ?? 0) ^ 1
  const cases: [Promise<IssueOptions> | IssueOptions, string][] = [
    [requestFor('x', { csrNames: ['shop.example'] }), 'CSR_MISMATCH'],
    [requestFor('x', { csrNames: ['shop.example', '192.0.2.1', 'admin.example'] }), 'CSR_MISMATCH'],
    [requestFor('x', { csrCommonName: 'shop.example' }), 'CSR_MISMATCH'],
    [requestFor('x', { keyAlgorithm: 'rsa-2048' }), 'CSR_MISMATCH'],
    [{ ...good, names: ['a b'] }, 'NAME_INVALID'],
    [{ ...good, names: [] }, 'NAME_INVALID'],
    [{ ...good, names: Array.from({ length: 300 }, (_, i) => `h${i}.example`) }, 'TOO_MANY_NAMES'],
    [requestFor('x', { commonName: 'other.example' }), 'NAME_INVALID'],
    [requestFor('x', { profile: 'bot-identity', names: [] }), 'PROFILE_VIOLATION'],
    [{ ...good, csrPem: 'no request' }, 'CSR_INVALID'],
    [{ ...good, csrPem: toPem('CERTIFICATE REQUEST', tampered) }, 'CSR_INVALID'],
    [{ ...good, validityDays: 0 }, 'INPUT_INVALID'], [{ ...good, validityDays: 1.5 }, 'INPUT_INVALID'], [{ ...good, validityDays: 5000 }, 'PROFILE_VIOLATION'], [{ ...good, profile: 'none such' }, 'NOT_FOUND'],
  ]
  for (const [request, code] of cases) await assert.rejects(ca.issue(await request), { code })
  const weak = execFileSync('openssl', ['req', '-new', '-nodes', '-newkey', 'rsa:1024', '-keyout', '/dev/null', '-subj', '/', '-addext', 'subjectAltName=DNS:shop.example,IP:192.0.2.1'], { encoding: 'utf8', stdio: 'pipe' })
  await assert.rejects(ca.issue({ ...good, csrPem: weak }), { code: 'KEY_ALGORITHM_UNSUPPORTED' })
  assert.deepEqual(await issuedTo(database), [])
})

test('before the hierarchy is made nothing is issued', async (t) => {
  const ca = await caOn(await emptyDatabase(t))
  await assert.rejects(ca.issue(await requestFor('x')), { code: 'INTERNAL' })
})

test('as an authority it issues server certificates and finds them again', async (t) => {
  const database = await emptyDatabase(t)
  const authority = localCaAuthority(await readyCa(database), { db: database.db, profile: 'server', now: () => new Date() })
  const { csrPem, names } = await requestFor('ord_1')
  const call: Call = { signal: new AbortController().signal, note: () => {}, keep: async () => {} }
  const request = { reference: 'ord_1', csrPem, names, commonName: null, keyAlgorithm: 'ec-256', validityDays: null } as const
  assert.equal(await authority.find?.(request, call), undefined)
  const issued = await authority.submit(request, call)
  assert.equal(issued.state === 'issued' && issued.chainPem.length, 2)
  assert.deepEqual(await authority.find?.(request, call), issued)
  assert.deepEqual(await authority.proceed(request, {}, call), issued)
  await assert.rejects(authority.proceed({ ...request, reference: 'ord_2' }, {}, call), { code: 'ORDER_EXPIRED' })
  await assert.rejects(authority.submit({ ...request, reference: 'ord_2', keyAlgorithm: 'rsa-4096' }, call), { code: 'CSR_MISMATCH' })
})
