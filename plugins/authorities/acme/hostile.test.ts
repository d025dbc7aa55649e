import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { basicConstraints, buildCertificate, extension, der, generateKey, keySigner, nameOfCommonName, readCsr, readPrivateKey, spkiOfKey, subjectAltName, toPem } from '@certloop/pki'
import type { Handle, WantedProof } from '@certloop/plugin-kit'
import { testCall, testConnector, testRequest, type ConnectorOptions } from './acme-testing.ts'
import type { AcmeFields } from './fields.ts'
import { challenge, fakeDirectory, order, problem, type FakeDirectory, type Script } from './fake-directory-testing.ts'

const now = new Date('2026-03-01T12:00:00Z')
interface Scene { fake: FakeDirectory; connector: ReturnType<typeof testConnector>['connector']; submit(more?: Parameters<typeof testRequest>[1]): Promise<WantedProof[]>; proceed(handle?: Partial<Handle>): ReturnType<ReturnType<typeof testConnector>['connector']['proceed']>; call: ReturnType<typeof testCall> }
async function scene(t: TestContext, script?: Script, fields: Partial<AcmeFields> = {}, options: ConnectorOptions = {}): Promise<Scene> {
  const fake = await fakeDirectory(t, script)
  const { connector } = testConnector({ directoryUrl: fake.directoryUrl, ...fields }, { now: () => now, ...options })
  const call = testCall()
  return {
    fake, connector, call,
    async submit(more) {
      const progress = await connector.submit(await testRequest(['a.example.com'], more), call)
      return progress.state === 'proving' ? progress.proofs : []
    },
    proceed: async (handle = {}) => connector.proceed(await testRequest(['a.example.com']), { order: `${fake.base}/order/1`, account: `${fake.base}/account/1`, ...handle }, call),
  }
}
const at = (path: string, answer: ReturnType<Script> | ((base: string, count: number) => ReturnType<Script>)): Script => (asked, base, _response, count) => (asked.path === path ? (typeof answer === 'function' ? answer(base, count) : answer) : undefined)

async function refused(work: Promise<unknown>, code: string, facts: Record<string, unknown> = {}, message = /./): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof CertloopError, String(error))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    for (const [key, value] of Object.entries(facts)) assert.equal(error.facts[key], value, `${key} of: ${error.message}`)
    return true
  })
}

test('a directory that fails, or is none, is said to have been sent nothing', async (t) => {
  await refused((await scene(t, at('/directory', { status: 500 }))).submit(), 'AUTHORITY_UNREACHABLE', { sent: 'no' })
  await refused((await scene(t, at('/directory', { body: '<html>hello</html>' }))).submit(), 'AUTHORITY_ANSWER_INVALID', {}, /hello/)
  await refused((await scene(t, at('/directory', { json: { newNonce: 'https://a', newAccount: 'ftp://b' } }))).submit(), 'AUTHORITY_ANSWER_INVALID', {}, /newAccount, newOrder, revokeCert/)
  const gone = await scene(t)
  await gone.fake.stop()
  await refused(gone.submit(), 'AUTHORITY_UNREACHABLE', { sent: 'no' })
})

test('told to wait, it says until when: seconds, a date, nothing at all', async (t) => {
  const limited = (headers: Record<string, string>, status = 429) => scene(t, at('/new-order', { ...problem('rateLimited', status), headers }))
  await refused((await limited({ 'retry-after': '120' })).submit(), 'AUTHORITY_RATE_LIMITED', { retryAt: '2026-03-01T12:02:00.000Z' }, /because of rateLimited/)
  await refused((await limited({ 'retry-after': 'Sun, 01 Mar 2026 15:00:00 GMT' })).submit(), 'AUTHORITY_RATE_LIMITED', { retryAt: '2026-03-01T15:00:00.000Z' })
  await refused((await limited({})).submit(), 'AUTHORITY_RATE_LIMITED', { retryAt: '2026-03-01T12:10:00.000Z' })
  await refused((await limited({ 'retry-after': '99999999999' })).submit(), 'AUTHORITY_RATE_LIMITED', { retryAt: '2026-03-08T12:00:00.000Z' })
  await refused((await limited({ 'retry-after': 'Sun, 01 Mar 2020 15:00:00 GMT' })).submit(), 'AUTHORITY_RATE_LIMITED', { retryAt: '2026-03-01T12:00:01.000Z' })
  await refused((await scene(t, at('/new-order', { status: 503, body: 'overloaded', headers: { 'retry-after': '30' } }))).submit(), 'AUTHORITY_RATE_LIMITED', { retryAt: '2026-03-01T12:00:30.000Z' }, /overloaded/)
})

