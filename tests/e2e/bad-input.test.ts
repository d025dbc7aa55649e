import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:https'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { before, after, test } from 'node:test'
import { DatabaseSync } from 'node:sqlite'
import { botPaths, decodeJoinToken, encodeJoinToken, errorSpecs, signRequest, type CertificateDetail, type ConfigurationInput, type ErrorCode, type JoinToken, type Problem } from '@certloop/contract'
import { createCsr, generateKey } from '@certloop/pki'
import { eventually, runProcess, selfSignedPair, tempFolder } from '@certloop/test-kit'
import { configurationFor, startPlane, type Plane } from './kit/plane.ts'

const botMain = fileURLToPath(new URL('../../apps/bot/src/main.ts', import.meta.url))
const cleanUps: (() => unknown)[] = []
const lasting = { after: (step?: unknown) => { if (typeof step === 'function') cleanUps.push(step as () => unknown) } } as Parameters<typeof startPlane>[0]
let plane: Plane
let apiToken = ''
before(async () => {
  plane = await startPlane(lasting)
  apiToken = (await plane.client.call('createApiToken', { body: { name: 'bad input' } })).token
}, { timeout: 120_000 })
after(async () => { for (const step of cleanUps.toReversed()) await step() })

/** Rows of every table on disk; the audit trail is there to grow. */
function counts(): Record<string, number> {
  const db = new DatabaseSync(`${plane.dataFolder}/certloop.sqlite`, { readOnly: true })
  try {
    const tables = db.prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'").all() as { name: string }[]
    assert.ok(tables.length > 15)
    return Object.fromEntries(tables.filter(({ name }) => !name.startsWith('audit')).map(({ name }) => [name, (db.prepare(`select count(*) as n from "${name}"`).get() as { n: number }).n]))
  } finally {
    db.close()
  }
}

/** The request is answered with this problem, whole, and leaves every table as it was. */
async function refused(code: ErrorCode, send: () => Promise<Response>, fields?: readonly RegExp[]): Promise<Problem> {
  const rows = counts()
  const response = await send()
  const problem = await response.json() as Problem
  const { httpStatus, cause, remedy, where, class: errorClass } = errorSpecs[code]
  const { code: got, cause: saidCause, remedy: saidRemedy, where: saidWhere, class: saidClass, status } = problem
  assert.deepEqual({ got, saidCause, saidRemedy, saidWhere, saidClass, status }, { got: code, saidCause: cause, saidRemedy: remedy, saidWhere: where, saidClass: errorClass, status: httpStatus }, JSON.stringify(problem))
  assert.equal(response.status, httpStatus)
  assert.match(response.headers.get('content-type') ?? '', /application\/problem\+json/)
  assert.ok(problem.detail.length > 10 && problem.instance?.startsWith('req_'), JSON.stringify(problem))
  if (fields) {
    const lines = (problem.fields ?? []).map((f) => `${f.field}: ${f.problem}`)
    assert.equal(lines.length, fields.length, lines.join('\n'))
    for (const field of fields) assert.ok(lines.some((line) => field.test(line)), `${field} in ${lines.join('\n')}`)
  }
  assert.deepEqual(counts(), rows)
  return problem
}

const host = { hostName: 'shop', os: 'Linux', osVersion: '6', arch: 'x64', addresses: [] }
const newKey = () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return { privateKey, publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString() }
}
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${plane.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body) })
const announce = async (window: { activeFrom?: string; expiresAt?: string } = {}) => (await plane.client.call('createBot', { body: { name: 'bad input', ...window } })).joinToken
const join = (token: string, changes: Partial<JoinToken> = {}, publicKeyPem = newKey().publicKeyPem) => {
  const { id, secret } = { ...decodeJoinToken(token), ...changes }
  return post(botPaths.join, { tokenId: id, secret, publicKeyPem, name: 'x', version: '0', host })
}
const ahead = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString()

test('join tokens: unknown, wrong, not active yet, expired, used', { timeout: 120_000 }, async () => {
  const token = await announce()
  await refused('JOIN_TOKEN_UNKNOWN', () => join(token, { id: 'jtk_00000000000000000000000000' }))
  await refused('JOIN_TOKEN_UNKNOWN', () => join(token, { secret: 'x'.repeat(43) }))
  await refused('INPUT_INVALID', () => join(token, {}, '-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n'), [/publicKeyPem/])
  const early = await announce({ activeFrom: ahead(3600) })
  assert.match((await refused('JOIN_TOKEN_NOT_YET_ACTIVE', () => join(early))).detail, /works from/)
  const expiresAt = ahead(1)
  const late = await announce({ expiresAt })
  await eventually(() => Date.now() > Date.parse(expiresAt))
  assert.match((await refused('JOIN_TOKEN_EXPIRED', () => join(late))).detail, /worked until/)
  assert.equal((await join(token)).status, 200, 'what was refused did not use it up')
  await refused('JOIN_TOKEN_USED', () => join(token))
})


