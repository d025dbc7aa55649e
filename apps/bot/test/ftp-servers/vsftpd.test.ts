import { leftOut, selfSignedPair, startVsftpd, tempFolder, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { conformance, watching } from '../kit/conformance.ts'
import { assertDeployed, context, deployer, detect, driverOf, servedBy, slotOf, stepKinds, uniqueName } from '../mail/mail-kit.ts'

const skip = process.getuid?.() === 0 ? leftOut('vsftpd') : 'vsftpd starts only as root'

type Written = Awaited<ReturnType<typeof writePair>>
const tls = ({ certPath, keyPath }: Written) => ({ ssl_enable: 'YES', rsa_cert_file: certPath, rsa_private_key_file: keyPath })
const pairIn = async (t: TestContext, name = 'one', keyType?: 'rsa' | 'ec') => writePair(await tempFolder(t, 'pairs'), name, await selfSignedPair([uniqueName()], keyType))

conformance('vsftpd', {
  skip,
  async makeSubject(t) {
    const one = await pairIn(t)
    const vsftpd = await startVsftpd(t, { settings: tls(one) })
    return {
      isSubject: ({ key }) => key === vsftpd.configPath,
      fields: (slot) => ({ ...slot?.fields, restartCommand: vsftpd.restartCommand }),
      pairs: [one, await selfSignedPair([uniqueName()])],
      ...await watching({ own: [one.certPath, one.keyPath], foreign: [vsftpd.configPath] }),
    }
  },
})

test('new sessions get the new certificate; the one under way ends with its listener, and is no server of its own', { skip }, async (t) => {
  const old = await pairIn(t)
  const vsftpd = await startVsftpd(t, { settings: tls(old) })
  const socket = connect(vsftpd.port, '127.0.0.1').setEncoding('utf8')
  t.after(() => socket.destroy())
  assert.match(String(await once(socket, 'data')), /^220 /)
  const before = await vsftpd.pid()
  const ended = once(socket, 'close')
  const slot = slotOf(await detect('vsftpd', vsftpd.configPath), 'one.crt')
  assert.deepEqual(servedBy([vsftpd.port], slot), { '0 ftp': old.fingerprint })
  const { deploy, plan } = await deployer(t, 'vsftpd')
  const fields = { ...slot.fields, restartCommand: vsftpd.restartCommand }
  const next = await selfSignedPair([uniqueName()])
  const planned = await plan(fields, next)
  assert.deepEqual(stepKinds(planned), ['write full-chain', 'write key', 'reload-service', 'prove'])
  assertDeployed(await deploy(fields, next, planned))
  assert.notEqual(await vsftpd.pid(), before)
  await ended
  const found = await (await driverOf('vsftpd')).detect(context)
  assert.deepEqual(found.filter(({ key }) => key === vsftpd.configPath).map((server) => [server.process.pid, servedBy([vsftpd.port], slotOf(server, 'one.crt'))]), [[await vsftpd.pid(), { '0 ftp': next.fingerprint }]])
})

test('without a unit of systemd and without a command there is no way to restart it, and that is said before anything is touched', { skip }, async (t) => {
  const old = await pairIn(t)
  const vsftpd = await startVsftpd(t, { settings: tls(old) })
  const { plan } = await deployer(t, 'vsftpd')
  const { fields } = slotOf(await detect('vsftpd', vsftpd.configPath), 'one.crt')
  await assert.rejects(plan(fields, await selfSignedPair(['x.test'])), { code: 'PLAN_FAILED', message: /has to be restarted, and process \d+ is not the main process of a systemd unit/ })
})

test('implicit TLS, one file for both, settings of the command line, RSA beside ECDSA', { skip }, async (t) => {
  const folder = await tempFolder(t, 'pairs')
  const [rsa, ec] = [await selfSignedPair([uniqueName()], 'rsa'), await writePair(folder, 'ec', await selfSignedPair([uniqueName()]))]
  const both = join(folder, 'both.pem')
  await writeFile(both, rsa.certPem + rsa.keyPem, { mode: 0o600 })
  const vsftpd = await startVsftpd(t, {
    settings: { ssl_enable: 'yes', rsa_cert_file: both, dsa_cert_file: ec.certPath, dsa_private_key_file: ec.keyPath, ssl_ciphers: 'HIGH' },
    words: ['-oimplicit_ssl=YES'],
  })
  const server = await detect('vsftpd', vsftpd.configPath)
  assert.deepEqual([servedBy([vsftpd.port], slotOf(server, 'both.pem')), servedBy([vsftpd.port], slotOf(server, 'ec.crt'))], [{ '0 tls rsa': rsa.fingerprint }, { '0 tls ec': ec.fingerprint }])
  const { deploy, plan } = await deployer(t, 'vsftpd')
  const next = await selfSignedPair([uniqueName()], 'rsa')
  const fields = { ...slotOf(server, 'both.pem').fields, restartCommand: vsftpd.restartCommand }
  assertDeployed(await deploy(fields, next))
  assert.equal(await readFile(both, 'utf8'), next.certPem + next.keyPem)
  await assert.rejects(plan({ ...slotOf(server, 'ec.crt').fields, restartCommand: vsftpd.restartCommand }, next), { code: 'PLAN_FAILED', message: /already holds a certificate with an RSA key/ })
  assert.deepEqual(servedBy([vsftpd.port], slotOf(await detect('vsftpd', vsftpd.configPath), 'ec.crt')), { '0 tls ec': ec.fingerprint })
})

test('several vsftpd with configurations of their own: each has its place, and one without TLS has none', { skip }, async (t) => {
  const [a, b] = [await pairIn(t, 'a'), await pairIn(t, 'b')]
  const [first, second, plain] = [await startVsftpd(t, { settings: tls(a) }), await startVsftpd(t, { settings: tls(b) }), await startVsftpd(t, { settings: { ssl_enable: 'NO', rsa_cert_file: a.certPath } })]
  assert.deepEqual(servedBy([first.port], slotOf(await detect('vsftpd', first.configPath), 'a.crt')), { '0 ftp': a.fingerprint })
  assert.deepEqual(servedBy([second.port], slotOf(await detect('vsftpd', second.configPath), 'b.crt')), { '0 ftp': b.fingerprint })
  const { slots, problem } = await detect('vsftpd', plain.configPath)
  assert.deepEqual([slots, problem], [[], null])
})

test('a pair with which vsftpd does not start is rolled back, and it runs again', { skip }, async (t) => {
  const old = await pairIn(t)
  const vsftpd = await startVsftpd(t, { settings: tls(old) })
  const fields = { ...slotOf(await detect('vsftpd', vsftpd.configPath), 'one.crt').fields, proofSeconds: 5, restartCommand: vsftpd.restartCommand }
  const { deploy } = await deployer(t, 'vsftpd')
  const result = await deploy(fields, await selfSignedPair([uniqueName()], 'weak-rsa'))
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'PROOF_NO_ANSWER'], JSON.stringify([result.error, result.log.map(({ message, output }) => [message, output])]))
  assert.deepEqual([await readFile(old.certPath, 'utf8'), await readFile(old.keyPath, 'utf8')], [old.certPem, old.keyPem])
  assert.deepEqual(servedBy([vsftpd.port], slotOf(await detect('vsftpd', vsftpd.configPath), 'one.crt')), { '0 ftp': old.fingerprint })
})