test('an order that may have arrived is said to', async (t) => {
  await refused((await scene(t, at('/new-order', problem('serverInternal', 500)))).submit(), 'AUTHORITY_UNREACHABLE', { sent: 'maybe' })
  await refused((await scene(t, at('/new-order', { status: 502, body: '<h1>Bad gateway</h1>' }))).submit(), 'AUTHORITY_UNREACHABLE', { sent: 'maybe' }, /Bad gateway/)
  const cutOff: Script = ({ path }, _base, response) => {
    if (path !== '/new-order') return undefined
    response.writeHead(201, { 'content-length': '1000' }).write('{"status":')
    setImmediate(() => { response.destroy() })
    return null
  }
  await refused((await scene(t, cutOff)).submit(), 'AUTHORITY_UNREACHABLE', { sent: 'maybe' })
  await refused((await scene(t, at('/new-order', { status: 201, body: 'x'.repeat(5_000_000) }))).submit(), 'AUTHORITY_UNREACHABLE', { sent: 'maybe' }, /longer than/)
  await refused((await scene(t, at('/new-order', { status: 201, body: '{"status":', headers: { location: '/order/1' } }))).submit(), 'AUTHORITY_ANSWER_INVALID')
  await refused((await scene(t, at('/new-order', (base) => ({ status: 201, json: order(base) })))).submit(), 'AUTHORITY_ANSWER_INVALID', {}, /where it is/)
  await refused((await scene(t, at('/new-order', { status: 201, json: { status: 'odd' }, headers: { location: '/order/1' } }))).submit(), 'AUTHORITY_ANSWER_INVALID', {}, /no ACME order/)
})

test('badNonce for ever is tried five times, and nothing was done', async (t) => {
  const { fake, submit } = await scene(t, at('/new-order', problem('badNonce', 400)))
  await refused(submit(), 'AUTHORITY_ANSWER_INVALID', { sent: 'no', acmeError: 'badNonce' }, /five|5 nonces/)
  assert.equal(fake.count('/new-order'), 5)
  assert.equal(fake.count('/nonce'), 1)
  const none = await scene(t, ({ path }, _base, response) => {
    if (path !== '/nonce') return undefined
    response.writeHead(200).end()
    return null
  })
  await refused(none.submit(), 'AUTHORITY_ANSWER_INVALID', { sent: 'no' }, /no nonce/)
})

test('refusals are said with the names they are about', async (t) => {
  const compound = problem('malformed', 400, { subproblems: [{ type: 'urn:ietf:params:acme:error:rejectedIdentifier', detail: 'on our list', identifier: { type: 'dns', value: 'b.example.com' } }] })
  await refused((await scene(t, at('/new-order', compound))).submit(), 'NAME_REFUSED', { names: 'b.example.com' }, /b\.example\.com: on our list/)
  await refused((await scene(t, at('/new-order', problem('unauthorized', 403)))).submit(), 'AUTHORITY_ACCOUNT_REFUSED')
  await refused((await scene(t, at('/new-order', problem('unauthorized', 403, { subproblems: [{ type: 'x', detail: 'not yours', identifier: { type: 'dns', value: 'a.example.com' } }] })))).submit(), 'NAME_REFUSED', { names: 'a.example.com' })
  await refused((await scene(t, at('/new-order', problem('caa', 403, { detail: 'CAA record for a.example.com prevents issuance' })))).submit(), 'CAA_FORBIDS', { names: 'a.example.com' })
  await refused((await scene(t, at('/new-order', problem('invalidProfile', 400)))).submit({ profile: 'short' }), 'PROFILE_REFUSED')
  await refused((await scene(t, at('/new-order', { ...problem('userActionRequired', 403), headers: { link: ['<http://other>;rel="help"', '<http://terms.example/v2>; rel="terms-of-service"'] } }))).submit(), 'AUTHORITY_TERMS_NOT_AGREED', { termsUrl: 'http://terms.example/v2' })
  await refused((await scene(t, at('/new-order', { status: 403, body: 'blocked by the firewall' }))).submit(), 'AUTHORITY_ANSWER_INVALID', {}, /blocked by the firewall/)
  const { fake, submit } = await scene(t)
  await refused(submit({ profile: 'odd' }), 'PROFILE_REFUSED', {}, /It has: short/)
  assert.equal(fake.count('/new-order'), 0)
})

