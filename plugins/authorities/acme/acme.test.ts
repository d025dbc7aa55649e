import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { generateKey, readCertificate } from '@certloop/pki'
import type { ProofWay, WantedProof } from '@certloop/plugin-kit'
import { leftOut, startPebble, type RunningPebble } from '@certloop/test-kit'
import { drive, testCall, testConnector, testMemory, testRequest } from './acme-testing.ts'
import { alpnServer } from './tls-alpn-testing.ts'

const skip = leftOut('pebble')
const fieldsOf = (pebble: RunningPebble) => ({ directoryUrl: pebble.directoryUrl, trustPem: pebble.trustPem, httpPort: pebble.httpPort, tlsPort: pebble.tlsPort })
const code = (expected: string, message = /./) => (error: unknown) => {
  assert.ok(error instanceof CertloopError, String(error))
  assert.equal(error.code, expected, error.message)
  assert.match(error.message, message)
  return true
}
const issuedBefore = (pem: string) => {
  const { fingerprint, serialNumber } = readCertificate(pem)
  return { certificatePem: pem, fingerprint, serialNumber, reference: 'ord_test' }
}
const proofsOf = (progress: { state: string; proofs?: WantedProof[] }): WantedProof[] => {
  assert.equal(progress.state, 'proving')
  return progress.proofs ?? []
}

test('issues for a name proven by HTTP; every step is in the timeline, the root is left out', { skip }, async (t) => {
  const pebble = await startPebble(t, { strict: true })
  const { connector } = testConnector(fieldsOf(pebble))
  const { chainPem, call } = await drive(connector, await testRequest(['shop.example.com']), pebble.challenges)
  const [leaf = '', ...issuers] = chainPem
  assert.deepEqual(readCertificate(leaf).names, ['shop.example.com'])
  assert.equal(issuers.length, 1)
  assert.ok(new X509Certificate(issuers[0] ?? '').verify(new X509Certificate(await pebble.root()).publicKey))
  assert.deepEqual(pebble.counts(), { accounts: 1, orders: 1, finalized: 1 })
  assert.match(call.notes.join('\n'), /Made the account .*\nOrdered at Test CA: .*\nHanded the certificate request in.*\nFetched the certificate/)
})

test('issues from a hostile directory: half of the nonces refused, late looks, long alternate chains, proofs used again', { skip, timeout: 120_000 }, async (t) => {
  const pebble = await startPebble(t, { strict: true, rejectNoncesPercent: 50, sleepSeconds: 2, alternateRoots: 2, chainLength: 3, reusePercent: 50 })
  const other = readCertificate(await pebble.root(2)).commonName ?? ''
  const { connector } = testConnector({ ...fieldsOf(pebble), preferredChain: other })
  const names = ['example.com', '*.example.com', 'www.example.com']
  const first = await drive(connector, await testRequest(names), pebble.challenges, { patient: true })
  assert.equal(first.chainPem.length, 4)
  assert.equal(readCertificate(first.chainPem.at(-1) ?? '').issuer, `CN=${other}`)
  assert.deepEqual(readCertificate(first.chainPem[0] ?? '').names.toSorted(), names.toSorted())
  await drive(connector, await testRequest(names), pebble.challenges, { patient: true })
  assert.equal(pebble.counts().finalized, 2)
})

test('takes the usual chain where the preferred one is not offered, and says so', { skip }, async (t) => {
  const pebble = await startPebble(t, { alternateRoots: 1, alwaysValid: true })
  const { connector } = testConnector({ ...fieldsOf(pebble), preferredChain: 'No Such Root' })
  const { chainPem, call } = await drive(connector, await testRequest(['a.example.com']), pebble.challenges)
  assert.equal(readCertificate(chainPem.at(-1) ?? '').issuer, readCertificate(await pebble.root()).subject)
  assert.match(call.notes.join('\n'), /no chain up to "No Such Root".*Offered: "Pebble Root CA \w+", "Pebble Root CA \w+"/)
})

