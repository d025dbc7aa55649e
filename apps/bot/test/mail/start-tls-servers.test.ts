import type { StartTls } from '@certloop/contract'
import { eventually, freePort, leftOut, requireTool, runProcess, selfSignedPair, startPostgres, startProcess, tempFolder, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, chown, mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createProber } from '../../src/engine/index.ts'

// Postfix and Dovecot show SMTP, IMAP and POP3 in their own tests.
const probe = createProber({ now: () => new Date() })
const look = (port: number, startTls: StartTls) => probe({ address: '127.0.0.1', port, serverName: null, keyType: null, startTls })
const isRoot = process.getuid?.() === 0
const asRoot = (tool: Parameters<typeof leftOut>[0]) => (isRoot ? leftOut(tool) : `${tool} is started as root here`)

/** A pair in a folder that the account of a server can enter, with a key of its own. */
async function pairFor(t: TestContext, uid: number, gid: number) {
  const folder = await tempFolder(t, 'pair')
  await chmod(folder, 0o755)
  const pair = await writePair(folder, 'server', await selfSignedPair(['db.test']))
  await chown(pair.keyPath, uid, gid)
  return { folder, ...pair }
}

test('PostgreSQL: without TLS a plain word, with TLS its certificate', { skip: leftOut('postgres') }, async (t) => {
  const postgres = await startPostgres()
  t.after(() => postgres.stop())
  const port = Number(new URL(postgres.url).port)
  const off = await look(port, 'postgres')
  assert.deepEqual([off.fingerprint, off.error], [null, 'The server does not offer TLS.'])
  const { uid, gid } = await stat(`/proc/${postgres.pid}`)
  const pair = await pairFor(t, uid, gid)
  const psql = async (...commands: string[]) => {
    const { code, stderr } = await runProcess(t, ['psql', postgres.url, '-v', 'ON_ERROR_STOP=1', ...commands.flatMap((command) => ['-c', command])])
    assert.equal(code, 0, stderr)
  }
  await psql(`alter system set ssl_cert_file = '${pair.certPath}'`, `alter system set ssl_key_file = '${pair.keyPath}'`, 'alter system set ssl = on', 'select pg_reload_conf()')
  await eventually(async () => (await look(port, 'postgres')).fingerprint === pair.fingerprint, { what: 'the certificate of PostgreSQL' })
})

test('MariaDB: without TLS a plain word, with TLS its certificate', { skip: asRoot('mariadbd') }, async (t) => {
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'mysql'], { encoding: 'utf8' })))
  const pair = await pairFor(t, uid ?? 0, gid ?? 0)
  const data = join(pair.folder, 'data')
  await mkdir(data)
  await chown(data, uid ?? 0, gid ?? 0)
  const made = await runProcess(t, ['mariadb-install-db', '--no-defaults', `--datadir=${data}`, '--user=mysql', '--skip-test-db'])
  assert.equal(made.code, 0, made.stderr)
  for (const tls of [false, true]) {
    const port = await freePort()
    const server = await startProcess(t, [requireTool('mariadbd'), '--no-defaults', `--datadir=${data}`, '--user=mysql', '--bind-address=127.0.0.1', `--port=${port}`, `--socket=${data}/socket`, ...(tls ? [`--ssl-cert=${pair.certPath}`, `--ssl-key=${pair.keyPath}`] : ['--skip-ssl'])])
    await server.waitFor(/ready for connections/, 60_000)
    const { fingerprint, error } = await look(port, 'mysql')
    assert.deepEqual([fingerprint, error], tls ? [pair.fingerprint, null] : [null, 'The server does not offer TLS.'])
    server.kill('SIGTERM')
    await server.ended
  }
})

test('vsftpd: without TLS a plain word, with AUTH TLS its certificate', { skip: asRoot('vsftpd') }, async (t) => {
  const folder = await tempFolder(t, 'vsftpd')
  const pair = await writePair(folder, 'ftp', await selfSignedPair(['ftp.test'], 'rsa'))
  await mkdir(join(folder, 'empty'))
  for (const tls of [false, true]) {
    const port = await freePort()
    const file = join(folder, `${tls}.conf`)
    const settings = { listen: 'YES', listen_address: '127.0.0.1', listen_port: port, background: 'NO', secure_chroot_dir: join(folder, 'empty'), anonymous_enable: 'NO', local_enable: 'YES', ...(tls ? { ssl_enable: 'YES', rsa_cert_file: pair.certPath, rsa_private_key_file: pair.keyPath } : {}) }
    await writeFile(file, Object.entries(settings).map(([name, value]) => `${name}=${value}\n`).join(''))
    const server = await startProcess(t, [requireTool('vsftpd'), file])
    const seen = await eventually(async () => {
      const sight = await look(port, 'ftp')
      return sight.error === 'Nothing listens there.' ? undefined : sight
    }, { what: 'vsftpd taking connections' })
    if (tls) assert.equal(seen.fingerprint, pair.fingerprint, seen.error ?? '')
    else assert.match(seen.error ?? '', /^The server does not offer AUTH TLS: "5\d\d /)
    server.kill('SIGTERM')
    await server.ended
  }
})