const api = (method: string, path: string, body: unknown) =>
  fetch(`${plane.url}/api/v1${path}`, { method, headers: { 'content-type': 'application/json', authorization: `Bearer ${apiToken}` }, body: JSON.stringify(body) })

test('an activation window that ends before it begins', async () => {
  await refused('INPUT_INVALID', () => api('POST', '/bots', { name: 'x', activeFrom: ahead(60), expiresAt: ahead(30) }), [/expiresAt/])
})

test('a wrong pin: the bot sends nothing but the question for the trust anchor', { timeout: 120_000 }, async (t) => {
  const token = await announce()
  const before = counts()
  const folder = await tempFolder(t, 'bot')
  const wrong = encodeJoinToken({ ...decodeJoinToken(token), pin: '0'.repeat(64) })
  const toPlane = await runProcess(t, [process.execPath, botMain, 'join', wrong, '--data', folder])
  assert.notEqual(toPlane.code, 0)
  assert.match(toPlane.stdout + toPlane.stderr, /PIN_MISMATCH/)
  assert.deepEqual(counts(), before)

  // Somebody between: holds the address, not the pinned anchor.
  const pair = await selfSignedPair(['localhost'])
  const requests: string[] = []
  const impostor = createServer({ key: pair.keyPem, cert: pair.certPem }, (request, response) => {
    let body = ''
    request.on('data', (part: Buffer) => { body += String(part) }).on('end', () => {
      requests.push(`${request.method} ${request.url} ${body}`)
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ certificatePem: pair.certPem }))
    })
  }).listen(0, '127.0.0.1')
  await once(impostor, 'listening')
  t.after(() => impostor.close())
  const redirected = encodeJoinToken({ ...decodeJoinToken(token), url: `https://localhost:${(impostor.address() as AddressInfo).port}` })
  const toImpostor = await runProcess(t, [process.execPath, botMain, 'join', redirected, '--data', folder])
  assert.notEqual(toImpostor.code, 0)
  assert.match(toImpostor.stdout + toImpostor.stderr, /PIN_MISMATCH/)
  assert.deepEqual(requests.filter((line) => line !== `GET ${botPaths.trustAnchor} `), [])
  assert.equal((await join(token)).status, 200, 'the token was not used up')
})

test('signed requests: altered, repeated, old, of another key, of nobody', { timeout: 120_000 }, async () => {
  const joined = async () => {
    const key = newKey()
    const { botId } = await (await join(await announce(), {}, key.publicKeyPem)).json() as { botId: `bot_${string}` }
    return { ...key, botId }
  }
  const [bot, other] = [await joined(), await joined()]
  const hello = { bootId: 'boot-0001', version: '0', protocol: 1, host }
  const signed = (body: unknown, options: { key?: typeof bot.privateKey; at?: Date; path?: string; botId?: typeof bot.botId } = {}) =>
    ({ ...signRequest({ method: 'POST', path: options.path ?? botPaths.hello, body: JSON.stringify(body) }, options.botId ?? bot.botId, options.key ?? bot.privateKey, options.at ?? new Date()) })
  await refused('BOT_SIGNATURE_INVALID', () => post(botPaths.hello, hello))
  await refused('BOT_SIGNATURE_INVALID', () => post(botPaths.hello, { ...hello, version: '1' }, signed(hello)))
  await refused('BOT_SIGNATURE_INVALID', () => post(botPaths.hello, hello, signed(hello, { path: botPaths.lease })))
  await refused('BOT_SIGNATURE_INVALID', () => post(botPaths.hello, hello, signed(hello, { key: other.privateKey })))
  assert.match((await refused('BOT_SIGNATURE_INVALID', () => post(botPaths.hello, hello, signed(hello, { at: new Date(Date.now() - 301_500) })))).detail, /Compare the clocks/)
  await refused('BOT_SIGNATURE_INVALID', () => post(botPaths.hello, hello, signed(hello, { at: new Date(Date.now() + 305_000) })))
  await refused('BOT_UNKNOWN', () => post(botPaths.hello, hello, signed(hello, { botId: 'bot_00000000000000000000000000' })))
  const once = signed(hello)
  assert.equal((await post(botPaths.hello, hello, once)).status, 200)
  assert.match((await refused('BOT_SIGNATURE_INVALID', () => post(botPaths.hello, hello, once))).detail, /sent before/)
  const more = { ...hello, extra: 1 }
  await refused('INPUT_INVALID', () => post(botPaths.hello, more, signed(more)), [/body\.extra: there is no such field/])
  await plane.client.call('revokeBot', { params: { id: bot.botId } })
  await refused('BOT_REVOKED', () => post(botPaths.hello, hello, signed(hello)))
})