test('issues for a hundred names with one order and one certificate', { skip, timeout: 120_000 }, async (t) => {
  const pebble = await startPebble(t, { strict: true })
  const { connector } = testConnector(fieldsOf(pebble))
  const names = Array.from({ length: 100 }, (_, index) => `host${index}.example.com`)
  const { chainPem } = await drive(connector, await testRequest(names), pebble.challenges)
  assert.equal(readCertificate(chainPem[0] ?? '').names.length, 100)
  assert.deepEqual(pebble.counts(), { accounts: 1, orders: 1, finalized: 1 })
})

test('proves a name and its wildcard by two records at one name', { skip }, async (t) => {
  const pebble = await startPebble(t, { strict: true })
  const { connector } = testConnector(fieldsOf(pebble))
  const request = await testRequest(['example.com', '*.example.com'])
  const proofs = proofsOf(await connector.submit(request, testCall()))
  const records = proofs.flatMap(({ name, wildcard, ways }) => ways.flatMap((way) => (way.kind === 'dns' ? [{ name, wildcard, at: way.recordName, value: way.value, persist: way.persist }] : [])))
  assert.deepEqual(records.map(({ value: _value, ...rest }) => rest).toSorted((a, b) => Number(a.wildcard) - Number(b.wildcard)), [
    { name: 'example.com', wildcard: false, at: '_acme-challenge.example.com', persist: false }, { name: 'example.com', wildcard: true, at: '_acme-challenge.example.com', persist: false },
  ])
  assert.notEqual(records[0]?.value, records[1]?.value)
  assert.deepEqual(proofs.filter(({ wildcard }) => wildcard).flatMap(({ ways }) => ways.map(({ kind }) => kind)), ['dns'])
  const { chainPem } = await drive(connector, request, pebble.challenges, { kind: () => 'dns' })
  assert.deepEqual(readCertificate(chainPem[0] ?? '').names.toSorted(), ['*.example.com', 'example.com'])
})

test('proves a name and an address by TLS-ALPN', { skip }, async (t) => {
  const alpn = await alpnServer(t)
  const pebble = await startPebble(t, { tlsPort: alpn.port })
  const { connector } = testConnector(fieldsOf(pebble))
  const place = async ({ name }: WantedProof, way: ProofWay) => (way.kind === 'tls-alpn' ? alpn.prove(name, way.digest) : undefined)
  for (const name of ['tls.example.com', '127.0.0.1']) {
    const { chainPem } = await drive(connector, await testRequest([name]), pebble.challenges, { kind: () => 'tls-alpn', place })
    assert.deepEqual(readCertificate(chainPem[0] ?? '').names, [name])
  }
  assert.deepEqual([...new Set(alpn.asked)].map((name) => name.replace(/\.$/, '')), ['tls.example.com', '1.0.0.127.in-addr.arpa'])
})

test('issues for an IP address, which no record proves', { skip }, async (t) => {
  const pebble = await startPebble(t)
  const { connector } = testConnector(fieldsOf(pebble))
  const request = await testRequest(['127.0.0.1', 'ip.example.com'])
  const proofs = proofsOf(await connector.submit(request, testCall()))
  assert.deepEqual(proofs.filter(({ type }) => type === 'ip').map(({ name, ways }) => [name, ways.map(({ kind }) => kind).toSorted()]), [['127.0.0.1', ['http', 'tls-alpn']]])
  const { chainPem } = await drive(connector, request, pebble.challenges)
  assert.deepEqual(readCertificate(chainPem[0] ?? '').names.toSorted(), ['127.0.0.1', 'ip.example.com'])
})

