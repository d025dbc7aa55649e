import { findTool, leftOut, selfSignedPair, startProftpd, tempFolder, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { conformance, watching } from '../kit/conformance.ts'
import { assertDeployed, context, deployer, detect, driverOf, servedBy, slotOf, stepKinds, uniqueName } from '../mail/mail-kit.ts'

const skip = process.getuid?.() === 0 ? leftOut('proftpd') || (findTool('mod_tls.so') === undefined && leftOut('mod_tls.so')) : 'ProFTPD starts only as root here'

type Written = Awaited<ReturnType<typeof writePair>>
const pairLines = ({ certPath, keyPath }: Written, kind = 'RSA') => `TLS${kind}CertificateFile ${certPath}\nTLS${kind}CertificateKeyFile ${keyPath}\n`
const engineOn = 'TLSEngine on\nTLSOptions NoSessionReuseRequired\n'
const pairIn = async (t: TestContext, name = 'one') => writePair(await tempFolder(t, 'pairs'), name, await selfSignedPair([uniqueName()], 'rsa'))

conformance('proftpd', {
  skip,
  async makeSubject(t) {
    const one = await pairIn(t)
    const proftpd = await startProftpd(t, { settings: () => engineOn + pairLines(one) })
    return {
      isSubject: ({ key }) => key === proftpd.configPath,
      pairs: [one, await selfSignedPair([uniqueName()], 'rsa')],
      ...await watching({ own: [one.certPath, one.keyPath] }),
    }
  },
})

test('virtual hosts, global pairs, implicit TLS, names on one socket, RSA beside ECDSA, included files', { skip }, async (t) => {
  const folder = await tempFolder(t, 'pairs')
  const pair = async (name: string, kind: 'rsa' | 'ec' = 'rsa') => writePair(folder, name, await selfSignedPair([uniqueName()], kind))
  const [main, vhost, ec, both, named, nameless] = [await pair('main'), await pair('vhost'), await pair('ec', 'ec'), await pair('implicit'), await pair('named'), await pair('nameless')]
  await writeFile(both.certPath, both.certPem + both.keyPem, { mode: 0o600 })
  const proftpd = await startProftpd(t, {
    ports: 2,
    settings: async (configFolder, [port, implicit]) => {
      await mkdir(join(configFolder, 'sites'))
      await writeFile(join(configFolder, 'sites/a.conf'), `<VirtualHost 127.0.0.2>\nServerName "vhost.test"\nPort ${port}\n${pairLines(vhost)}${pairLines(ec, 'EC')}</VirtualHost>\n`)
      await writeFile(join(configFolder, 'sites/b.txt'), '<VirtualHost 127.0.0.2>\nBad on\n</VirtualHost>\n')
      return `Include ${configFolder}/sit*/*.conf
<IfModule mod_tls.c>
<Global>
${engineOn}${pairLines(main)}</Global>
</IfModule>
<IfModule !mod_tls.c>
TLSRSACertificateFile /nowhere
</IfModule>
<VirtualHost 127.0.0.1>
Port ${implicit}
TLSOptions UseImplicitSSL \\
  NoSessionReuseRequired
TLSRSACertificateFile ${both.certPath}
TLSRSACertificateKeyFile ${both.certPath}
</VirtualHost>
<VirtualHost 127.0.0.4>
Port ${port}
ServerAlias *.wild.test named.test
${pairLines(named)}</VirtualHost>
<VirtualHost 127.0.0.4>
Port ${port}
${pairLines(nameless)}</VirtualHost>
<VirtualHost 127.0.0.3>
Port ${implicit}
TLSEngine off
</VirtualHost>
`
    },
  })
  const { ports } = proftpd
  const server = await detect('proftpd', proftpd.configPath)
  assert.equal(server.problem, null)
  assert.match(server.version ?? '', /^1\./)
  const served = async (name: string) => servedBy(ports, slotOf(await detect('proftpd', proftpd.configPath), name))
  assert.deepEqual(server.slots.map(({ names }) => names), [[], ['vhost.test'], ['vhost.test'], [], ['named.test'], []])
  assert.deepEqual(await served('main.crt'), { '0 ftp': main.fingerprint })
  assert.deepEqual(await served('vhost.crt'), { '0 ftp rsa': vhost.fingerprint })
  assert.deepEqual(await served('ec.crt'), { '0 ftp ec': ec.fingerprint })
  assert.deepEqual(await served('implicit.crt'), { '1 tls': both.fingerprint })
  assert.deepEqual(await served('named.crt'), { '0 ftp named.test': named.fingerprint })

  assert.match(slotOf(server, 'nameless.crt').problem?.message ?? '', /127\.0\.0\.4 port \d+ belongs to several servers, and this one has no ServerAlias/)

  const { plan, deploy } = await deployer(t, 'proftpd')
  const next = await selfSignedPair(['next.test'], 'rsa')
  const planned = await plan(slotOf(server, 'implicit.crt').fields, next)
  assert.deepEqual(stepKinds(planned), ['write full-chain-and-key', 'run-command', 'prove'])
  assertDeployed(await deploy(slotOf(server, 'implicit.crt').fields, next, planned))
  assertDeployed(await deploy(slotOf(server, 'named.crt').fields, next))
  assert.deepEqual([await served('implicit.crt'), await served('named.crt'), await served('main.crt')], [{ '1 tls': next.fingerprint }, { '0 ftp named.test': next.fingerprint }, { '0 ftp': main.fingerprint }])
})

test('a chain file gets the intermediates: ProFTPD sends none from the file of the certificate', { skip }, async (t) => {
  const one = await pairIn(t)
  const chainPath = join(await tempFolder(t, 'chain'), 'chain.pem')
  await writeFile(chainPath, (await selfSignedPair(['ca.test'])).certPem)
  const proftpd = await startProftpd(t, { settings: () => `${engineOn}${pairLines(one)}TLSCertificateChainFile ${chainPath}\n` })
  const { fields } = slotOf(await detect('proftpd', proftpd.configPath), 'one.crt')
  const [next, issuer] = [await selfSignedPair(['next.test'], 'rsa'), await selfSignedPair(['issuer.test'])]
  const material = { chainPem: [next.certPem, issuer.certPem], fingerprint: next.fingerprint, spkiDigest: next.spkiDigest, keyType: next.keyType }
  const { steps } = await (await driverOf('proftpd')).plan(context, fields, material)
  assert.deepEqual(stepKinds({ steps }), ['write certificate', 'write chain', 'write key', 'run-command', 'prove'])
})

test('a session under way goes on, and several instances are several servers', { skip }, async (t) => {
  const [a, b] = [await pairIn(t, 'a'), await pairIn(t, 'b')]
  const [first, second] = [await startProftpd(t, { settings: () => engineOn + pairLines(a) }), await startProftpd(t, { settings: () => engineOn + pairLines(b) })]
  const socket = connect(first.ports[0] ?? 0, '127.0.0.1').setEncoding('utf8')
  t.after(() => socket.destroy())
  assert.match(String(await once(socket, 'data')), /^220 /)
  const { deploy } = await deployer(t, 'proftpd')
  const next = await selfSignedPair(['next.test'], 'rsa')
  assertDeployed(await deploy(slotOf(await detect('proftpd', first.configPath), 'a.crt').fields, next))
  socket.write('NOOP\r\n')
  assert.match(String(await once(socket, 'data')), /^200 /)
  assert.deepEqual(servedBy(first.ports, slotOf(await detect('proftpd', first.configPath), 'a.crt')), { '0 ftp': next.fingerprint })
  assert.deepEqual(servedBy(second.ports, slotOf(await detect('proftpd', second.configPath), 'b.crt')), { '0 ftp': b.fingerprint })
})

test('a configuration that no scan finds: it is said, and a target may name it; one of no process is refused', { skip }, async (t) => {
  const [a, b] = [await pairIn(t, 'a'), await pairIn(t, 'b')]
  const [hidden, other] = [await startProftpd(t, { settings: () => engineOn + pairLines(a), hidden: true }), await startProftpd(t, { settings: () => engineOn + pairLines(b), address: null })]
  const driver = await driverOf('proftpd')
  const found = (await driver.detect(context)).find(({ process: { pid } }) => pid === hidden.pid)
  assert.match(found?.problem?.message ?? '', /No configuration was found whose PidFile names process \d+/)
  const fields = { certificatePath: a.certPath, keyPath: a.keyPath, configurationPath: hidden.configPath }
  assert.deepEqual(servedBy(hidden.ports, await driver.inspect(context, fields)), { '0 ftp': a.fingerprint })
  assert.deepEqual(servedBy(other.ports, slotOf(await detect('proftpd', other.configPath), 'b.crt')), { '0 ftp': b.fingerprint })
  await writeFile(hidden.file, (await readFile(hidden.file, 'utf8')).replace(/PidFile .*/, 'PidFile /nowhere/pid'))
  await assert.rejects(driver.inspect(context, fields), { code: 'SERVER_CONFIGURATION_UNREADABLE' })
})

test('a pair that ProFTPD can not serve is rolled back', { skip }, async (t) => {
  const one = await pairIn(t)
  const proftpd = await startProftpd(t, { settings: () => engineOn + pairLines(one) })
  const fields = { ...slotOf(await detect('proftpd', proftpd.configPath), 'one.crt').fields, proofSeconds: 1 }
  const { deploy } = await deployer(t, 'proftpd')
  const result = await deploy(fields, await selfSignedPair(['weak.test'], 'weak-rsa'))
  assert.equal(result.outcome, 'rolled-back', JSON.stringify(result.error))
  assert.deepEqual([await readFile(one.certPath, 'utf8'), await readFile(one.keyPath, 'utf8')], [one.certPem, one.keyPem])
  assert.deepEqual(servedBy(proftpd.ports, slotOf(await detect('proftpd', proftpd.configPath), 'one.crt')), { '0 ftp': one.fingerprint })
})

test('a broken configuration stops it: changed after planning, broken before the test, missing and foreign files, conditions', { skip }, async (t) => {
  const one = await pairIn(t)
  const proftpd = await startProftpd(t, { settings: () => `${engineOn + pairLines(one)}<IfDefine X>\n<VirtualHost 127.0.0.9>\nTLSPKCS12File /x\n</VirtualHost>\n</IfDefine>\n` })
  const server = await detect('proftpd', proftpd.configPath)
  assert.match(server.problem?.message ?? '', /tlspkcs12file in <ifdefine X> of \S+: whether it counts depends on how ProFTPD was started/)
  const { fields } = slotOf(server, 'one.crt')
  const { plan, deploy } = await deployer(t, 'proftpd')
  const next = await selfSignedPair(['next.test'], 'rsa')
  const approved = await plan(fields, next)
  await writeFile(proftpd.file, `${await readFile(proftpd.file, 'utf8')}NoSuchDirective on\n`)
  const changed = await deploy(fields, next, approved)
  assert.deepEqual([changed.error?.code, changed.touched], ['PLAN_CHANGED', false])
  const broken = await deploy(fields, next)
  assert.deepEqual([broken.outcome, broken.error?.code], ['rolled-back', 'CONFIG_TEST_FAILED'], JSON.stringify(broken.error))
  assert.match(JSON.stringify(broken.log), /unknown configuration directive 'NoSuchDirective'/)
  assert.equal(await readFile(one.certPath, 'utf8'), one.certPem)
  await rm(one.keyPath)
  await writeFile(one.certPath, 'text\n')
  await assert.rejects(plan(fields, next), { code: 'PLAN_FAILED', message: /neither a certificate nor a private key/ })
})