test('an order that ran out, is gone or not ours can be submitted again; one that was handed in is uncertain', async (t) => {
  const expired = await scene(t, at('/order/1', (base) => ({ json: order(base, { expires: '2026-03-01T11:59:59Z' }) })))
  await refused(expired.proceed(), 'ORDER_EXPIRED', {}, /open until 2026-03-01T11:59:59/)
  await refused((await scene(t, at('/order/1', problem('malformed', 404)))).proceed(), 'ORDER_EXPIRED')
  await refused((await scene(t, at('/order/1', { status: 404 }))).proceed(), 'ORDER_EXPIRED')
  await refused((await scene(t, at('/order/1', problem('malformed', 404)))).proceed({ finalized: true }), 'ORDER_UNCERTAIN')
  await refused((await scene(t, at('/order/1', { status: 404, body: '<html>proxy</html>' }))).proceed(), 'AUTHORITY_ANSWER_INVALID')
  await refused((await scene(t)).proceed({ account: 'http://127.0.0.1/other' }), 'ORDER_EXPIRED', {}, /is used now/)
  const over = at('/authorization', { json: { status: 'expired', identifier: { type: 'dns', value: 'a.example.com' }, challenges: [] } })
  await refused((await scene(t, over)).proceed(), 'ORDER_EXPIRED', {}, /a\.example\.com is expired/)
  await refused((await scene(t)).connector.proceed(await testRequest(['a.example.com']), {}, testCall()), 'ORDER_EXPIRED')
})

test('an invalid order says why, and never that it passes by itself', async (t) => {
  const invalid = (error: unknown, more: Script = () => undefined): Script => (...all) => more(...all) ?? at('/order/1', (base) => ({ json: order(base, { status: 'invalid', error }) }))(...all)
  await refused((await scene(t, invalid(problem('caa', 403).json))).proceed(), 'CAA_FORBIDS')
  await refused((await scene(t, invalid(problem('badCSR', 400).json))).proceed(), 'AUTHORITY_REJECTED', {}, /because of badCSR/)
  await refused((await scene(t, invalid(problem('serverInternal', 500).json))).proceed(), 'ORDER_EXPIRED', {}, /because of serverInternal/)
  await refused((await scene(t, invalid(undefined))).proceed(), 'ORDER_EXPIRED')
  await refused((await scene(t, invalid(problem('caa', 403).json, at('/authorization', { status: 404 })))).proceed(), 'CAA_FORBIDS')
  const lost = at('/authorization', (base) => ({ json: { status: 'invalid', identifier: { type: 'dns', value: 'a.example.com' }, wildcard: true, challenges: [challenge(base, 'http-01'), challenge(base, 'dns-01', { status: 'invalid', error: problem('dns', 400).json })] } }))
  const progress = await (await scene(t, invalid(undefined, lost))).proceed()
  assert.ok(progress.state === 'proving')
  assert.deepEqual(progress.proofs.map(({ state, error }) => [state, error?.code, error?.facts['names'], error?.message]), [['invalid', 'VALIDATION_REFUSED', '*.a.example.com', '*.a.example.com by dns-01: Test CA looked for the proof and did not accept it: because of dns (dns).']])
})

test('waits as long as it is told, and longer with each look when it is not', async (t) => {
  const processing = (headers: Record<string, string>) => scene(t, at('/order/1', (base) => ({ json: order(base, { status: 'processing' }), headers })))
  const told = await (await processing({ 'retry-after': '90' })).proceed({ finalized: true })
  assert.deepEqual([told.state, told.state === 'waiting' && told.pollSeconds], ['waiting', 90])
  const { proceed } = await processing({})
  const waits: number[] = []
  let handle: Handle = { finalized: true }
  for (let looks = 0; looks < 10; looks++) {
    const progress = await proceed(handle)
    assert.ok(progress.state === 'waiting')
    waits.push(progress.pollSeconds)
    handle = progress.handle
  }
  assert.deepEqual(waits, [2, 4, 8, 16, 32, 64, 128, 256, 256, 256])
})