test('says what the authority saw where a proof is not there, name by name', { skip }, async (t) => {
  const pebble = await startPebble(t)
  const { connector } = testConnector(fieldsOf(pebble))
  const [request, call] = [await testRequest(['good.example.com', 'bad.example.com']), testCall()]
  const wanted = proofsOf(await connector.submit(request, call))
  for (const { id, ways } of wanted.filter(({ name }) => name === 'bad.example.com')) await connector.prove?.(call.handle ?? {}, { id, wayId: ways.find(({ kind }) => kind === 'http')?.id ?? '' }, call)
  let proofs = wanted
  for (let looks = 0; looks < 200 && !proofs.some(({ state }) => state === 'invalid'); looks++) proofs = proofsOf(await connector.proceed(request, call.handle ?? {}, call))
  const bad = proofs.find(({ name }) => name === 'bad.example.com')
  assert.equal(bad?.error?.code, 'VALIDATION_REFUSED')
  assert.equal(bad.error.facts['names'], 'bad.example.com')
  assert.match(bad.error.message, /^bad\.example\.com by http-01: Test CA looked for the proof and did not accept it: .*\(unauthorized\)\.$/)
  assert.notEqual(proofs.find(({ name }) => name === 'good.example.com')?.state, 'invalid')
  assert.deepEqual(proofs.map(({ id }) => id).toSorted(), wanted.map(({ id }) => id).toSorted())
})

test('makes an account for a customer of the authority alone, whatever alphabet the key comes in', { skip }, async (t) => {
  const key = Buffer.from(Array.from({ length: 48 }, (_, index) => 255 - index)).toString('base64url')
  const pebble = await startPebble(t, { externalAccounts: { 'kid-1': key } })
  const standard = Buffer.from(key, 'base64url').toString('base64')
  assert.notEqual(standard, key)
  await assert.rejects(testConnector(fieldsOf(pebble)).connector.submit(await testRequest(['a.example.com']), testCall()), code('AUTHORITY_ACCOUNT_REFUSED', /customers/))
  await assert.rejects(testConnector({ ...fieldsOf(pebble), eabKeyId: 'kid-1', eabHmacKey: '***' }).connector.submit(await testRequest(['a.example.com']), testCall()), code('AUTHORITY_ACCOUNT_REFUSED', /base64url/))
  await assert.rejects(testConnector({ ...fieldsOf(pebble), eabKeyId: 'kid-2', eabHmacKey: key }).connector.submit(await testRequest(['a.example.com']), testCall()), code('AUTHORITY_ACCOUNT_REFUSED'))
  const { connector } = testConnector({ ...fieldsOf(pebble), eabKeyId: 'kid-1', eabHmacKey: ` ${standard}==\n` })
  await drive(connector, await testRequest(['a.example.com']), pebble.challenges)
  assert.equal(pebble.counts().accounts, 1)
})

test('agrees to terms only where a person did, and names their address', { skip }, async (t) => {
  const pebble = await startPebble(t)
  const { connector, memory } = testConnector({ ...fieldsOf(pebble), termsAgreed: false })
  await assert.rejects(connector.submit(await testRequest(['a.example.com']), testCall()), code('AUTHORITY_TERMS_NOT_AGREED', /data:text/))
  assert.equal(pebble.counts().accounts, 0)
  const { connector: agreed } = testConnector(fieldsOf(pebble), { memory })
  await agreed.submit(await testRequest(['a.example.com']), testCall())
  assert.equal(pebble.counts().accounts, 1)
})

test('goes on with an account that another client made', { skip }, async (t) => {
  const pebble = await startPebble(t)
  const accountKey = await generateKey('rsa-2048')
  const first = testConnector({ ...fieldsOf(pebble), accountKey })
  await first.connector.submit(await testRequest(['a.example.com']), testCall())
  const second = testConnector({ ...fieldsOf(pebble), accountKey, termsAgreed: false })
  await second.connector.submit(await testRequest(['b.example.com']), testCall())
  assert.equal(pebble.counts().accounts, 1)
  assert.deepEqual(await second.connector.facts?.(), await first.connector.facts?.())
})