test('names: a space, a wildcard in the wrong place, three hundred of them; fields nobody knows', async () => {
  await refused('NAME_INVALID', () => api('POST', '/certificates', { names: ['good.example', 'bad name.example'] }), [/names\[1\]: .*space/])
  await refused('NAME_INVALID', () => api('POST', '/certificates', { names: ['www.*.example'] }), [/names\[0\]: .*wildcard/])
  await refused('NAME_INVALID', () => api('POST', '/certificates', { names: ['*.com'] }), [/names\[0\]: .*wildcard/])
  assert.match((await refused('TOO_MANY_NAMES', () => api('POST', '/certificates', { names: Array.from({ length: 300 }, (_, i) => `n${i}.example`) }))).detail, /300/)
  await refused('INPUT_INVALID', () => api('POST', '/certificates', { names: ['a.example'], colour: 'red' }), [/body\.colour: there is no such field/])
})

async function takenUnderCare(name: string): Promise<{ certificate: CertificateDetail; configuration: ConfigurationInput; botId: `bot_${string}` }> {
  const certificate = await plane.client.call('createCertificate', { body: { names: [name] } })
  const { botId } = await (await join(await announce())).json() as { botId: `bot_${string}` }
  const fields = { certificatePath: '/etc/nginx/shop.crt', keyPath: '/etc/nginx/shop.key', configurationPath: '/etc/nginx/nginx.conf' }
  return { certificate, botId, configuration: await configurationFor(plane, [{ botId, serverType: 'nginx', fields }]) }
}

test('configurations: every field that does not fit is named, and nothing is saved', async () => {
  const { certificate, configuration, botId } = await takenUnderCare('conf.example')
  const put = (changes: Partial<ConfigurationInput>) => api('PUT', `/certificates/${certificate.id}/configuration`, { ...configuration, ...changes })
  await refused('INPUT_INVALID', () => put({ renewal: { ...configuration.renewal, zone: 'Mars/Olympus' } }), [/renewal\/zone/])
  const bad = [
    { botId, serverType: 'teapot', fields: {} },
    { botId, serverType: 'nginx', fields: { certificatePath: 'shop.crt', keyPath: '/etc/nginx/shop.key', shelf: 1 } },
    { botId: 'bot_00000000000000000000000000' as const, serverType: 'nginx', fields: configuration.targets[0]?.fields ?? {} },
  ]
  await refused('INPUT_INVALID', () => put({ targets: bad, authorityId: null, renewal: { ...configuration.renewal, zone: 'Mars/Olympus' } }),
    [/targets\/0\/serverType/, /targets\/1\/fields\/certificatePath: must be an absolute path/, /targets\/1\/fields\/configurationPath: is missing/, /targets\/1\/fields\/shelf: there is no such field/, /targets\/2\/botId/, /authorityId/, /renewal\/zone/])
  await refused('INPUT_INVALID', () => put({ targets: [{ ...bad[1], fields: { ...configuration.targets[0]?.fields, certificatePath: 'etc/shop.crt' } } as ConfigurationInput['targets'][0]] }), [/certificatePath: must be an absolute path/])
  const [target] = configuration.targets
  await refused('INPUT_INVALID', () => put({ targets: target ? [target, target] : [] }), [/targets\/1/])
  await refused('INPUT_INVALID', () => put({ csr: { ...configuration.csr, commonName: 'else.example' } }), [/commonName/])
  await refused('NAME_INVALID', () => put({ csr: { ...configuration.csr, names: ['a b.example'] } }), [/names\[0\]/])
  await refused('TOO_MANY_NAMES', () => put({ csr: { ...configuration.csr, names: Array.from({ length: 300 }, (_, i) => `n${i}.example`) } }))
  await refused('ACTION_NOT_POSSIBLE', () => api('POST', `/certificates/${certificate.id}/actions/rotate`, {}))
})

test('requests for certificates whose signature does not fit are not ordered', async () => {
  const { certificate, configuration } = await takenUnderCare('csr.example')
  await plane.client.call('setConfiguration', { params: { id: certificate.id }, body: configuration })
  const pem = await createCsr({ privateKeyPem: await generateKey('ec-256'), commonName: null, names: ['csr.example'] })
  const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
  der[der.length - 1] = (der[der.length - 1] ?? 0) ^ 1
  const broken = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
  const order = (csrPem: string) => api('POST', `/certificates/${certificate.id}/actions/order`, { csrPem })
  await refused('CSR_INVALID', () => order(broken))
  await refused('CSR_INVALID', () => order('no CSR at all'))
  await refused('INPUT_INVALID', () => api('POST', `/certificates/${certificate.id}/actions/rotate`, { csrPem: pem }), [/csrPem/])
  assert.equal((await order(pem)).status, 202, 'the whole one is taken')
})
