import { leftOut, selfSignedPair, startDovecot, tempFolder, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { breakingConfiguration, brokenConfiguration, conformance, unnamedPath, unwritableFolder, watching } from '../kit/conformance.ts'
import { assertDeployed, deployer, detect, servedBy, slotOf, stepKinds, uniqueName } from './mail-kit.ts'

const skip = process.getuid?.() === 0 ? leftOut('dovecot') || leftOut('imap-login') || leftOut('pop3-login') : 'Dovecot is started as root here'

const pair = ({ certPath, keyPath }: { certPath: string; keyPath: string }, alt = '') => `ssl_${alt}cert = <${certPath}\nssl_${alt}key = <${keyPath}\n`
const everywhere = (fingerprint: string, more = '') => Object.fromEntries(['0 imap', '1 tls', '2 pop3', '3 tls'].map((at) => [`${at}${more}`, fingerprint]))

conformance('dovecot', {
  skip,
  async makeSubject(t) {
    const name = uniqueName()
    const one = await writePair(await tempFolder(t, 'pairs'), 'one', await selfSignedPair([name]))
    const dovecot = await startDovecot(t, { settings: () => pair(one) })
    return {
      isSubject: ({ key }) => key === dovecot.configPath,
      pairs: [one, await selfSignedPair([name])],
      ...await watching({ own: [one.certPath, one.keyPath], foreign: [dovecot.configPath] }),
      badInput: [unnamedPath('certificatePath'), unnamedPath('keyPath'), unwritableFolder(dirname(one.certPath)), brokenConfiguration(dovecot.configPath, 'bogus = yes\n', /Unknown setting: bogus/)],
      failures: [breakingConfiguration(dovecot.configPath, 'bogus = yes\n')],
    }
  },
})

test('names, addresses and protocols with pairs of their own; only the one meant changes', { skip }, async (t) => {
  const pairs = await tempFolder(t, 'pairs')
  const [main, shop, near, next] = await Promise.all([1, 2, 3, 4].map(() => selfSignedPair([uniqueName()])))
  assert.ok(main && shop && near && next)
  const [m, s, n] = [await writePair(pairs, 'main', main), await writePair(pairs, 'shop', shop), await writePair(pairs, 'near', near)]
  const dovecot = await startDovecot(t, {
    listen: '*',
    settings: () => `${pair(m)}local_name "imap.shop.test mail.shop.test" {\n${pair(s)}}\nlocal_name *.wild.test {\n${pair(s)}}\nlocal 127.0.0.9 {\n${pair(n)}}\n`,
  })
  const server = await detect('dovecot', dovecot.configPath)
  assert.equal(server.problem, null)
  assert.match(server.version ?? '', /^2\.3\./)
  assert.deepEqual(servedBy(dovecot.ports, slotOf(server, 'main.crt')), everywhere(main.fingerprint))
  const near9 = slotOf(server, 'near.crt')
  assert.deepEqual([...new Set(near9.served.map(({ endpoint }) => endpoint.address))], ['127.0.0.9'])
  assert.deepEqual(servedBy(dovecot.ports, near9), everywhere(near.fingerprint))
  const shops = slotOf(server, 'shop.crt')
  assert.deepEqual(shops.names, ['imap.shop.test', 'mail.shop.test', '*.wild.test'])
  const { deploy, plan } = await deployer(t, 'dovecot')
  assert.deepEqual(stepKinds(await plan(near9.fields, next)), ['write full-chain', 'write key', 'run-command', 'reload-service', 'prove'])
  assertDeployed(await deploy(near9.fields, next))
  const after = await detect('dovecot', dovecot.configPath)
  assert.deepEqual(servedBy(dovecot.ports, slotOf(after, 'near.crt')), everywhere(next.fingerprint))
  assert.deepEqual(servedBy(dovecot.ports, slotOf(after, 'main.crt')), everywhere(main.fingerprint))
  assert.deepEqual(new Set(slotOf(after, 'shop.crt').served.map(({ fingerprint, error }) => fingerprint ?? error)), new Set([shop.fingerprint]))
})

test('RSA beside ECDSA; POP3 with a pair of its own in one file', { skip }, async (t) => {
  const pairs = await tempFolder(t, 'pairs')
  const name = uniqueName()
  const [rsa, ec, pop, next, nextPop] = await Promise.all([selfSignedPair([name], 'rsa'), selfSignedPair([name]), selfSignedPair([name]), selfSignedPair([name], 'rsa'), selfSignedPair([name])])
  const [r, e] = [await writePair(pairs, 'rsa', rsa), await writePair(pairs, 'ec', ec)]
  const both = `${pairs}/pop.pem`
  await writeFile(both, pop.certPem + pop.keyPem, { mode: 0o600 })
  const dovecot = await startDovecot(t, { settings: () => `${pair(r)}${pair(e, 'alt_')}protocol pop3 {\nssl_cert = <${both}\nssl_key = <${both}\nssl_alt_cert =\nssl_alt_key =\n}\n` })
  const server = await detect('dovecot', dovecot.configPath)
  assert.deepEqual(servedBy(dovecot.ports, slotOf(server, 'rsa.crt')), { '0 imap rsa': rsa.fingerprint, '1 tls rsa': rsa.fingerprint })
  assert.deepEqual(servedBy(dovecot.ports, slotOf(server, 'ec.crt')), { '0 imap ec': ec.fingerprint, '1 tls ec': ec.fingerprint })
  assert.deepEqual(servedBy(dovecot.ports, slotOf(server, 'pop.pem')), { '2 pop3': pop.fingerprint, '3 tls': pop.fingerprint })
  const { deploy } = await deployer(t, 'dovecot')
  assertDeployed(await deploy(slotOf(server, 'rsa.crt').fields, next))
  assertDeployed(await deploy(slotOf(server, 'pop.pem').fields, nextPop))
  const after = await detect('dovecot', dovecot.configPath)
  assert.deepEqual(servedBy(dovecot.ports, slotOf(after, 'rsa.crt')), { '0 imap rsa': next.fingerprint, '1 tls rsa': next.fingerprint })
  assert.deepEqual(servedBy(dovecot.ports, slotOf(after, 'ec.crt')), { '0 imap ec': ec.fingerprint, '1 tls ec': ec.fingerprint })
  assert.deepEqual(servedBy(dovecot.ports, slotOf(after, 'pop.pem')), { '2 pop3': nextPop.fingerprint, '3 tls': nextPop.fingerprint })
})

test('several instances; a session that is logged in goes on over the reload', { skip }, async (t) => {
  const pairs = await tempFolder(t, 'pairs')
  const [a, b] = await Promise.all([selfSignedPair([uniqueName()]), selfSignedPair([uniqueName()])])
  const [one, two] = [await writePair(pairs, 'a', a), await writePair(pairs, 'b', b)]
  const first = await startDovecot(t, { settings: () => `${pair(one)}disable_plaintext_auth = no\n` })
  const second = await startDovecot(t, { settings: () => pair(two) })
  assert.deepEqual(servedBy(second.ports, slotOf(await detect('dovecot', second.configPath), 'b.crt')), everywhere(b.fingerprint))

  const socket = connect(first.ports[0] ?? 0, '127.0.0.1').setEncoding('utf8')
  t.after(() => socket.destroy())
  let heard = ''
  socket.on('data', (text: string) => { heard += text })
  const ask = async (words: string, answer: RegExp) => {
    if (words !== '') socket.write(words)
    while (!answer.test(heard)) await once(socket, 'data')
  }
  await ask('', /\* OK /)
  await ask('1 LOGIN ann secret\r\n', /^1 OK /m)
  const { deploy } = await deployer(t, 'dovecot')
  assertDeployed(await deploy(slotOf(await detect('dovecot', first.configPath), 'a.crt').fields, await selfSignedPair([uniqueName()])))
  await ask('2 NOOP\r\n', /^2 OK /m)
  assert.deepEqual(servedBy(second.ports, slotOf(await detect('dovecot', second.configPath), 'b.crt')), everywhere(b.fingerprint))
})

test('a configuration that does not pass its test any more is rolled back, and the old one goes on', { skip }, async (t) => {
  const pairs = await tempFolder(t, 'pairs')
  const name = uniqueName()
  const old = await selfSignedPair([name])
  const [one, ca] = [await writePair(pairs, 'one', old), await writePair(pairs, 'ca', old)]
  const dovecot = await startDovecot(t, { settings: () => `${pair(one)}ssl_ca = <${ca.certPath}\n` })
  const { fields } = slotOf(await detect('dovecot', dovecot.configPath), 'one.crt')
  const { plan, deploy } = await deployer(t, 'dovecot')
  const next = await selfSignedPair([name])
  const approved = await plan(fields, next)
  await rm(ca.certPath)
  const result = await deploy(fields, next, approved)
  assert.equal(result.outcome, 'rolled-back', JSON.stringify(result.error))
  assert.match(JSON.stringify(result.error), /ca\.crt: No such file or directory/)
  assert.equal(await readFile(one.certPath, 'utf8'), old.certPem)
  assert.equal(await readFile(one.keyPath, 'utf8'), old.keyPem)
  assert.deepEqual(servedBy(dovecot.ports, slotOf(await detect('dovecot', dovecot.configPath), 'one.crt')), everywhere(old.fingerprint))
})

test('a configuration that breaks is refused in Dovecot\'s words; secrets of it stay here; what is no file is told', { skip }, async (t) => {
  const old = await selfSignedPair([uniqueName()])
  const one = await writePair(await tempFolder(t, 'pairs'), 'one', old)
  const dovecot = await startDovecot(t, { settings: () => `${pair(one)}ssl_key_password = unseen-password\nlocal_name inline.test {\nssl_cert = <${one.certPath}\nssl_key = ${one.keyPath}\n}\nremote 192.0.2.1 {\n${pair(one)}}\nlocal 192.0.2.0/24 {\n${pair(one)}}\n` })
  const server = await detect('dovecot', dovecot.configPath)
  assert.match(server.problem?.message ?? '', /inline\.test: ssl_key names no file .*remote 192\.0\.2\.1.*local 192\.0\.2\.0\/24/)
  const { fields } = slotOf(server, 'one.crt')
  const { plan, deploy } = await deployer(t, 'dovecot')
  const next = await selfSignedPair([uniqueName()])
  const approved = await plan(fields, next)
  const text = await readFile(dovecot.configPath, 'utf8')
  await writeFile(dovecot.configPath, `${text}mail_debug = yes\n`)
  const changed = await deploy(fields, next, approved)
  assert.deepEqual([changed.error?.code, changed.touched], ['PLAN_CHANGED', false])
  assert.doesNotMatch(JSON.stringify(changed), /unseen-password/)
  await writeFile(dovecot.configPath, `${text}bogus = yes\n`)
  await assert.rejects(plan(fields, next), { code: 'SERVER_CONFIGURATION_UNREADABLE', message: /Unknown setting: bogus/ })
  assert.equal(await readFile(one.certPath, 'utf8'), old.certPem)
})
