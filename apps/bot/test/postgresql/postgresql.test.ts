import { eventually, leftOut, type PostgresqlServer, startPostgresqlServer, type TestPair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { appendFile, chmod, chown, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect } from 'node:tls'
import { connect as connectPlain } from 'node:net'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { assertDeployed, context, deployer, detect, driverOf, planMaterial, servedBy, slotOf, stepKinds } from '../kit/kit.ts'
import { ownPair, pairOf, start, withPair } from './postgresql-kit.ts'

const run = promisify(execFile)
const skip = process.getuid?.() === 0 ? leftOut('postgres') : 'these servers are started by root'
const files = (folder: string) => Promise.all(['own.crt', 'own.key'].map((name) => readFile(join(folder, name), 'utf8')))

test('the settings count as the server reads them: includes, postgresql.auto.conf and the command line', { skip }, async (t) => {
  const [one, two, three, next] = await Promise.all([pairOf(), pairOf(), pairOf(), pairOf()])
  const server = await start(t, one, "include_dir = '../conf.d'\n", {
    settings: async (folder) => {
      await mkdir(join(folder, 'conf.d'))
      await ownPair(folder, 'two', two)
      await ownPair(folder, 'three', three)
      await writeFile(join(folder, 'conf.d/tls.conf'), `ssl_cert_file = '${folder}/two.crt'\nssl_key_file = '${folder}/two.key'\n`)
      return `${await withPair(one)(folder)}include_dir = '../conf.d'\n`
    },
  })
  const before = await detect('postgresql', server.dataDirectory)
  assert.deepEqual(servedBy([server.port], slotOf(before, 'two.crt')), { '0 postgres': two.fingerprint })
  // ALTER SYSTEM writes this file; it counts before all others.
  await appendFile(join(server.dataDirectory, 'postgresql.auto.conf'), `ssl_cert_file = '${server.folder}/three.crt'\nssl_key_file = '${server.folder}/three.key'\n`)
  const changed = slotOf(await detect('postgresql', server.dataDirectory), 'three.crt')
  assert.deepEqual(servedBy([server.port], changed), { '0 postgres': two.fingerprint }, 'not reloaded yet')
  assertDeployed(await (await deployer(t, 'postgresql')).deploy(changed.fields, next))
  assert.equal(await readFile(join(server.folder, 'two.crt'), 'utf8'), two.certPem)
  assert.equal(await readFile(join(server.folder, 'three.key'), 'utf8'), next.keyPem)
})

test('several clusters on one host, one by -c options alone; each is told to reload by itself', { skip }, async (t) => {
  const [a, b, next] = await Promise.all([pairOf(), pairOf(), pairOf()])
  const first = await start(t, a)
  const second = await startPostgresqlServer(t, {
    settings: async (folder) => { await ownPair(folder, 'own', b); return '' },
    options: (folder) => ['-l', '-c', `ssl_cert_file=${folder}/own.crt`, `--ssl-key-file=${folder}/own.key`],
  })
  const slot = slotOf(await detect('postgresql', second.dataDirectory), 'own.crt')
  assert.deepEqual(servedBy([second.port], slot), { '0 postgres': b.fingerprint })
  assertDeployed(await (await deployer(t, 'postgresql')).deploy(slot.fields, next))
  assert.deepEqual(servedBy([first.port], slotOf(await detect('postgresql', first.dataDirectory), 'own.crt')), { '0 postgres': a.fingerprint })
  assert.doesNotMatch(await first.log(), /SIGHUP/)
})

test("Debian's layout: the configuration apart from the data, a key that root owns for a group", { skip: skip || leftOut('pg_createcluster') }, async (t) => {
  const [old, next] = await Promise.all([pairOf(), pairOf()])
  // Debian puts the account into ssl-cert besides its own group.
  const group = Number((await run('id', ['-G', 'postgres'])).stdout.trim().split(' ').at(-1))
  const server = await startPostgresqlServer(t, {
    debian: true,
    settings: async (folder) => {
      await ownPair(folder, 'own', old)
      await chown(join(folder, 'own.key'), 0, group)
      await chmod(join(folder, 'own.key'), 0o640)
      return `ssl = on\nssl_cert_file = '${folder}/own.crt'\nssl_key_file = '${folder}/own.key'\n`
    },
  })
  const found = await detect('postgresql', server.dataDirectory)
  const { fields } = slotOf(found, 'own.crt')
  assert.equal(fields['configurationPath'], server.configPath)
  assert.match(found.version ?? '', /^\d+\.\d+$/)
  const { plan, deploy } = await deployer(t, 'postgresql')
  assert.deepEqual(stepKinds(await plan(fields, next)), ['write full-chain', 'write key', 'run-command', 'reload-service', 'prove'])
  assertDeployed(await deploy(fields, next))
  const { uid, gid, mode } = await stat(join(server.folder, 'own.key'))
  assert.deepEqual([uid, gid, mode & 0o777], [0, group, 0o640])
})

test('a session under way goes on over the reload', { skip }, async (t) => {
  const [old, next] = await Promise.all([pairOf(), pairOf()])
  const server = await start(t, old)
  const session = await openSession(t, server.port)
  const ask = async (sql: string) => session.query(sql)
  assert.match(await ask("SELECT 'bef' || 'ore'"), /before/)
  assertDeployed(await (await deployer(t, 'postgresql')).deploy(slotOf(await detect('postgresql', server.dataDirectory), 'own.crt').fields, next))
  assert.match(await ask("SELECT 'aft' || 'er'"), /after/)
})

/** A TLS session of the PostgreSQL protocol, as superuser without a password. */
async function openSession(t: TestContext, port: number): Promise<{ query(sql: string): Promise<string> }> {
  const plain = connectPlain(port, '127.0.0.1')
  t.after(() => plain.destroy())
  plain.write(Uint8Array.of(0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f))
  await once(plain, 'data')
  const socket = connect({ socket: plain, rejectUnauthorized: false })
  // A server that restarts cuts it: then the test has to fail, not to wait.
  const cut = new Promise<never>((_resolve, reject) => { socket.once('close', () => { reject(new Error('the session was cut')) }).on('error', reject) })
  cut.catch(() => {})
  const message = (type: string, body: string) => {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(body.length + 4)
    return Buffer.concat([Buffer.from(type), head, Buffer.from(body, 'latin1')])
  }
  // Every answer ends with ReadyForQuery: "Z", length 5, and one byte of state.
  const ready = `Z${String.fromCharCode(0, 0, 0, 5)}`
  const answer = async (request: Buffer) => {
    socket.write(request)
    let said = ''
    for (;;) {
      const [bytes] = await Promise.race([once(socket, 'data'), cut]) as [Buffer]
      said += bytes.toString('latin1')
      if (said.slice(0, -1).endsWith(ready)) return said
    }
  }
  await answer(message('', '\0\x03\0\0user\0postgres\0database\0postgres\0\0'))
  return { query: (sql) => answer(message('Q', `${sql}\0`)) }
}

test('a pair that PostgreSQL does not load leaves the old one served: only the proof shows it, and it is rolled back', { skip }, async (t) => {
  const old = await pairOf()
  const server = await start(t, old, "ssl_ciphers = 'HIGH'\n")
  const { fields } = slotOf(await detect('postgresql', server.dataDirectory), 'own.crt')
  // OpenSSL refuses keys that are weaker than its security level 2 asks for.
  const weak = await weakPair()
  const result = await (await deployer(t, 'postgresql')).deploy({ ...fields, proofSeconds: 2 }, weak)
  assert.equal(result.outcome, 'rolled-back', JSON.stringify(result.error))
  assert.equal(result.error?.code, 'PROOF_MISMATCH')
  assert.deepEqual(await files(server.folder), [old.certPem, old.keyPem])
  assert.match(await server.log(), /could not load server certificate file|SSL configuration was not reloaded/)
  assert.deepEqual(servedBy([server.port], slotOf(await detect('postgresql', server.dataDirectory), 'own.crt')), { '0 postgres': old.fingerprint })
})

async function weakPair(): Promise<TestPair> {
  const { stdout } = await run('openssl', ['req', '-x509', '-newkey', 'rsa:1024', '-nodes', '-days', '30', '-subj', '/CN=weak.test', '-keyout', '-', '-out', '-'])
  const [keyPem = '', certPem = ''] = ['PRIVATE KEY', 'CERTIFICATE'].map((label) => new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----\n`).exec(stdout)?.[0])
  const { X509Certificate, createHash } = await import('node:crypto')
  const certificate = new X509Certificate(certPem)
  return { certPem, keyPem, keyType: 'rsa', fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(), spkiDigest: createHash('sha256').update(certificate.publicKey.export({ type: 'spki', format: 'der' })).digest('hex') }
}

test('a configuration that is broken after the plan was made stops before anything is touched', { skip }, async (t) => {
  const [old, next] = await Promise.all([pairOf(), pairOf()])
  const server = await start(t, old)
  const { fields } = slotOf(await detect('postgresql', server.dataDirectory), 'own.crt')
  const { plan, deploy } = await deployer(t, 'postgresql')
  const approved = await plan(fields, next)
  await appendFile(server.configPath, 'no_such_parameter = 1\n')
  const result = await deploy(fields, next, approved)
  assert.deepEqual([result.error?.code, result.touched], ['SERVER_CONFIGURATION_UNREADABLE', false])
  assert.match(result.error?.message ?? '', /no_such_parameter/)
  assert.deepEqual(await files(server.folder), [old.certPem, old.keyPem])
})

test('what can not be done is said: no TLS, Unix sockets alone, encrypted keys, a client CA in the same file, keys that others can read', { skip }, async (t) => {
  const [old, next] = await Promise.all([pairOf(), pairOf()])
  const driver = await driverOf('postgresql')
  const refusalOf = async (server: PostgresqlServer) => driver.plan(context, { certificatePath: join(server.folder, 'own.crt'), keyPath: join(server.folder, 'own.key'), configurationPath: server.configPath, dataDirectory: server.dataDirectory }, planMaterial(next))
  const off = await start(t, old, 'ssl = off\n')
  const { problem, slots } = await detect('postgresql', off.dataDirectory)
  assert.deepEqual([problem, slots], [null, []], 'a server without TLS has no place, and nothing is wrong with it')
  await assert.rejects(refusalOf(off), { code: 'SLOT_NOT_FOUND' })

  const local = await start(t, old, '', { tcp: false })
  assert.match(slotOf(await detect('postgresql', local.dataDirectory), 'own.crt').problem?.message ?? '', /Nothing could prove .* no TCP port, and PostgreSQL has no TLS on Unix sockets/)
  await assert.rejects(refusalOf(local), { code: 'PLACE_UNSUPPORTED' })

  const other = await start(t, old)
  await appendFile(other.configPath, "ssl_ca_file = '../link.crt'\n")
  await symlink(join(other.folder, 'own.crt'), join(other.folder, 'link.crt'))
  await assert.rejects(refusalOf(other), { code: 'PLACE_UNSUPPORTED', message: /ssl_ca_file names the same file/ })
  await rm(join(other.folder, 'link.crt'))
  await chmod(join(other.folder, 'own.key'), 0o644)
  await assert.rejects(refusalOf(other), { code: 'PLACE_UNSUPPORTED', message: /mode 0644 lets others at it/ })
  await chmod(join(other.folder, 'own.key'), 0o600)
  await rm(join(other.folder, 'own.crt'))
  await assert.rejects(refusalOf(other), { code: 'PLAN_FAILED', message: /own\.crt is not there/ })
})

test('an encrypted key is left alone, and what the certificate authority of clients was stays', { skip }, async (t) => {
  const [old, ca, next] = await Promise.all([pairOf(), pairOf(), pairOf()])
  const server = await startPostgresqlServer(t, {
    settings: async (folder) => {
      const text = await withPair(old)(folder)
      await ownPair(folder, 'ca', ca)
      await run('openssl', ['pkey', '-in', join(folder, 'own.key'), '-aes256', '-passout', 'pass:open sesame', '-out', join(folder, 'secret.key')])
      const { uid, gid } = await stat(folder)
      await chown(join(folder, 'secret.key'), uid, gid)
      return `${text}ssl_key_file = '../secret.key'\nssl_ca_file = '../ca.crt'\nssl_passphrase_command = 'echo open sesame'\nssl_passphrase_command_supports_reload = on\n`
    },
  })
  const encrypted = slotOf(await detect('postgresql', server.dataDirectory), 'own.crt')
  assert.deepEqual(servedBy([server.port], encrypted), { '0 postgres': old.fingerprint })
  await assert.rejects((await deployer(t, 'postgresql')).plan(encrypted.fields, next), { code: 'PLACE_UNSUPPORTED', message: /encrypted \(ssl_passphrase_command\)/ })
  await appendFile(server.configPath, "ssl_key_file = '../own.key'\n")
  const plain = slotOf(await detect('postgresql', server.dataDirectory), 'own.crt')
  assertDeployed(await (await deployer(t, 'postgresql')).deploy(plain.fields, next))
  assert.equal(await readFile(join(server.folder, 'ca.crt'), 'utf8'), ca.certPem)
  await eventually(async () => /SIGHUP/.test(await server.log()))
})
