import { leftOut, type RunningHaproxy, startHaproxy, type TestPair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { assertDeployed, context, deployer, detect, servedBy, slotOf, stepKinds } from '../kit/kit.ts'
import { combined, frontend, pairOf, slotAt } from './haproxy-kit.ts'

const run = promisify(execFile)
const skip = leftOut('haproxy')

/** One frontend with one certificate, one.pem. */
const single = (t: TestContext, pair: TestPair, options: Partial<Parameters<typeof startHaproxy>[1]> = {}): Promise<RunningHaproxy> => startHaproxy(t, {
  sections: async ({ folder, ports }) => frontend('web', ports[0], `crt ${await combined(join(folder, 'certs/one.pem'), pair)}`), ...options,
})
const fileOf = (haproxy: RunningHaproxy) => readFile(join(haproxy.folder, 'certs/one.pem'), 'utf8')

/** OpenSSL refuses keys that are weaker than its security level 2 asks for. */
async function weakPair(): Promise<TestPair> {
  const { stdout } = await run('openssl', ['req', '-x509', '-newkey', 'rsa:1024', '-nodes', '-days', '30', '-subj', '/CN=one.test', '-keyout', '-', '-out', '-'])
  const [keyPem = '', certPem = ''] = ['PRIVATE KEY', 'CERTIFICATE'].map((label) => new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----\n`).exec(stdout)?.[0])
  const certificate = new X509Certificate(certPem)
  return { certPem, keyPem, keyType: 'rsa', fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(), spkiDigest: createHash('sha256').update(certificate.publicKey.export({ type: 'spki', format: 'der' })).digest('hex') }
}

test('a certificate that HAProxy does not load is refused by its test and rolled back, before the process hears of it', { skip }, async (t) => {
  const [old, weak] = await Promise.all([pairOf('one.test'), weakPair()])
  const haproxy = await single(t, old, { statsLevel: 'admin' })
  const { deploy } = await deployer(t, 'haproxy')
  const { fields } = await slotAt(haproxy, 'one.pem')
  for (const activation of ['reload', 'runtime-api']) {
    const result = await deploy({ ...fields, activation }, weak)
    assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'CONFIG_TEST_FAILED'], JSON.stringify(result.error))
    assert.equal(await fileOf(haproxy), old.certPem + old.keyPem)
  }
  assert.deepEqual(servedBy(haproxy.ports, await slotAt(haproxy, 'one.pem')), { '0 tls': old.fingerprint, '0 tls one.test': old.fingerprint })
})

test('what the proof does not find is undone: the running process gets the previous certificate back, either way', { skip }, async (t) => {
  const [old, next] = await Promise.all([pairOf('one.test'), pairOf('one.test')])
  const haproxy = await single(t, old, { statsLevel: 'admin' })
  const { fields } = await slotAt(haproxy, 'one.pem')
  // A proof that never sees the new one, as from behind another balancer.
  const blind: typeof context.probe = async (endpoint) => {
    const sight = await context.probe(endpoint)
    return sight.fingerprint === next.fingerprint ? { ...sight, fingerprint: 'f'.repeat(64) } : sight
  }
  const { deploy } = await deployer(t, 'haproxy', { at: { ...context, probe: blind, reach: 'local' } })
  for (const activation of ['runtime-api', 'reload']) {
    const result = await deploy({ ...fields, activation, proofSeconds: 1 }, next)
    assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'PROOF_MISMATCH'], JSON.stringify(result.error))
    assert.deepEqual(servedBy(haproxy.ports, await slotAt(haproxy, 'one.pem')), { '0 tls': old.fingerprint, '0 tls one.test': old.fingerprint })
    assert.equal(await fileOf(haproxy), old.certPem + old.keyPem)
  }
})

test('a broken configuration stops before anything is touched, and is told in the words of HAProxy', { skip }, async (t) => {
  const [old, next] = await Promise.all([pairOf('one.test'), pairOf('one.test')])
  const haproxy = await single(t, old)
  const { fields } = await slotAt(haproxy, 'one.pem')
  const { plan, deploy } = await deployer(t, 'haproxy')
  const approved = await plan(fields, next)
  await appendFile(haproxy.configPath, '# a remark\n')
  assert.deepEqual((await deploy(fields, next, approved)).error?.code, 'PLAN_CHANGED')
  await appendFile(haproxy.configPath, 'surely no section\n')
  const result = await deploy(fields, next, approved)
  assert.deepEqual([result.error?.code, result.touched], ['SERVER_CONFIGURATION_UNREADABLE', false])
  assert.match(result.error?.message ?? '', /configuration: config : parsing \S+ : unknown keyword 'surely'/)
  assert.equal(await fileOf(haproxy), old.certPem + old.keyPem)
})

test('where the runtime API can not be used it is said why, and by default it is a reload', { skip }, async (t) => {
  const [old, next] = await Promise.all([pairOf('one.test'), pairOf('one.test')])
  const { plan } = await deployer(t, 'haproxy')
  const refused = (fields: Record<string, unknown>, message: RegExp) => assert.rejects(plan({ ...fields, activation: 'runtime-api' }, next), { code: 'PLAN_FAILED', message })
  const without = await single(t, old)
  await refused((await slotAt(without, 'one.pem')).fields, /no stats socket is configured/)
  const weaker = await single(t, old, { statsLevel: 'operator' })
  const { fields } = await slotAt(weaker, 'one.pem')
  await refused(fields, /admin\.sock is not of level admin but "operator"/)
  assert.deepEqual(stepKinds(await plan(fields, next)).slice(-2), ['reload-service', 'prove'])

  const able = await single(t, old, { statsLevel: 'admin', globals: ({ folder }) => `  stats socket ${folder}/second.sock level admin\n` })
  const slot = await slotAt(able, 'one.pem')
  const certificate = join(able.folder, 'certs/one.pem')
  await writeFile(certificate, `${old.certPem}\n${old.keyPem}`)
  await refused(slot.fields, /one\.pem has empty lines/)
  await writeFile(certificate, old.certPem + old.keyPem)
  await asking(able.socketPath, `set ssl cert ${certificate} <<\n${next.certPem}${next.keyPem}\n`)
  assert.deepEqual(stepKinds(await plan(slot.fields, next)).slice(-2), ['socket-command', 'prove'], 'a transaction for this very file is ended')
})

async function asking(path: string, text: string): Promise<string> {
  const stream = await context.host.connect({ path })
  stream.write(text)
  let said = ''
  for await (const chunk of stream) said += String(chunk)
  return said
}

test('a process without a master: by the runtime API, else it is refused', { skip }, async (t) => {
  const [old, next] = await Promise.all([pairOf('one.test'), pairOf('one.test')])
  const { plan, deploy } = await deployer(t, 'haproxy')
  const silent = await single(t, old, { masterWorker: false })
  await assert.rejects(plan((await slotAt(silent, 'one.pem')).fields, next), { code: 'PLAN_FAILED', message: /no stats socket is configured.* runs without a master process/s })
  const able = await single(t, old, { masterWorker: false, statsLevel: 'admin' })
  assertDeployed(await deploy((await slotAt(able, 'one.pem')).fields, next))
  assert.equal(await fileOf(able), next.certPem + next.keyPem)
})

test('several -f, a folder of them, -C, variables, bundles and keys beside .crt files', { skip }, async (t) => {
  const [ec, apart, next] = await Promise.all([pairOf('bundle.test'), pairOf('apart.test'), pairOf('apart.test')])
  const haproxy = await startHaproxy(t, {
    portCount: 2,
    environment: { SHOP_CERTS: 'certs' },
    options: ({ folder }) => ['-C', folder, '-f', 'conf.d'],
    globals: () => '  ssl-load-extra-del-ext\n  setenv BUNDLE bundle.pem\n',
    sections: async ({ folder, ports }) => {
      await combined(join(folder, 'certs/bundle.pem.ecdsa'), ec)
      await writeFile(join(folder, 'certs/apart.crt'), apart.certPem)
      await writeFile(join(folder, 'certs/apart.key'), apart.keyPem, { mode: 0o600 })
      await mkdir(join(folder, 'conf.d'))
      await writeFile(join(folder, 'conf.d/b.cfg'), frontend('two', ports[1], '"crt" "${SHOP_CERTS}/apart.crt"'))
      await writeFile(join(folder, 'conf.d/b.cfg.old'), 'not read')
      return frontend('one', ports[0], 'crt "${SHOP_CERTS}/$BUNDLE"')
    },
  })
  const server = await detect('haproxy', `${haproxy.configPath} ${haproxy.folder}/conf.d`)
  assert.deepEqual(servedBy(haproxy.ports, slotOf(server, 'bundle.pem.ecdsa')), { '0 tls': ec.fingerprint, '0 tls bundle.test': ec.fingerprint })
  const { fields, names } = slotOf(server, 'apart.crt')
  assert.deepEqual([names, fields['furtherConfiguration'], String(fields['keyPath']).endsWith('/apart.key')], [['apart.test'], `${haproxy.folder}/conf.d`, true])
  const { deploy } = await deployer(t, 'haproxy')
  assertDeployed(await deploy(fields, next))
  assert.equal(await readFile(join(haproxy.folder, 'certs/apart.key'), 'utf8'), next.keyPem)
})