test('two at once make one account', { skip }, async (t) => {
  const pebble = await startPebble(t)
  const memory = testMemory()
  const requests = await Promise.all(['a', 'b', 'c'].map((host) => testRequest([`${host}.example.com`])))
  await Promise.all(requests.map((request) => testConnector(fieldsOf(pebble), { memory }).connector.submit(request, testCall())))
  assert.equal(new Set(Object.values(memory.present)).size, 1)
  const { connector } = testConnector(fieldsOf(pebble), { memory })
  assert.match((await connector.facts?.())?.['ACME account'] ?? '', /my-account/)
  assert.match(pebble.output(), /There are now 1 accounts/)
  assert.doesNotMatch(pebble.output(), /There are now 2 accounts/)
})

test('revokes with the reason given, and again without complaint', { skip }, async (t) => {
  const pebble = await startPebble(t, { alwaysValid: true })
  const { connector } = testConnector(fieldsOf(pebble))
  const { chainPem: [leaf = ''] } = await drive(connector, await testRequest(['a.example.com']), pebble.challenges)
  const before = issuedBefore(leaf)
  assert.deepEqual(await pebble.statusOf(before.serialNumber), { status: 'Valid', reason: undefined })
  await connector.revoke?.(before, 'superseded')
  assert.deepEqual(await pebble.statusOf(before.serialNumber), { status: 'Revoked', reason: 4 })
  await connector.revoke?.(before, 'superseded')
})

test('names what the authority does not issue for', { skip }, async (t) => {
  const pebble = await startPebble(t, { blocked: ['blocked.example'] })
  const { connector } = testConnector(fieldsOf(pebble))
  await assert.rejects(connector.submit(await testRequest(['a.example.com', 'www.blocked.example']), testCall()), (error) => {
    code('NAME_REFUSED', /www\.blocked\.example/)(error)
    assert.equal((error as CertloopError).facts['names'], 'www.blocked.example')
    return true
  })
  await assert.rejects(connector.submit(await testRequest(['a.example.com'], { profile: 'short' }), testCall()), code('PROFILE_REFUSED', /no profiles/))
})

test('an order that is given up frees what waits for it, and is over', { skip }, async (t) => {
  const pebble = await startPebble(t)
  const { connector } = testConnector(fieldsOf(pebble))
  const [request, call] = [await testRequest(['a.example.com', 'b.example.com']), testCall()]
  await connector.submit(request, call)
  await connector.abandon?.(call.handle ?? {}, call)
  await connector.abandon?.(call.handle ?? {}, call)
  assert.match(call.notes.join('\n'), /2 names are not to be proven any more/)
  await assert.rejects(connector.proceed(request, call.handle ?? {}, call), code('ORDER_EXPIRED'))
})

test('the test says what it tried and saw', { skip }, async (t) => {
  const pebble = await startPebble(t)
  const run = async (fields: Parameters<typeof testConnector>[0]) => {
    const said: string[] = []
    await testConnector(fields).connector.test({
      async step(title, work, seen) {
        const result = await work()
        said.push(`${title}: ${seen(result)}`)
        return result
      },
    }).catch((error: CertloopError) => { said.push(`${error.code}: ${error.message}`) })
    return said
  }
  const good = await run({ ...fieldsOf(pebble), contact: 'ops@example.com, mailto:second@example.com' })
  assert.deepEqual(good.map((line) => line.split(':')[0]), ['Address and TLS certificate', 'Directory', 'Terms of service', 'Account'])
  assert.match(good.at(-1) ?? '', /is valid; its key is ES256/)
  assert.match((await run({ ...fieldsOf(pebble), termsAgreed: false })).at(-1) ?? '', /AUTHORITY_TERMS_NOT_AGREED/)
  const { trustPem: _trust, ...untrusted } = fieldsOf(pebble)
  assert.match((await run(untrusted))[0] ?? '', /^AUTHORITY_NOT_TRUSTED/)
  assert.match((await run({ ...fieldsOf(pebble), directoryUrl: `${pebble.directoryUrl}/other` }))[0] ?? '', /^AUTHORITY_ANSWER_INVALID: .*404/)
  assert.match((await run({ ...fieldsOf(pebble), contact: 'nobody' })).at(-1) ?? '', /AUTHORITY_ACCOUNT_REFUSED/)
})
