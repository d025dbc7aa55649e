import type { Host } from '@certloop/plugin-kit'
import { type ApacheOptions, eventually, leftOut, type RunningApache, selfSignedPair, startApache, tempFolder, type TestPair, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { appendFile, chmod, chown, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import { localHost } from '../engine/engine-kit.ts'
import { assertDeployed, assertServed, deployer, slotOf, stepKinds, uniqueName } from './apache-kit.ts'

const options = { timeout: 120_000, skip: leftOut('apache2') }
const isRoot = process.getuid?.() === 0

async function written(t: TestContext, name: string, keyType: TestPair['keyType'] = 'ec') {
  return writePair(await tempFolder(t, 'pairs'), name, await selfSignedPair([uniqueName()], keyType))
}
const issuer = async () => (await selfSignedPair(['issuer.test'])).certPem
const served = (name: string, { fingerprint }: TestPair) => ({ '127.0.0.1:0 -': fingerprint, [`127.0.0.1:0 ${name}`]: fingerprint })
/** A server with one host and one pair, "one.crt" and "one.key". */
async function simple(t: TestContext, more: ApacheOptions = {}) {
  const [one, name] = [await written(t, 'one'), uniqueName()]
  const apache = await startApache(t, { hosts: [{ names: [name], ...one }], ...more })
  return { one, name, apache, next: await selfSignedPair([name]), fields: (await slotOf(apache, 'one.crt')).fields }
}

test('the plan: write, test, reload, prove, with the variables that the configuration names and no others', options, async (t) => {
  const { one, name, apache, next, fields } = await simple(t, { options: ['-D', 'SHOP'], environment: { APP_PASSWORD: 'not for plans', OTHER: 'x' } })
  const { plan, deploy } = await deployer(t)
  const { steps, observed } = await plan(fields, next)
  const command = [apache.program, '-d', apache.prefix, '-f', apache.configPath, '-D', 'SHOP', '-D', 'FOREGROUND']
  const environment = { APACHE_RUN_DIR: apache.prefix }
  assert.deepEqual(stepKinds({ steps }), ['write full-chain', 'write key', 'run-command', 'reload-service', 'prove'])
  assert.deepEqual(steps.flatMap((step) => ('argv' in step ? [[step.argv, step.environment, 'start' in step]] : [])), [[[...command, '-t'], environment, false], [[...command, '-k', 'graceful'], environment, false]])
  assert.deepEqual(observed.map((entry) => entry.name), [apache.configPath, `${apache.program} -V`, 'virtual hosts', `links of ${one.certPath}`, `links of ${one.keyPath}`, one.certPath, one.keyPath])
  const pid = await apache.pid()
  assertDeployed(await deploy(fields, next))
  await assertServed(apache, 'one.crt', served(name, next))
  assert.deepEqual([await apache.pid(), await readFile(one.keyPath, 'utf8')], [pid, next.keyPem])
  assert.deepEqual(stepKinds(await plan(fields, next)), ['prove'])
})

for (const mpm of ['prefork', 'worker'] as const) {
  test(`the MPM ${mpm}`, options, async (t) => {
    const { name, apache, next, fields } = await simple(t, { mpm, background: true })
    const { deploy, plan } = await deployer(t)
    const { steps } = await plan(fields, next)
    assert.deepEqual(steps.flatMap((step) => (step.kind === 'reload-service' ? [step.start] : [])), [[apache.program, '-d', apache.prefix, '-f', apache.configPath, '-k', 'start']])
    assertDeployed(await deploy(fields, next))
    await assertServed(apache, 'one.crt', served(name, next))
  })
}

test('a download under way goes on to its end', options, async (t) => {
  const { apache, name, next, fields } = await simple(t)
  const size = 30_000_000
  // Its workers are not root.
  await chmod(apache.prefix, 0o755)
  await writeFile(join(apache.prefix, 'htdocs', 'large'), '')
  await truncate(join(apache.prefix, 'htdocs', 'large'), size)
  const socket: TLSSocket = connect({ host: '127.0.0.1', port: apache.ports[0] ?? 0, servername: name, rejectUnauthorized: false })
  t.after(() => socket.destroy())
  await once(socket, 'secureConnect')
  socket.write(`GET /large HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`)
  await once(socket, 'readable')
  const first: Buffer = socket.read()
  assertDeployed(await (await deployer(t)).deploy(fields, next))
  let received = first.length
  for await (const chunk of socket) received += (chunk as Buffer).length
  assert.ok(received > size, `${received} bytes`)
  assert.match(first.toString('latin1'), /^HTTP\/1.1 200/)
})

test('a chain file of its own gets the intermediates; a certificate without any is refused', options, async (t) => {
  const { one, name, next } = { one: await written(t, 'one'), name: uniqueName(), next: await selfSignedPair([uniqueName()]) }
  const chainPath = one.certPath.replace('one.crt', 'chain.pem')
  await writeFile(chainPath, await issuer())
  const apache = await startApache(t, { hosts: [{ names: [name], ...one, chainPath }] })
  const { fields } = await slotOf(apache, 'one.crt')
  const { plan, deploy } = await deployer(t)
  const intermediate = await issuer()
  await assert.rejects(plan(fields, next), { code: 'PLAN_FAILED', message: /without intermediate/ })
  assert.deepEqual(stepKinds(await plan(fields, { ...next, issuersPem: [intermediate] })).slice(0, 3), ['write certificate', 'write chain', 'write key'])
  assertDeployed(await deploy(fields, { ...next, issuersPem: [intermediate] }))
  assert.deepEqual([await readFile(one.certPath, 'utf8'), await readFile(chainPath, 'utf8')], [next.certPem, intermediate])
  assert.equal(sentChain(apache, name), 2)
  assert.equal((await slotOf(apache, 'one.crt')).installedPem, next.certPem + intermediate)
  assert.deepEqual(stepKinds(await plan(fields, { ...next, issuersPem: [intermediate] })), ['prove'])
})

/** How many certificates the server sends. */
function sentChain(apache: RunningApache, name: string): number {
  return execFileSync('openssl', ['s_client', '-connect', `127.0.0.1:${apache.ports[0]}`, '-servername', name, '-showcerts'], { input: '', stdio: ['pipe', 'pipe', 'ignore'], encoding: 'utf8' }).split('BEGIN CERTIFICATE').length - 1
}

test('a chain file that another certificate needs stays; it has to fit', options, async (t) => {
  const [one, two] = [await written(t, 'one'), await written(t, 'two')]
  const [name, other] = [uniqueName(), uniqueName()]
  const [chainPath, shared] = [one.certPath.replace('one.crt', 'chain.pem'), await issuer()]
  await writeFile(chainPath, shared)
  const apache = await startApache(t, { hosts: [{ ...one, names: [name], chainPath }, { ...two, names: [other], chainPath }] })
  const { fields } = await slotOf(apache, 'one.crt')
  const next = await selfSignedPair([name])
  const { plan, deploy } = await deployer(t)
  await assert.rejects(plan(fields, { ...next, issuersPem: [await issuer()] }), { code: 'PLAN_FAILED', message: /chain\.pem holds the intermediate certificates of other certificates/ })
  assertDeployed(await deploy(fields, { ...next, issuersPem: [shared] }))
  assert.deepEqual([await readFile(one.certPath, 'utf8'), await readFile(chainPath, 'utf8')], [next.certPem, shared])
  assert.equal(sentChain(apache, name), 2)
  await assertServed(apache, 'two.crt', { [`127.0.0.1:0 ${other}`]: two.fingerprint })
})

test('certificate and key in one file, without a key directive', options, async (t) => {
  const name = uniqueName()
  const [file, first, next, intermediate] = [join(await tempFolder(t, 'both'), 'both.pem'), await selfSignedPair([name]), await selfSignedPair([name]), await issuer()]
  await writeFile(file, first.keyPem + first.certPem, { mode: 0o600 })
  const apache = await startApache(t, { hosts: [{ names: [name], certPath: file }] })
  const slot = await slotOf(apache, 'both.pem')
  assert.equal(slot.fields['keyPath'], file)
  const result = await (await deployer(t)).deploy(slot.fields, { ...next, issuersPem: [intermediate] })
  assertDeployed(result)
  assert.doesNotMatch(JSON.stringify(result), /PRIVATE KEY/)
  assert.equal(await readFile(file, 'utf8'), next.keyPem + next.certPem + intermediate)
  assert.equal(sentChain(apache, name), 2)
  await assertServed(apache, 'both.pem', served(name, next))
})

test('of an RSA and an ECDSA certificate one is replaced, and both are proven', options, async (t) => {
  const [rsa, ec, name] = [await written(t, 'rsa', 'rsa'), await written(t, 'ec'), uniqueName()]
  const apache = await startApache(t, { hosts: [{ names: [name], ...rsa, morePairs: [ec] }] })
  const { deploy, plan } = await deployer(t)
  const { fields } = await slotOf(apache, 'ec.crt')
  const [nextEc, nextRsa] = [await selfSignedPair([name]), await selfSignedPair([name], 'rsa')]
  await assert.rejects(plan(fields, nextRsa), { code: 'PLAN_FAILED', message: /already holds a certificate with an RSA key/ })
  assertDeployed(await deploy(fields, nextEc))
  await assertServed(apache, 'ec.crt', { '127.0.0.1:0 - ec': nextEc.fingerprint, [`127.0.0.1:0 ${name} ec`]: nextEc.fingerprint })
  await assertServed(apache, 'rsa.crt', { '127.0.0.1:0 - rsa': rsa.fingerprint, [`127.0.0.1:0 ${name} rsa`]: rsa.fingerprint })
})

test('a configuration that breaks meanwhile fails its test, and the previous files come back', options, async (t) => {
  const { one, name, apache, next, fields } = await simple(t)
  const whole = await readFile(apache.configPath, 'utf8')
  const run: Host['run'] = async (argv, more) => {
    const isTest = argv.at(-1) === '-t' && (await readFile(one.certPath, 'utf8')) === next.certPem
    if (isTest) await appendFile(apache.configPath, 'Nonsense on\n')
    const result = await localHost.run(argv, more)
    if (isTest) await writeFile(apache.configPath, whole)
    return result
  }
  const result = await (await deployer(t, { hostFor: () => ({ ...localHost, run }) })).deploy(fields, next)
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'CONFIG_TEST_FAILED'])
  assert.match(JSON.stringify(result.error), /Invalid command 'Nonsense'/)
  assert.deepEqual([await readFile(one.certPath, 'utf8'), await readFile(one.keyPath, 'utf8')], [one.certPem, one.keyPem])
  await assertServed(apache, 'one.crt', served(name, one))
})

