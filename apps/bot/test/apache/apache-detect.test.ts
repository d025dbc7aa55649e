import { type ApacheOptions, leftOut, selfSignedPair, startApache, tempFolder, type TestPair, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { appendFile, cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { seeded, seedOfRun } from '../engine/crash-harness.ts'
import { apacheDriver, context, detect, servedBy, slotOf, uniqueName } from './apache-kit.ts'

const options = { timeout: 120_000, skip: leftOut('apache2') }
const isRoot = process.getuid?.() === 0

type Written = TestPair & { certPath: string; keyPath: string }
async function pairs(t: TestContext, count: number, keyType: TestPair['keyType'] = 'ec'): Promise<Written[]> {
  const folder = await tempFolder(t, 'pairs')
  return Promise.all(Array.from({ length: count }, async (_, i) => writePair(folder, `p${i}`, await selfSignedPair([uniqueName()], keyType))))
}
const tls = ({ certPath, keyPath }: { certPath: string; keyPath: string }) => `SSLEngine on\nSSLCertificateFile ${certPath}\nSSLCertificateKeyFile ${keyPath}\n`
const vhost = (address: string, name: string, lines: string) => `<VirtualHost ${address}>\nServerName ${name}\n${lines}\n</VirtualHost>\n`
/** With one port on 127.0.0.1. */
const configured = (t: TestContext, body: (port: number, prefix: string) => string | Promise<string>, more: ApacheOptions = {}) =>
  startApache(t, { ...more, configuration: async ({ ports: [port = 0], prefix }) => `Listen 127.0.0.1:${port}\n${await body(port, prefix)}` })

test('names, aliases, patterns, the default host, several ports', options, async (t) => {
  const [a, b, c] = await pairs(t, 3)
  assert.ok(a && b && c)
  const [one, two] = [uniqueName(), uniqueName()]
  const apache = await startApache(t, { hosts: [
    { names: [one], ...a }, { names: [two, `www.${two}`, `*.${two}`, one], ...b }, { names: [two], ...c }, { names: [one], ...b, listener: 1 },
  ] })
  assert.deepEqual(servedBy(apache, await slotOf(apache, 'p0.crt')), { '127.0.0.1:0 -': a.fingerprint, [`127.0.0.1:0 ${one}`]: a.fingerprint })
  const slot = await slotOf(apache, 'p1.crt')
  assert.deepEqual(servedBy(apache, slot), { ...Object.fromEntries([two, `www.${two}`, `certloop-proof.${two}`].map((name) => [`127.0.0.1:0 ${name}`, b.fingerprint])), '127.0.0.1:1 -': b.fingerprint, [`127.0.0.1:1 ${one}`]: b.fingerprint })
  assert.deepEqual(slot.names, [two, `www.${two}`, one, `*.${two}`])
  const hidden = await slotOf(apache, 'p2.crt')
  assert.deepEqual([hidden.problem?.code, hidden.served], ['PLACE_UNSUPPORTED', []])
  assert.match(hidden.problem?.message ?? '', /no name leads to it that an earlier virtual host does not have/)
})

test('for random addresses, names and patterns, httpd sends each proof to the host it is meant for', options, async (t) => {
  const seed = seedOfRun()
  t.diagnostic(`CERTLOOP_SEED=${seed}`)
  const random = seeded(seed)
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T
  const labels = ['a', 'b', 'certloop-proof']
  const name = () => `${pick(labels)}.${pick(labels)}.test`
  const alias = (): string => pick([name, () => `*.${pick(labels)}.test`, () => `${pick(labels)}.*`, () => '?.b.test', () => '*'])()
  const certificates = await pairs(t, 7)
  let proven = 0
  for (let round = 0; round < 5; round++) {
    const apache = await startApache(t, { portCount: 2, configuration: ({ ports }) => ports.map((port) => `Listen ${pick(['', '127.0.0.1:', '0.0.0.0:'])}${port}\n`).join('') + certificates.map((pair) => {
      const places = ports.filter(() => random() < 0.7).map((port) => pick(['*', '127.0.0.1', '_default_', '127.0.0.2']) + `:${pick([port, port, '*'])}`)
      return vhost(places.join(' ') || `*:${ports[0]}`, name(), `ServerAlias ${alias()} ${alias()}\n${tls(pair)}`)
    }).join('') })
    const server = await detect(apache)
    assert.equal(server.problem, null)
    for (const slot of server.slots) {
      const own = certificates.find(({ certPem }) => certPem === slot.installedPem)
      proven += slot.served.length
      for (const { endpoint, fingerprint, error } of slot.served) assert.equal(fingerprint, own?.fingerprint, `${JSON.stringify(endpoint)} ${error ?? ''} of ${slot.title}\n${await readFile(apache.configPath, 'utf8')}`)
    }
    await apache.stop()
  }
  assert.ok(proven > 20, `only ${proven} endpoints`)
})

test('includes, conditions, defines, variables of the process, macros', options, async (t) => {
  const [a, b, c, d] = await pairs(t, 4)
  assert.ok(a && b && c && d)
  const [one, two, three] = [uniqueName(), uniqueName(), uniqueName()]
  const apache = await configured(t, async (port, prefix) => {
    for (const folder of ['sites', 'sites/more', 'tls']) await mkdir(join(prefix, folder))
    await writeFile(join(prefix, 'sites', '10.conf'), vhost(`127.0.0.1:\${PORT}`, one, `Include tls/a.inc\n<Directory />\nSSLOptions +StdEnvVars\n</Directory>`))
    await writeFile(join(prefix, 'sites', '.20.conf'), 'nonsense here\n')
    await writeFile(join(prefix, 'sites', 'more', 'm.conf'), '<Macro TlsHost $name $names>\n<VirtualHost 127.0.0.1:${PORT}>\nServerName $name\nServerAlias $names\nSSLEngine on\nSSLCertificateFile \\\n  ${PAIRS}/p1.crt\nSSLCertificateKeyFile "${PAIRS}/p1.key"\n</VirtualHost>\n</Macro>\n')
    await writeFile(join(prefix, 'tls', 'a.inc'), `<IfModule mod_ssl.c>\n${tls(a)}</IfModule>\n`)
    return `Define PORT ${port}
Include sites/*.conf
IncludeOptional sites/mo?e
IncludeOptional none/*.conf
Use TlsHost ${two} "www.${two}"
<IfDefine LIVE>
  <IfModule ssl_module>
    <IfVersion >= 2.4.1>
      <IfFile sites/10.conf>
${vhost('127.0.0.1:${PORT}', three, tls(c))}
      </IfFile>
    </IfVersion>
  </IfModule>
</IfDefine>
<IfDefine !LIVE>
${vhost('127.0.0.1:${PORT}', uniqueName(), tls(d))}
</IfDefine>
<IfModule mod_nothing.c>
nonsense
</IfModule>`
  }, { modules: ['macro'], options: ['-DLIVE'], environment: { PAIRS: a.certPath.replace('/p0.crt', ''), APP_TOKEN: 'x' } })
  const server = await detect(apache)
  assert.equal(server.problem, null)
  assert.deepEqual(server.slots.map(({ fields: { certificatePath } }) => certificatePath), [a.certPath, b.certPath, c.certPath])
  assert.deepEqual(servedBy(apache, await slotOf(apache, 'p1.crt')), { [`127.0.0.1:0 ${two}`]: b.fingerprint, [`127.0.0.1:0 www.${two}`]: b.fingerprint })
  assert.deepEqual(servedBy(apache, await slotOf(apache, 'p2.crt')), { [`127.0.0.1:0 ${three}`]: c.fingerprint })
  assert.equal(server.slots[0]?.fields['defines'], 'LIVE')
})

test('values of the main server; own files take the places of inherited ones', options, async (t) => {
  const [rsa] = await pairs(t, 1, 'rsa')
  const folder = await tempFolder(t, 'more')
  const [ec, own] = await Promise.all(['ec', 'own'].map(async (name) => writePair(folder, name, await selfSignedPair([uniqueName()], name === 'own' ? 'rsa' : 'ec'))))
  assert.ok(rsa && ec && own)
  const [one, two] = [uniqueName(), uniqueName()]
  const apache = await configured(t, (port) => `${tls(rsa)}SSLCertificateFile ${ec.certPath}\nSSLCertificateKeyFile ${ec.keyPath}
${vhost(`127.0.0.1:${port}`, one, '')}${vhost(`127.0.0.1:${port}`, two, tls(own))}`)
  assert.deepEqual(servedBy(apache, await slotOf(apache, 'p0.crt')), { '127.0.0.1:0 - rsa': rsa.fingerprint, [`127.0.0.1:0 ${one} rsa`]: rsa.fingerprint })
  assert.deepEqual(servedBy(apache, await slotOf(apache, 'own.crt')), { [`127.0.0.1:0 ${two} rsa`]: own.fingerprint })
  assert.deepEqual(servedBy(apache, await slotOf(apache, 'ec.crt')), Object.fromEntries(['-', one, two].map((name) => [`127.0.0.1:0 ${name} ec`, ec.fingerprint])))
})

test('a main server with TLS and no virtual host', options, async (t) => {
  const [a] = await pairs(t, 1)
  assert.ok(a)
  const apache = await configured(t, () => tls(a))
  assert.deepEqual(servedBy(apache, await slotOf(apache, 'p0.crt')), { '127.0.0.1:0 -': a.fingerprint })
})

test('the layout of Debian, with its own main file and its variables', { ...options, skip: options.skip || (!isRoot && 'needs root') }, async (t) => {
  const [a] = await pairs(t, 1)
  assert.ok(a)
  const name = uniqueName()
  const apache = await startApache(t, {
    environment: { APACHE_RUN_USER: 'www-data', APACHE_RUN_GROUP: 'www-data' },
    options: [],
    async layout({ prefix, ports }) {
      await cp('/etc/apache2', prefix, { recursive: true, verbatimSymlinks: true, force: true })
      for (const module of ['ssl.load', 'ssl.conf', 'socache_shmcb.load']) await symlink(`../mods-available/${module}`, join(prefix, 'mods-enabled', module)).catch(() => undefined)
      await writeFile(join(prefix, 'ports.conf'), `<IfModule ssl_module>\nListen 127.0.0.1:${ports[0]}\n</IfModule>\n`)
      await writeFile(join(prefix, 'sites-available', 'shop.conf'), `<IfModule mod_ssl.c>\n${vhost(`_default_:${ports[0]}`, name, tls(a))}</IfModule>\n`)
      execFileSync('rm', ['-rf', join(prefix, 'sites-enabled')])
      await mkdir(join(prefix, 'sites-enabled'))
      await symlink('../sites-available/shop.conf', join(prefix, 'sites-enabled', 'shop.conf'))
      // As its envvars do; the pid goes where the test looks for it.
      const main = join(prefix, 'apache2.conf')
      await writeFile(main, (await readFile(main, 'utf8')).replace('${APACHE_PID_FILE}', '${APACHE_RUN_DIR}/apache2.pid').replace('${APACHE_LOG_DIR}', '${APACHE_RUN_DIR}'))
      await writeFile(join(prefix, 'conf-enabled', 'logs.conf'), 'Define APACHE_LOG_DIR ${APACHE_RUN_DIR}\n')
      return { configPath: main }
    },
  })
  assert.deepEqual(servedBy(apache, await slotOf(apache, 'p0.crt')), { '127.0.0.1:0 -': a.fingerprint, [`127.0.0.1:0 ${name}`]: a.fingerprint })
  assert.equal((await detect(apache)).problem, null)
})

test('the layout of RHEL: conf/httpd.conf and conf.d below the server root', options, async (t) => {
  const [a] = await pairs(t, 1)
  assert.ok(a)
  const name = uniqueName()
  const apache = await startApache(t, {
    async layout({ prefix, ports }) {
      for (const folder of ['conf', 'conf.d', 'conf.modules.d']) await mkdir(join(prefix, folder), { recursive: true })
      await symlink('/usr/lib/apache2/modules', join(prefix, 'modules')).catch(() => undefined)
      await writeFile(join(prefix, 'conf.modules.d', '00-mpm.conf'), 'LoadModule mpm_event_module modules/mod_mpm_event.so\nLoadModule authz_core_module modules/mod_authz_core.so\n')
      await writeFile(join(prefix, 'conf.modules.d', '00-ssl.conf'), 'LoadModule ssl_module modules/mod_ssl.so\n')
      await writeFile(join(prefix, 'conf.d', 'ssl.conf'), `Listen 127.0.0.1:${ports[0]} https\nSSLSessionCache none\n${vhost(`_default_:${ports[0]}`, name, tls(a))}`)
      await writeFile(join(prefix, 'conf', 'httpd.conf'), `ServerRoot "${prefix}"\nPidFile apache2.pid\nDefaultRuntimeDir .\nErrorLog error.log\nInclude conf.modules.d/*.conf\n${isRoot ? 'User www-data\nGroup www-data\n' : ''}ServerName x.invalid\nIncludeOptional conf.d/*.conf\n`)
      return { configPath: join(prefix, 'conf', 'httpd.conf') }
    },
  })
  assert.deepEqual(servedBy(apache, await slotOf(apache, 'p0.crt')), { '127.0.0.1:0 -': a.fingerprint, [`127.0.0.1:0 ${name}`]: a.fingerprint })
})

test('several instances are several servers', options, async (t) => {
  const [a, b] = await pairs(t, 2)
  assert.ok(a && b)
  const [first, second] = [await startApache(t, { hosts: [{ names: [uniqueName()], ...a }] }), await startApache(t, { hosts: [{ names: [uniqueName()], ...b }], background: true })]
  assert.deepEqual((await detect(first)).slots.map(({ fields }) => fields['certificatePath']), [a.certPath])
  assert.deepEqual((await detect(second)).slots.map(({ fields }) => fields['certificatePath']), [b.certPath])
})

test('what mod_md manages is told and left alone, the rest is there', options, async (t) => {
  const [a] = await pairs(t, 1)
  assert.ok(a)
  const [managed, own] = [uniqueName(), uniqueName()]
  const apache = await configured(t, (port) => `MDCertificateAgreement accepted\nMDContactEmail a@example.com\nMDCertificateAuthority http://127.0.0.1:9/\nMDRenewMode manual\nMDomain ${managed}
${vhost(`127.0.0.1:${port}`, own, tls(a))}${vhost(`127.0.0.1:${port}`, managed, 'SSLEngine on')}`, { modules: ['md'] })
  const server = await detect(apache)
  assert.deepEqual(server.slots.map(({ fields }) => fields['certificatePath']), [a.certPath])
  assert.equal(server.problem?.code, 'PLACE_UNSUPPORTED')
  assert.ok(server.problem.message.includes(`mod_md gets and renews the certificate for ${managed}`), server.problem.message)
})

test('an encrypted key is told and not replaced', options, async (t) => {
  const [a] = await pairs(t, 1)
  assert.ok(a)
  const key = execFileSync('openssl', ['pkey', '-aes256', '-passout', 'pass:test', '-in', a.keyPath])
  await writeFile(a.keyPath, key)
  const name = uniqueName()
  const apache = await configured(t, async (port, prefix) => {
    await writeFile(join(prefix, 'ask'), '#!/bin/sh\necho test\n', { mode: 0o755 })
    return `SSLPassPhraseDialog exec:${prefix}/ask\n${vhost(`127.0.0.1:${port}`, name, tls(a))}`
  })
  const slot = await slotOf(apache, 'p0.crt')
  assert.deepEqual([slot.problem?.code, slot.served[0]?.fingerprint], ['PLACE_UNSUPPORTED', a.fingerprint])
  assert.match(slot.problem?.message ?? '', /key is encrypted/)
  await assert.rejects((await apacheDriver()).plan(context, slot.fields, { chainPem: [a.certPem], fingerprint: a.fingerprint, spkiDigest: a.spkiDigest, keyType: 'ec' }), { code: 'PLACE_UNSUPPORTED' })
})

test('a configuration that does not pass its test is told in httpd\'s own words; a stopped server and a place that is gone have their own codes', options, async (t) => {
  const [a] = await pairs(t, 1)
  assert.ok(a)
  const apache = await startApache(t, { hosts: [{ names: [uniqueName()], ...a }] })
  const { fields } = await slotOf(apache, 'p0.crt')
  const driver = await apacheDriver()
  await assert.rejects(driver.inspect(context, { ...fields, certificatePath: '/etc/other.crt' }), { code: 'SLOT_NOT_FOUND' })
  await assert.rejects(driver.inspect(context, { ...fields, defines: 'OTHER' }), { code: 'SERVER_NOT_RUNNING' })
  await assert.rejects(driver.inspect(context, { ...fields, binaryPath: '/bin/sh' }), { code: 'PROGRAM_NOT_TRUSTED' })
  await appendFile(apache.configPath, 'Nonsense on\n')
  const server = await detect(apache)
  assert.deepEqual([server.slots, server.problem?.code], [[], 'SERVER_CONFIGURATION_UNREADABLE'])
  assert.match(server.problem?.message ?? '', /Invalid command 'Nonsense'/)
  await apache.stop()
  await assert.rejects(driver.inspect(context, fields), { code: 'SERVER_NOT_RUNNING' })
})