test('a request is handed in once, and kept as handed in before', async (t) => {
  const script: Script = ({ path }, base, _response, count) => {
    if (path === '/order/1') return { json: order(base, { status: count === 1 ? 'ready' : 'processing' }) }
    return path === '/finalize' ? problem('orderNotReady', 403) : undefined
  }
  const { fake, proceed, call } = await scene(t, script)
  assert.equal((await proceed()).state, 'waiting')
  assert.equal(call.handle?.['finalized'], true)
  assert.equal((await proceed(call.handle)).state, 'waiting')
  assert.equal(fake.count('/finalize'), 1)
  const refusing = await scene(t, ({ path }, base) => (path === '/order/1' ? { json: order(base, { status: 'ready' }) } : path === '/finalize' ? problem('badPublicKey', 400) : undefined))
  await refused(refusing.proceed(), 'KEY_ALGORITHM_UNSUPPORTED')
})

async function certificateFor(spki: Uint8Array, extensions: readonly Uint8Array[] = [], subject = 'leaf'): Promise<string> {
  const own = nameOfCommonName('Some CA')
  const content = { serialNumber: '00ff01'.replace(/^00/, ''), issuer: own, subject: nameOfCommonName(subject), spki, notBefore: now, notAfter: new Date(now.getTime() + 86_400_000) }
  return toPem('CERTIFICATE', await buildCertificate({ ...content, extensions: [basicConstraints(false), subjectAltName(['a.example.com'], false), ...extensions] }, keySigner(readPrivateKey(await generateKey('ec-256')))))
}

test('a certificate for the key of another request is not taken: the authority gave one order to two', async (t) => {
  const request = await testRequest(['a.example.com'])
  const [own, foreign] = [await certificateFor(readCsr(request.csrPem).publicKeySpki), await certificateFor(spkiOfKey(readPrivateKey(await generateKey('ec-256'))))]
  const issuing = (body: string): Script => ({ path }, base) => (path === '/order/1' ? { json: order(base, { status: 'valid', certificate: `${base}/certificate` }) } : path === '/certificate' ? { body } : undefined)
  const ask = async (body: string) => {
    const { connector, fake } = await scene(t, issuing(body))
    return connector.proceed(request, { order: `${fake.base}/order/1`, account: `${fake.base}/account/1`, finalized: true }, testCall())
  }
  assert.deepEqual(await ask(own.trimEnd()), { state: 'issued', chainPem: [own] })
  const root = await certificateFor(readCsr(request.csrPem).publicKeySpki, [], 'Some CA')
  assert.deepEqual(await ask(`some words\n${own}${root}`), { state: 'issued', chainPem: [own] })
  await refused(ask(foreign), 'ORDER_EXPIRED', {}, /another request/)
  await refused(ask('no certificate'), 'AUTHORITY_ANSWER_INVALID')
})

test('what is issued and not handed out is asked for again; a chain that is not to be had leaves the usual one', async (t) => {
  const request = await testRequest(['a.example.com'])
  const own = await certificateFor(readCsr(request.csrPem).publicKeySpki)
  const ask = async (certificate: ReturnType<Script>) => {
    const { connector, fake } = await scene(t, ({ path }, base) => (path === '/order/1' ? { json: order(base, { status: 'valid', certificate: `${base}/certificate` }) } : path === '/certificate' ? certificate : undefined), { preferredChain: 'Root 2' })
    return connector.proceed(request, { order: `${fake.base}/order/1`, account: `${fake.base}/account/1`, finalized: true }, testCall())
  }
  for (const type of ['malformed', 'unauthorized', 'rejectedIdentifier']) await refused(ask(problem(type, 404)), 'AUTHORITY_ANSWER_INVALID', {}, /has issued the certificate and does not hand it out/)
  assert.deepEqual(await ask({ body: own, headers: { link: '</alternate>;rel="alternate"' } }), { state: 'issued', chainPem: [own] })
})

