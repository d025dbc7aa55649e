import { leftOut, type NginxPlace, nginxTempPaths, requireTool, selfSignedPair, startNginx, tempFolder, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { appendFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { seeded, seedOfRun } from '../engine/crash-harness.ts'
import { detect, nginxContext, nginxDriver, servedBy, slotOf } from './nginx-kit.ts'

const options = { timeout: 120_000, skip: leftOut('nginx') }

async function pairs<const N extends readonly string[]>(t: TestContext, ...names: N) {
  const folder = await tempFolder(t, 'pairs')
  const made = await Promise.all(names.map(async (name) => [name, await writePair(folder, name, await selfSignedPair([`${name}.test`], name.startsWith('rsa') ? 'rsa' : 'ec'))] as const))
  return { folder, ...(Object.fromEntries(made) as { [K in N[number]]: (typeof made)[number][1] }) }
}
const httpOf = ({ prefix }: NginxPlace, body: string) => `http {\n${nginxTempPaths(prefix)}${body}\n}\n`
const pairLines = ({ certPath, keyPath }: { certPath: string; keyPath: string }) => `ssl_certificate ${certPath}; ssl_certificate_key ${keyPath};`

test('one server: fields, names, served and installed certificate', options, async (t) => {
  const { one } = await pairs(t, 'one')
  const nginx = await startNginx(t, { servers: [{ names: ['one.test', '*.one.test'], ...one }] })
  const server = await detect(nginx)
  assert.match(server.title, /^nginx 1\.\d+\.\d+ \(\/.*nginx\.conf\)$/)
  assert.deepEqual([server.serverType, server.problem, server.process.pid, server.process.command], ['nginx', null, nginx.pid, nginx.program])
  const [slot] = server.slots
  assert.deepEqual({ ...slot, served: [] }, {
    title: `one.test and 1 more (${one.certPath})`, names: ['one.test', '*.one.test'], installedPem: one.certPem, problem: null, served: [],
    fields: { certificatePath: one.certPath, keyPath: one.keyPath, configurationPath: nginx.configPath, prefix: nginx.prefix },
  })
  assert.ok(slot)
  assert.deepEqual(servedBy(nginx, slot), { '127.0.0.1:0 -': one.fingerprint, '127.0.0.1:0 one.test': one.fingerprint, '127.0.0.1:0 certloop-proof.one.test': one.fingerprint })
})

test('several servers and listeners are told apart by name and port', options, async (t) => {
  const { one, two, wild } = await pairs(t, 'one', 'two', 'wild')
  const nginx = await startNginx(t, { servers: [
    { names: ['one.test'], ...one }, { names: ['two.test', 'also.test'], ...two }, { names: ['.wild.test'], ...wild },
    { names: ['one.test'], ...two, listener: 1 }, { names: ['~^re.*$'], ...wild, listener: 1, defaultServer: true },
  ] })
  assert.deepEqual(servedBy(nginx, await slotOf(nginx, 'one.crt')), { '127.0.0.1:0 -': one.fingerprint, '127.0.0.1:0 one.test': one.fingerprint })
  assert.deepEqual(servedBy(nginx, await slotOf(nginx, 'two.crt')), Object.fromEntries(['0 two.test', '0 also.test', '1 one.test'].map((at) => [`127.0.0.1:${at}`, two.fingerprint])))
  assert.deepEqual(servedBy(nginx, await slotOf(nginx, 'wild.crt')), Object.fromEntries(['0 wild.test', '0 certloop-proof.wild.test', '1 -'].map((at) => [`127.0.0.1:${at}`, wild.fingerprint])))
})

test('for random names and sockets, nginx sends each proof to the server it is meant for', options, async (t) => {
  const seed = seedOfRun()
  t.diagnostic(`CERTLOOP_SEED=${seed}`)
  const random = seeded(seed)
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T
  const labels = ['a', 'b', 'certloop-proof']
  const name = (): string => pick([
    () => `${pick(labels)}.${pick(labels)}.test`, () => `*.${pick(labels)}.test`, () => `.${pick(labels)}.test`, () => '*.test',
    () => `${pick(labels)}.*`, () => `${pick(labels)}.${pick(labels)}.*`, () => `~^${pick(labels)}`, () => '_', () => '""',
  ])()
  const certificates = Object.values(await pairs(t, 's0', 's1', 's2', 's3', 's4', 's5', 's6', 's7')).filter((pair) => typeof pair !== 'string')
  for (let round = 0; round < 6; round++) {
    const nginx = await startNginx(t, { portCount: 2, configuration: (place) => httpOf(place, certificates.map((pair) => {
      const listens = place.ports.filter(() => random() < 0.7).map((port) => `listen ${pick(['127.0.0.1:', '', '*:', ''])}${port} ssl;`)
      return `server { ${listens.join(' ') || `listen ${place.ports[0]} ssl;`} server_name ${name()} ${name()}; ${pairLines(pair)} }`
    }).join('\n')) })
    for (const slot of (await detect(nginx)).slots) {
      const own = certificates.find(({ certPem }) => certPem === slot.installedPem)
      for (const { endpoint, fingerprint, error } of slot.served) {
        assert.equal(fingerprint, own?.fingerprint, `${JSON.stringify(endpoint)} ${error ?? ''} of ${slot.title}\n${await readFile(nginx.configPath, 'utf8')}`)
      }
    }
    await nginx.stop()
  }
})

test('an RSA and an ECDSA certificate of one server are both seen', options, async (t) => {
  const { rsa, ec } = await pairs(t, 'rsa', 'ec')
  const nginx = await startNginx(t, { servers: [{ names: ['both.test'], ...rsa, morePairs: [ec] }] })
  assert.deepEqual(servedBy(nginx, await slotOf(nginx, 'rsa.crt')), { '127.0.0.1:0 - rsa': rsa.fingerprint, '127.0.0.1:0 both.test rsa': rsa.fingerprint })
  assert.deepEqual(servedBy(nginx, await slotOf(nginx, 'ec.crt')), { '127.0.0.1:0 - ec': ec.fingerprint, '127.0.0.1:0 both.test ec': ec.fingerprint })
})

test('includes, values of the http level, relative paths, refused handshakes, and ssl said once per socket', options, async (t) => {
  const { one, two } = await pairs(t, 'one', 'two')
  const prefix = await tempFolder(t, 'nginx')
  await mkdir(join(prefix, 'sites'))
  await mkdir(join(prefix, 'tls'))
  await writePair(join(prefix, 'tls'), 'two', two)
  await writeFile(join(prefix, 'tls.inc'), pairLines(one))
  const nginx = await startNginx(t, { prefix, configuration: async (place) => {
    const listen = `listen 127.0.0.1:${place.ports[0]}`
    await writeFile(join(prefix, 'sites', '1.conf'), `# configuration file /not/a/file:\nserver { ${listen} ssl default_server; ssl_reject_handshake on; }`)
    await writeFile(join(prefix, 'sites', '2.conf'), `server { ${listen}; server_name one.test; }`)
    await writeFile(join(prefix, 'sites', '3.conf'), `server { ${listen}; server_name two.test; ssl_certificate tls/two.crt; ssl_certificate_key tls/two.key; }`)
    return httpOf(place, 'include tls.inc;\ninclude sites/*.conf;')
  } })
  assert.deepEqual(servedBy(nginx, await slotOf(nginx, 'one.crt')), { '127.0.0.1:0 one.test': one.fingerprint })
  const slot = await slotOf(nginx, 'two.crt')
  assert.equal(slot.fields['certificatePath'], join(prefix, 'tls/two.crt'))
  assert.deepEqual(servedBy(nginx, slot), { '127.0.0.1:0 two.test': two.fingerprint })
})

test('sockets on all addresses, one of its own on loopback, and IPv6', options, async (t) => {
  const { all, own } = await pairs(t, 'all', 'own')
  if (!existsSync('/proc/net/if_inet6')) return t.skip('no IPv6 here')
  const nginx = await startNginx(t, { portCount: 1, configuration: (place) => httpOf(place, `
    server { listen ${place.ports[0]} ssl; listen [::]:${place.ports[0]} ssl; ${pairLines(all)} }
    server { listen 127.0.0.1:${place.ports[0]} ssl; ${pairLines(own)} }`) })
  assert.deepEqual(servedBy(nginx, await slotOf(nginx, 'all.crt')), { '127.0.0.2:0 -': all.fingerprint, '::1:0 -': all.fingerprint })
  assert.deepEqual(servedBy(nginx, await slotOf(nginx, 'own.crt')), { '127.0.0.1:0 -': own.fingerprint })
})

test('two masters on one host are two servers', options, async (t) => {
  const { one, two } = await pairs(t, 'one', 'two')
  const [first, second] = [await startNginx(t, { servers: [one] }), await startNginx(t, { servers: [two] })]
  assert.deepEqual((await detect(first)).slots.map(({ fields }) => fields['certificatePath']), [one.certPath])
  assert.deepEqual((await detect(second)).slots.map(({ fields }) => fields['certificatePath']), [two.certPath])
})

test('a path with a variable is told, and the rest is there', options, async (t) => {
  const { one } = await pairs(t, 'one')
  const nginx = await startNginx(t, { portCount: 2, configuration: (place) => httpOf(place, `
    server { listen 127.0.0.1:${place.ports[0]} ssl; ssl_certificate ${place.prefix}/$ssl_server_name.crt; ssl_certificate_key ${one.keyPath}; }
    server { listen 127.0.0.1:${place.ports[1]} ssl; ${pairLines(one)} }`) })
  const server = await detect(nginx)
  assert.equal(server.slots.length, 1)
  assert.equal(server.problem?.code, 'PLACE_UNSUPPORTED')
  assert.match(server.problem.message, /nginx\.conf, line \d+: ssl_certificate .*variable/)
})

test('stream and mail servers', { ...options, skip: options.skip || leftOut('ngx_stream_module.so') || leftOut('ngx_mail_module.so') }, async (t) => {
  const modules = [requireTool('ngx_stream_module.so'), requireTool('ngx_mail_module.so')]
  const { stream, mail } = await pairs(t, 'stream', 'mail')
  const prefix = await tempFolder(t, 'nginx')
  await mkdir(join(prefix, 'temp'))
  const nginx = await startNginx(t, { prefix, portCount: 3, loadModules: modules, configuration: ({ ports }) => `
    stream { server { listen 127.0.0.1:${ports[0]} ssl; ${pairLines(stream)} return ok; } }
    mail { auth_http 127.0.0.1:9/; ${pairLines(mail)} imap_capabilities IMAP4rev1;
      server { listen 127.0.0.1:${ports[1]} ssl; protocol imap; } server { listen 127.0.0.1:${ports[2]}; protocol imap; starttls on; } }` })
  assert.deepEqual(servedBy(nginx, await slotOf(nginx, 'stream.crt')), { '127.0.0.1:0 -': stream.fingerprint })
  assert.deepEqual(servedBy(nginx, await slotOf(nginx, 'mail.crt')), { '127.0.0.1:1 -': mail.fingerprint })
})

test('a place that nothing could prove is told', options, async (t) => {
  const { one } = await pairs(t, 'one')
  const nginx = await startNginx(t, { portCount: 1, configuration: (place) => httpOf(place, `server { listen 127.0.0.1:${place.ports[0]} ssl proxy_protocol; ${pairLines(one)} }`) })
  const slot = await slotOf(nginx, 'one.crt')
  assert.equal(slot.problem?.code, 'PLACE_UNSUPPORTED')
  assert.match(slot.problem.message, /PROXY protocol/)
})

test('a configuration that does not pass its test is told in nginx\'s own words', options, async (t) => {
  const { one } = await pairs(t, 'one')
  const nginx = await startNginx(t, { servers: [one] })
  const { fields } = await slotOf(nginx, 'one.crt')
  await appendFile(nginx.configPath, 'nonsense on;\n')
  const server = await detect(nginx)
  assert.deepEqual([server.slots, server.problem?.code], [[], 'SERVER_CONFIGURATION_UNREADABLE'])
  assert.match(server.problem?.message ?? '', /unknown directive "nonsense"/)
  await assert.rejects((await nginxDriver()).inspect(nginxContext(), fields), { code: 'SERVER_CONFIGURATION_UNREADABLE', message: /unknown directive "nonsense"/ })
})

test('a stopped server and a place that is gone have their own codes', options, async (t) => {
  const { one } = await pairs(t, 'one')
  const nginx = await startNginx(t, { servers: [one] })
  const { fields } = await slotOf(nginx, 'one.crt')
  const driver = await nginxDriver()
  await assert.rejects(driver.inspect(nginxContext(), { ...fields, certificatePath: '/etc/other.crt' }), { code: 'SLOT_NOT_FOUND' })
  await assert.rejects(driver.inspect(nginxContext({ commands: ['true'] }), fields), { code: 'COMMAND_NOT_ALLOWED', message: /sbin\/nginx/ })
  await nginx.stop()
  await assert.rejects(driver.inspect(nginxContext(), fields), { code: 'SERVER_NOT_RUNNING' })
})

test('no program is run but that of the running master', options, async (t) => {
  const { one, folder } = await pairs(t, 'one')
  const nginx = await startNginx(t, { servers: [one] })
  const { fields } = await slotOf(nginx, 'one.crt')
  const driver = await nginxDriver()
  const [program, mark, link] = [join(folder, 'nginx'), join(folder, 'was-run'), join(folder, 'link')]
  await writeFile(program, `#!/bin/sh\ntouch ${mark}\nexec ${nginx.program} "$@"\n`, { mode: 0o755 })
  await symlink(nginx.program, link)
  const seen = nginxContext()
  // As for a bot that is not root.
  const unseen = { ...seen, host: { ...seen.host, processes: async () => (await seen.host.processes()).map((entry) => ({ ...entry, executable: '' })) } }
  for (const context of [seen, unseen]) {
    for (const binaryPath of [program, '/bin/sh', join(folder, 'none')]) {
      await assert.rejects(driver.inspect(context, { ...fields, binaryPath }), { code: 'PROGRAM_NOT_TRUSTED' }, binaryPath)
    }
    assert.equal(existsSync(mark), false, 'the program was run')
    for (const binaryPath of [nginx.program, link]) assert.equal((await driver.inspect(context, { ...fields, binaryPath })).problem, null)
  }
  await assert.rejects(driver.inspect(unseen, { ...fields, binaryPath: program }), { message: /can be written by others|does not belong to root/ })
  await assert.rejects(driver.inspect(seen, { ...fields, configurationPath: join(folder, 'other.conf') }), { code: 'SERVER_NOT_RUNNING' })
  await assert.rejects(driver.inspect(seen, { ...fields, prefix: folder }), { code: 'SERVER_NOT_RUNNING' })
})