/** A pair that passes every test and ends the master: httpd's own security level refuses a key of 1024 bits. */
function refusedPair(name: string): TestPair {
  const text = execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:1024', '-nodes', '-days', '30', '-subj', `/CN=${name}`, '-keyout', '-', '-out', '-'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const certificate = new X509Certificate(text)
  const block = (label: string) => new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----\n`).exec(text)?.[0] ?? ''
  return {
    certPem: block('CERTIFICATE'), keyPem: block('PRIVATE KEY'), keyType: 'rsa', fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    spkiDigest: createHash('sha256').update(certificate.publicKey.export({ type: 'spki', format: 'der' })).digest('hex'),
  }
}

test('a pair that ends the master: the previous files come back and the server is started again', options, async (t) => {
  const { one, name, apache, fields } = await simple(t, { background: true })
  const pid = await apache.pid()
  const result = await (await deployer(t)).deploy({ ...fields, proofSeconds: 3 }, refusedPair(name))
  assert.equal(result.outcome, 'rolled-back', JSON.stringify(result.error))
  assert.ok(['PROOF_NO_ANSWER', 'RELOAD_FAILED'].includes(result.error?.code ?? ''), JSON.stringify(result.error))
  assert.match(await apache.errorLog(), /key too small|AH02562/)
  assert.equal(await readFile(one.certPath, 'utf8'), one.certPem)
  await eventually(async () => ![0, pid].includes(await apache.pid()), { what: 'a new master' })
  await assertServed(apache, 'one.crt', served(name, one))
})

test('what would break something beside it is refused before anything is touched', options, async (t) => {
  const one = await written(t, 'one')
  const copy = one.certPath.replace('one.crt', 'copy.crt')
  await writeFile(copy, one.certPem)
  const apache = await startApache(t, { hosts: [{ names: [uniqueName()], ...one }, { names: [uniqueName()], certPath: copy, keyPath: one.keyPath }] })
  const { plan } = await deployer(t)
  await assert.rejects(plan((await slotOf(apache, 'one.crt')).fields, await selfSignedPair(['x.test'])), { code: 'PLAN_FAILED', message: /one\.key is also used with .*copy\.crt/ })
})

test('a master that is not root\'s is spoken to with its own rights', { ...options, skip: options.skip || (!isRoot && 'needs root') }, async (t) => {
  const account = { uid: 65534, gid: 65534 }
  const prefix = await tempFolder(t, 'apache')
  const name = uniqueName()
  const one = await writePair(prefix, 'one', await selfSignedPair([name]))
  for (const file of [one.certPath, one.keyPath]) await chown(file, account.uid, account.gid)
  const apache = await startApache(t, { prefix, account, hosts: [{ names: [name], ...one }] })
  const { fields } = await slotOf(apache, 'one.crt')
  const next = await selfSignedPair([name])
  const { plan, deploy } = await deployer(t)
  assert.deepEqual((await plan(fields, next)).steps.flatMap((step) => ('argv' in step ? [step.runAs] : [])), [account, account])
  assertDeployed(await deploy(fields, next))
  await assertServed(apache, 'one.crt', served(name, next))
})