test('offers what is known, and nothing of a token that is none', async (t) => {
  const types = ['http-01', 'dns-01', 'dns-account-01', 'dns-persist-01', 'tls-alpn-01', 'email-reply-00']
  const offering = (more: Record<string, unknown>): Script => at('/authorization', (base) => ({ json: { status: 'pending', identifier: { type: 'dns', value: 'a.example.com' }, wildcard: true, challenges: types.map((type) => challenge(base, type, { 'issuer-domain-names': ['ca.example', 'other.example'], ...more })) } }))
  const usual = await scene(t, offering({}), { httpPort: 5002, tlsPort: 5001 })
  const [proof] = await usual.submit()
  assert.deepEqual(proof?.ways.map(({ id, kind }) => [id.split('/').at(-1), kind]), [['http-01', 'http'], ['dns-01', 'dns'], ['dns-persist-01', 'dns'], ['tls-alpn-01', 'tls-alpn']])
  const [http, , persist, alpn] = proof?.ways ?? []
  assert.ok(http?.kind === 'http' && persist?.kind === 'dns' && alpn?.kind === 'tls-alpn')
  assert.match(http.content, /^abcdefghijklmnopqrstuv\.[A-Za-z0-9_-]{43}$/)
  assert.equal(alpn.digest, createHash('sha256').update(http.content).digest('hex'))
  assert.deepEqual([http.port, alpn.port], [5002, 5001])
  assert.deepEqual({ ...persist, id: '' }, { id: '', kind: 'dns', recordName: '_validation-persist.a.example.com', recordType: 'TXT', value: `ca.example; accounturi=${usual.fake.base}/account/1; policy=wildcard`, persist: true })
  const [byAccount] = await (await scene(t, offering({}), { dnsAccount: true })).submit()
  const record = byAccount?.ways.find(({ kind }) => kind === 'dns')
  assert.match(record?.kind === 'dns' ? record.recordName : '', /^_[a-z2-7]{16}\._acme-challenge\.a\.example\.com$/)
  await refused((await scene(t, offering({ token: '../../../etc/cron.d/x', 'issuer-domain-names': ['a"; x'] }))).submit(), 'VALIDATION_METHOD_UNAVAILABLE', { names: 'a.example.com' })
})

test('offers no record that stays for an account elsewhere: whoever has it could get certificates there', async (t) => {
  const offering = (accounturi: string): Script => at('/authorization', (base) => ({ json: { status: 'pending', identifier: { type: 'dns', value: 'a.example.com' }, challenges: [challenge(base, 'http-01'), challenge(base, 'dns-persist-01', { 'issuer-domain-names': ['ca.example'], accounturi })] } }))
  const [elsewhere] = await (await scene(t, offering('https://acme.other.example/acct/1'))).submit()
  assert.deepEqual(elsewhere?.ways.map(({ kind }) => kind), ['http'])
  const moved: Script = (asked, base, response, count) => (asked.path === '/new-account' ? { status: 201, json: { status: 'valid' }, headers: { location: 'https://acme.other.example/acct/1' } } : offering('none')(asked, base, response, count))
  const [given] = await (await scene(t, moved)).submit()
  assert.deepEqual(given?.ways.map(({ kind }) => kind), ['http'])
})

test('says what an authority saw that goes on wanting the proof', async (t) => {
  const asking = async (more: Record<string, unknown>) => {
    const { connector, fake } = await scene(t, at('/challenge/http-01', (base) => ({ json: challenge(base, 'http-01', more) })))
    const call = testCall()
    await connector.prove?.({}, { id: 'x', wayId: `${fake.base}/challenge/http-01` }, call)
    return call.notes.filter((note) => note.includes('looked'))
  }
  assert.deepEqual(await asking({}), [])
  assert.deepEqual(await asking({ status: 'valid' }), [])
  const [note] = await asking({ error: { type: 'urn:ietf:params:acme:error:connection', detail: 'nothing listens there' } })
  assert.match(note ?? '', /by http-01 and did not see the proof: nothing listens there \(connection\)/)
})

test('finds its account also where the external one has to be shown for that', async (t) => {
  const wantsBinding: Script = ({ path, payload }) => (path === '/new-account' && payload !== '' && payload['externalAccountBinding'] === undefined ? problem('externalAccountRequired', 403) : undefined)
  const withoutBinding = await scene(t, wantsBinding)
  await refused(withoutBinding.submit(), 'AUTHORITY_ACCOUNT_REFUSED')
  const key = await generateKey('ec-256')
  const known = await scene(t, wantsBinding, { accountKey: key, eabKeyId: 'kid-1', eabHmacKey: 'c2VjcmV0LXNlY3JldC1zZWNyZXQ' })
  await known.submit()
  const accounts = known.fake.asked.filter(({ path }) => path === '/new-account').map(({ payload }) => Object.keys(payload))
  assert.deepEqual(accounts, [['onlyReturnExisting'], ['onlyReturnExisting', 'externalAccountBinding']])
})

test('asking again for a look that was asked for is harmless', async (t) => {
  const looking = (status: string): Script => ({ path, payload }, base) => (path === '/challenge/http-01' ? (payload === '' ? { json: challenge(base, 'http-01', { status }) } : problem('malformed', 400)) : undefined)
  const ask = async (status: string) => {
    const { connector, fake } = await scene(t, looking(status))
    await connector.prove?.({}, { id: 'x', wayId: `${fake.base}/challenge/http-01` }, testCall())
  }
  await ask('processing')
  await ask('valid')
  await refused(ask('pending'), 'VALIDATION_REFUSED')
})