test('what stands in the way is told: a changed or missing configuration, sockets not taken up yet, missing files, a super-server', { skip }, async (t) => {
  const old = await pairIn(t)
  const vsftpd = await startVsftpd(t, { settings: tls(old) })
  const fields = { ...slotOf(await detect('vsftpd', vsftpd.configPath), 'one.crt').fields, restartCommand: vsftpd.restartCommand }
  const { deploy, plan } = await deployer(t, 'vsftpd')
  const next = await selfSignedPair([uniqueName()])
  const approved = await plan(fields, next)
  await appendFile(vsftpd.configPath, '# changed\n')
  const changed = await deploy(fields, next, approved)
  assert.deepEqual([changed.error?.code, changed.touched], ['PLAN_CHANGED', false])
  const text = await readFile(vsftpd.configPath, 'utf8')
  await writeFile(vsftpd.configPath, `${text}listen_port=1\n`)
  await assert.rejects(plan(fields, next), { code: 'PLACE_UNSUPPORTED', message: /says 127\.0\.0\.1 port 1, and it listens elsewhere; restart it first/ })
  await writeFile(vsftpd.configPath, `${text}listen=NO\n`)
  await assert.rejects(plan(fields, next), { code: 'PLACE_UNSUPPORTED', message: /started for each connection by inetd/ })
  await writeFile(vsftpd.configPath, text)
  await rm(old.keyPath)
  await writeFile(old.certPath, 'banner\n')
  await assert.rejects(plan(fields, next), { code: 'PLAN_FAILED', message: /neither a certificate nor a private key/ })
  await rm(vsftpd.configPath)
  await assert.rejects(plan(fields, next), { code: 'SERVER_CONFIGURATION_UNREADABLE', message: /is not there any more/ })
})
