import { leftOut, selfSignedPair, startPostfix, tempFolder, type TestPair, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { brokenConfiguration, conformance, unnamedPath, unwritableFolder, watching } from '../kit/conformance.ts'
import { assertDeployed, context, deployer, detect, driverOf, servedBy, slotOf, stepKinds, uniqueName } from './mail-kit.ts'

const skip = process.getuid?.() === 0 ? leftOut('postfix') : 'Postfix starts only as root'

const legacy = ({ certPath, keyPath }: { certPath: string; keyPath: string }) => ({ smtpd_tls_security_level: 'may', smtpd_tls_cert_file: certPath, smtpd_tls_key_file: keyPath })
const wrapped = { smtpd_tls_wrappermode: 'yes' }

conformance('postfix', {
  skip,
  async makeSubject(t) {
    const name = uniqueName()
    const one = await writePair(await tempFolder(t, 'pairs'), 'one', await selfSignedPair([name]))
    const postfix = await startPostfix(t, { services: [{ listener: 0 }, { listener: 1, options: wrapped }], settings: () => legacy(one) })
    return {
      isSubject: ({ key }) => key === postfix.mainPath,
      pairs: [one, await selfSignedPair([name])],
      ...await watching({ own: [one.certPath, one.keyPath], foreign: [postfix.mainPath, join(postfix.configFolder, 'master.cf')] }),
      badInput: [unnamedPath('certificatePath'), unnamedPath('keyPath'), unwritableFolder(dirname(one.certPath)), brokenConfiguration(postfix.mainPath, 'no parameter\n', /missing '=' after attribute name/)],
    }
  },
})

test('several services: STARTTLS and TLS at once, overrides with pairs of their own, none without TLS', { skip }, async (t) => {
  const pairs = await tempFolder(t, 'pairs')
  const [main, own, next] = await Promise.all([selfSignedPair([uniqueName()], 'rsa'), selfSignedPair([uniqueName()]), selfSignedPair([uniqueName()])])
  const one = await writePair(pairs, 'main', main)
  const chain = join(pairs, 'own.pem')
  await writeFile(chain, own.keyPem + own.certPem, { mode: 0o600 })
  const postfix = await startPostfix(t, {
    settings: () => ({ ...legacy(one), myhostname: 'mx.example.test' }),
    services: [
      { listener: 0, options: { smtpd_tls_security_level: 'none' } }, { listener: 1 }, { listener: 2, options: { ...wrapped, smtpd_tls_chain_files: chain } },
      { listener: 3, options: { smtpd_tls_security_level: 'encrypt', smtpd_tls_chain_files: chain }, address: '' },
      { listener: 4, options: { smtpd_discard_ehlo_keywords: 'starttls, silent-discard' } },
    ],
  })
  const server = await detect('postfix', postfix.mainPath)
  assert.equal(server.problem, null)
  assert.match(server.version ?? '', /^3\./)
  assert.deepEqual(server.slots.map(({ names }) => names), [['mx.example.test'], ['mx.example.test']])
  assert.deepEqual(servedBy(postfix.ports, slotOf(server, 'main.crt')), { '1 smtp': main.fingerprint })
  assert.deepEqual(servedBy(postfix.ports, slotOf(server, 'own.pem')), { '2 tls': own.fingerprint, '3 smtp': own.fingerprint })

  const { plan, deploy } = await deployer(t, 'postfix')
  const { fields } = slotOf(server, 'own.pem')
  const planned = await plan(fields, next)
  assert.deepEqual(stepKinds(planned), ['write key-and-full-chain', 'run-command', 'reload-service', 'prove'])
  assert.deepEqual(planned.steps.flatMap((step) => (step.kind === 'prove' ? [step.timeoutSeconds] : [])), [20], 'as the manifest says where the target says nothing')
  assertDeployed(await deploy(fields, next))
  assert.equal(await readFile(chain, 'utf8'), next.keyPem + next.certPem)
  assert.equal(await readFile(one.certPath, 'utf8'), main.certPem)
  const after = await detect('postfix', postfix.mainPath)
  assert.deepEqual(servedBy(postfix.ports, slotOf(after, 'own.pem')), { '2 tls': next.fingerprint, '3 smtp': next.fingerprint })
  assert.deepEqual(servedBy(postfix.ports, slotOf(after, 'main.crt')), { '1 smtp': main.fingerprint })
})

test('RSA beside ECDSA, as older parameters and as chain files with a key of its own', { skip }, async (t) => {
  const name = uniqueName()
  const pairs = await tempFolder(t, 'pairs')
  const [rsa, ec] = await Promise.all([selfSignedPair([name], 'rsa'), selfSignedPair([name])])
  const [r, e] = [await writePair(pairs, 'rsa', rsa), await writePair(pairs, 'ec', ec)]
  const both = join(pairs, 'both.pem')
  await writeFile(both, ec.keyPem + ec.certPem, { mode: 0o600 })
  const postfix = await startPostfix(t, {
    services: [{ listener: 0 }, { listener: 1, options: { smtpd_tls_chain_files: `${r.keyPath}, ${r.certPath} ${both}` } }],
    settings: () => ({ ...legacy(r), smtpd_tls_eccert_file: e.certPath, smtpd_tls_eckey_file: e.keyPath }),
  })
  const server = await detect('postfix', postfix.mainPath)
  assert.deepEqual(servedBy(postfix.ports, slotOf(server, 'rsa.crt')), { '0 smtp rsa': rsa.fingerprint, '1 smtp rsa': rsa.fingerprint })
  assert.deepEqual(servedBy(postfix.ports, slotOf(server, 'ec.crt')), { '0 smtp ec': ec.fingerprint })
  assert.deepEqual(servedBy(postfix.ports, slotOf(server, 'both.pem')), { '1 smtp ec': ec.fingerprint })
  const { deploy, plan } = await deployer(t, 'postfix')
  const next = await selfSignedPair([name], 'rsa')
  assertDeployed(await deploy(slotOf(server, 'rsa.crt').fields, next))
  await assert.rejects(plan(slotOf(server, 'ec.crt').fields, next), { code: 'PLAN_FAILED', message: /already holds a certificate with an RSA key/ })
  const after = await detect('postfix', postfix.mainPath)
  assert.deepEqual(servedBy(postfix.ports, slotOf(after, 'rsa.crt')), { '0 smtp rsa': next.fingerprint, '1 smtp rsa': next.fingerprint })
  assert.deepEqual(servedBy(postfix.ports, slotOf(after, 'both.pem')), { '1 smtp ec': ec.fingerprint })
})

test('several instances: each has its own configuration', { skip }, async (t) => {
  const pairs = await tempFolder(t, 'pairs')
  const [a, b] = await Promise.all([selfSignedPair([uniqueName()]), selfSignedPair([uniqueName()])])
  const [one, two] = [await writePair(pairs, 'a', a), await writePair(pairs, 'b', b)]
  const first = await startPostfix(t, { settings: () => legacy(one) })
  const second = await startPostfix(t, { settings: () => legacy(two) })
  assert.deepEqual(servedBy(first.ports, slotOf(await detect('postfix', first.mainPath), 'a.crt')), { '0 smtp': a.fingerprint })
  assert.deepEqual(servedBy(second.ports, slotOf(await detect('postfix', second.mainPath), 'b.crt')), { '0 smtp': b.fingerprint })
})

test('a conversation under way goes on over the reload', { skip }, async (t) => {
  const one = await writePair(await tempFolder(t, 'pairs'), 'one', await selfSignedPair([uniqueName()]))
  const postfix = await startPostfix(t, { settings: () => legacy(one) })
  const socket = connect(postfix.ports[0] ?? 0, '127.0.0.1').setEncoding('utf8')
  t.after(() => socket.destroy())
  assert.match(String(await once(socket, 'data')), /^220 /)
  const { deploy } = await deployer(t, 'postfix')
  assertDeployed(await deploy(slotOf(await detect('postfix', postfix.mainPath), 'one.crt').fields, await selfSignedPair([uniqueName()])))
  socket.write('NOOP\r\n')
  assert.match(String(await once(socket, 'data')), /^250 /)
})

test('a pair that smtpd can not serve is rolled back: only the proof shows it', { skip }, async (t) => {
  const name = uniqueName()
  const old = await selfSignedPair([name])
  const one = await writePair(await tempFolder(t, 'pairs'), 'one', old)
  const postfix = await startPostfix(t, { settings: () => legacy(one) })
  const fields = { ...slotOf(await detect('postfix', postfix.mainPath), 'one.crt').fields, proofSeconds: 2 }
  const { plan, deploy } = await deployer(t, 'postfix')
  const next: TestPair = await selfSignedPair([name], 'rsa')
  // postfix check and postfix reload see nothing wrong; smtpd finds no cipher for an RSA key.
  await writeFile(postfix.mainPath, `${await readFile(postfix.mainPath, 'utf8')}smtpd_tls_exclude_ciphers = aRSA\nsmtpd_tls_mandatory_exclude_ciphers = aRSA\nsmtpd_tls_protocols = <=TLSv1.2\n`)
  await postfix.reload()
  const result = await deploy(fields, next, await plan(fields, next))
  assert.equal(result.outcome, 'rolled-back', JSON.stringify(result.error))
  assert.equal(await readFile(one.certPath, 'utf8'), old.certPem)
  assert.equal(await readFile(one.keyPath, 'utf8'), old.keyPem)
  assert.deepEqual(servedBy(postfix.ports, slotOf(await detect('postfix', postfix.mainPath), 'one.crt')), { '0 smtp': old.fingerprint })
})

test('a configuration that is broken, between plan and deployment or before, stops before anything is touched', { skip }, async (t) => {
  const old = await selfSignedPair([uniqueName()])
  const one = await writePair(await tempFolder(t, 'pairs'), 'one', old)
  const postfix = await startPostfix(t, { settings: () => legacy(one) })
  const { fields } = slotOf(await detect('postfix', postfix.mainPath), 'one.crt')
  const { plan, deploy } = await deployer(t, 'postfix')
  const next = await selfSignedPair([uniqueName()])
  const approved = await plan(fields, next)
  await writeFile(postfix.mainPath, `${await readFile(postfix.mainPath, 'utf8')}# changed\n`)
  const changed = await deploy(fields, next, approved)
  assert.deepEqual([changed.error?.code, changed.touched], ['PLAN_CHANGED', false])
  await writeFile(postfix.mainPath, `${await readFile(postfix.mainPath, 'utf8')}no parameter\n`)
  await assert.rejects(plan(fields, next), { code: 'SERVER_CONFIGURATION_UNREADABLE', message: /missing '=' after attribute name/ })
  assert.equal((await detect('postfix', postfix.mainPath).catch(() => undefined))?.slots.length ?? 0, 0)
  assert.equal(await readFile(one.certPath, 'utf8'), old.certPem)
})

test('what can not be replaced is told: tables for SNI, chain files in another order, missing and foreign files', { skip }, async (t) => {
  const pairs = await tempFolder(t, 'pairs')
  const old = await selfSignedPair([uniqueName()])
  const one = await writePair(pairs, 'one', old)
  const wrong = join(pairs, 'wrong.pem')
  await writeFile(wrong, old.certPem + old.keyPem)
  const postfix = await startPostfix(t, {
    settings: () => ({ ...legacy(one), tls_server_sni_maps: 'inline:{x.test=y}' }),
    services: [{ listener: 0 }, { listener: 1, options: { smtpd_tls_chain_files: `${wrong}, ${pairs}/none.pem` } }],
  })
  const server = await detect('postfix', postfix.mainPath)
  assert.match(server.problem?.message ?? '', /tls_server_sni_maps: inline:\S+ holds keys and certificates inside a table; smtpd_tls_chain_files of \S+: \S+wrong\.pem holds a certificate before its key; Postfix takes the key first; .*none\.pem is not there/)
  const { fields } = slotOf(server, 'one.crt')
  const { plan } = await deployer(t, 'postfix')
  await writeFile(one.certPath, 'hostname = x\n')
  await assert.rejects(plan(fields, old), { code: 'PLAN_FAILED', message: /neither a certificate nor a private key/ })
  await rm(one.certPath)
  await assert.rejects((await driverOf('postfix')).inspect(context, { ...fields, certificatePath: '/none' }), { code: 'SLOT_NOT_FOUND' })
})