const keyIdentifier = Buffer.from('69885b6b87468623c5a3e0b1f4b9d9d0b16b6a5b', 'hex')
const authorityKeyId = () => extension('2.5.29.35', false, der.sequence(Buffer.concat([Buffer.of(0x80, keyIdentifier.length), keyIdentifier])))
async function before() {
  const certificatePem = await certificateFor(spkiOfKey(readPrivateKey(await generateKey('ec-256'))), [authorityKeyId()])
  return { certificatePem, fingerprint: '', serialNumber: 'ff01', reference: null }
}

test('asks when to renew by the number of the certificate, and when to ask again', async (t) => {
  const window = { suggestedWindow: { start: '2026-04-01T00:00:00Z', end: '2026-04-02T00:00:00Z' }, explanationURL: 'https://ca.example/why' }
  // A leading zero byte belongs to the number: it would be a negative one without (RFC 9773, 4.1).
  const path = `/renewal/${keyIdentifier.toString('base64url')}.AP8B`
  const ask = async (answer: ReturnType<Script>) => (await scene(t, at(path, answer))).connector.renewalWindow?.(await before())
  assert.deepEqual(await ask({ json: window, headers: { 'retry-after': '3600' } }), { start: new Date('2026-04-01T00:00:00Z'), end: new Date('2026-04-02T00:00:00Z'), askAgainAt: new Date('2026-03-01T13:00:00Z'), explanationUrl: 'https://ca.example/why' })
  assert.deepEqual((await ask({ json: window }))?.askAgainAt, new Date('2026-03-01T18:00:00Z'))
  assert.deepEqual((await ask({ json: window, headers: { 'retry-after': '1' } }))?.askAgainAt, new Date('2026-03-01T12:01:00Z'))
  assert.equal(await ask(problem('malformed', 404)), undefined)
  await refused((async () => ask({ json: { suggestedWindow: { start: window.suggestedWindow.end, end: window.suggestedWindow.start } } }))(), 'AUTHORITY_ANSWER_INVALID')
})

test('tells what the order takes the place of, and orders again without where that is not taken', async (t) => {
  const replaces = await before()
  const plain = await scene(t)
  await plain.submit({ replaces, profile: 'short' })
  assert.deepEqual(plain.fake.asked.find(({ path }) => path === '/new-order')?.payload, { identifiers: [{ type: 'dns', value: 'a.example.com' }], profile: 'short', replaces: `${keyIdentifier.toString('base64url')}.AP8B` })
  const again = await scene(t, ({ path, payload }) => (path === '/new-order' && payload !== '' && 'replaces' in payload ? problem('alreadyReplaced', 409) : undefined), { requestNotAfter: true })
  await again.submit({ replaces, validityDays: 10 })
  assert.deepEqual(again.fake.asked.filter(({ path }) => path === '/new-order').map(({ payload }) => payload !== '' && 'replaces' in payload), [true, false])
  const second = again.fake.asked.findLast(({ path }) => path === '/new-order')?.payload ?? ''
  assert.equal(second !== '' && second['notAfter'], '2026-03-11T12:00:00Z')
  assert.match(again.call.notes.join('\n'), /alreadyReplaced/)
  const falling = await scene(t, ({ path, payload }) => (path === '/new-order' && payload !== '' && 'replaces' in payload ? problem('serverInternal', 500) : undefined))
  assert.equal((await falling.submit({ replaces })).length, 1)
})

test('says what CAA records have to name, which profiles there are, and which reasons it does not take', async (t) => {
  const { connector, submit, fake } = await scene(t, at('/revoke', problem('badRevocationReason', 400)))
  assert.deepEqual(await connector.caa?.(), { identities: ['ca.example'], accountUri: null })
  await submit()
  assert.deepEqual(await connector.caa?.(), { identities: ['ca.example'], accountUri: `${fake.base}/account/1` })
  assert.deepEqual(await connector.templates?.(), [{ name: 'short', description: 'a short one' }])
  await refused(connector.revoke?.(await before(), 'privilegeWithdrawn') ?? Promise.resolve(), 'AUTHORITY_REJECTED', {}, /privilegeWithdrawn/)
})
