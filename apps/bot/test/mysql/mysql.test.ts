import { leftOut, mariadbAccount, rootFolder, selfSignedPair, startMariadb, tempFolder, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { chmod, chown, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { conformance, watching } from '../kit/conformance.ts'
import { assertDeployed, context, deployer, detect, driverOf, servedBy, slotOf, stepKinds, uniqueName } from '../mail/mail-kit.ts'

const skip = process.getuid?.() === 0 ? leftOut('mariadbd') : 'MariaDB is started as root here'

type Written = Awaited<ReturnType<typeof writePair>>
const tls = ({ certPath, keyPath }: Written) => `ssl_cert = ${certPath}\nssl_key = ${keyPath}\n`

/** A pair that the account of the server can read. */
async function pairIn(t: TestContext, name = 'one'): Promise<Written> {
  const folder = await tempFolder(t, 'pairs')
  await chmod(folder, 0o755)
  const pair = await writePair(folder, name, await selfSignedPair([uniqueName()]))
  const { uid, gid } = await mariadbAccount()
  await chown(pair.keyPath, uid, gid)
  return pair
}

conformance('mysql', {
  skip,
  async makeSubject(t) {
    const one = await pairIn(t)
    const server = await startMariadb(t, { settings: () => tls(one) })
    return {
      isSubject: ({ key }) => key === server.dataFolder,
      pairs: [one, await selfSignedPair([uniqueName()])],
      ...await watching({ own: [one.certPath, one.keyPath], foreign: [server.optionFile] }),
    }
  },
})

test('option files with groups and includes, paths below the data folder, the command line: FLUSH SSL keeps connections', { skip }, async (t) => {
  const { uid, gid } = await mariadbAccount()
  const [wrong, right] = [await pairIn(t, 'wrong'), await selfSignedPair([uniqueName()])]
  const server = await startMariadb(t, {
    settings: async (folder) => {
      await mkdir(join(folder, 'more'))
      for (const [name, content] of [['server.pem', right.certPem], ['server-key.pem', right.keyPem]] as const) {
        await writeFile(join(folder, 'data', name), content, { mode: 0o600 })
        await chown(join(folder, 'data', name), uid, gid)
      }
      await writeFile(join(folder, 'more/a.cnf'), `[client]\nssl_cert = /client.pem\n[mariadb-10.11]\nssl_cert = server.pem\n[mariadb-5.5]\nssl_cert = /old.pem\n`)
      await writeFile(join(folder, 'more/b.txt'), '[mariadb]\nssl_cert = /no.pem\n')
      return `${tls(wrong)}!includedir ${folder}/more\n`
    },
    words: ['--ssl-key=server-key.pem'],
  })
  const found = await detect('mysql', server.dataFolder)
  assert.equal(found.problem, null)
  assert.match(found.title, /^MariaDB 1\d\.\d+\.\d+ \(\/\S+\/data\)$/)
  assert.deepEqual(found.slots.map(({ fields }) => fields), [{ certificatePath: join(server.dataFolder, 'server.pem'), keyPath: join(server.dataFolder, 'server-key.pem'), dataFolder: server.dataFolder }])
  assert.deepEqual(servedBy([server.port], slotOf(found, 'server.pem')), { '0 mysql': right.fingerprint })

  const client = spawn('mariadb', ['--no-defaults', '--user=root', `--socket=${server.socketPath}`, '--batch', '--skip-column-names', '--unbuffered'], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => client.kill('SIGKILL'))
  client.stdin.write('set @kept = 41;\nselect @kept;\n')
  assert.equal(String(await once(client.stdout, 'data')).trim(), '41')
  const { plan, deploy } = await deployer(t, 'mysql')
  const next = await selfSignedPair([uniqueName()])
  const planned = await plan(slotOf(found, 'server.pem').fields, next)
  assert.deepEqual(stepKinds(planned), ['write full-chain', 'write key', 'reload-service', 'prove'])
  assert.deepEqual(planned.steps.flatMap((step) => (step.kind === 'reload-service' ? [step.argv.at(-1)] : [])), ['--execute=FLUSH SSL'])
  assertDeployed(await deploy(slotOf(found, 'server.pem').fields, next, planned))
  client.stdin.write('select @kept + 1;\n')
  assert.equal(String(await once(client.stdout, 'data')).trim(), '42', 'the connection that was open before')
  assert.deepEqual(servedBy([server.port], slotOf(await detect('mysql', server.dataFolder), 'server.pem')), { '0 mysql': next.fingerprint })
})

test('several servers, one of them without a port: it is found, and that nothing can prove it is said', { skip }, async (t) => {
  const [a, b] = [await pairIn(t, 'a'), await pairIn(t, 'b')]
  const [first, second] = await Promise.all([startMariadb(t, { settings: () => tls(a) }), startMariadb(t, { settings: () => `${tls(b)}skip-networking\n` })])
  assert.deepEqual(servedBy([first.port], slotOf(await detect('mysql', first.dataFolder), 'a.crt')), { '0 mysql': a.fingerprint })
  const { fields, problem } = slotOf(await detect('mysql', second.dataFolder), 'b.crt')
  assert.equal(problem?.code, 'PLACE_UNSUPPORTED')
  const { plan } = await deployer(t, 'mysql')
  await assert.rejects(plan(fields, a), { code: 'PLACE_UNSUPPORTED', message: /takes no connections over the network \(skip-networking or port 0\)/ })
  await assert.rejects((await driverOf('mysql')).inspect(context, { ...fields, dataFolder: '/nowhere' }), { code: 'SERVER_NOT_RUNNING', message: /with the data folder \/nowhere/ })
})

test('a pair that the server refuses is rolled back, and it goes on with the old one all the time', { skip }, async (t) => {
  const old = await pairIn(t)
  const server = await startMariadb(t, { settings: () => tls(old) })
  const { fields } = slotOf(await detect('mysql', server.dataFolder), 'one.crt')
  const { deploy } = await deployer(t, 'mysql')
  const result = await deploy(fields, await selfSignedPair([uniqueName()], 'weak-rsa'))
  assert.deepEqual([result.outcome, result.error?.code], ['rolled-back', 'RELOAD_FAILED'], JSON.stringify(result.error))
  assert.match(JSON.stringify(result.log), /Failed to refresh SSL/)
  assert.deepEqual([await readFile(old.certPath, 'utf8'), await readFile(old.keyPath, 'utf8')], [old.certPem, old.keyPem])
  assert.deepEqual(servedBy([server.port], slotOf(await detect('mysql', server.dataFolder), 'one.crt')), { '0 mysql': old.fingerprint })
})

test('how the bot signs in: the account of the server, an option file of root alone, and what is refused', { skip }, async (t) => {
  const one = await pairIn(t)
  const server = await startMariadb(t, { settings: () => tls(one) })
  await server.sql("create user tls@localhost identified by 'a secret of the test'; grant reload on *.* to tls@localhost")
  const { fields } = slotOf(await detect('mysql', server.dataFolder), 'one.crt')
  const { plan, deploy } = await deployer(t, 'mysql')
  const [second, third] = [await selfSignedPair([uniqueName()]), await selfSignedPair([uniqueName()])]
  assertDeployed(await deploy({ ...fields, databaseUser: 'mysql' }, second))
  await assert.rejects(plan({ ...fields, databaseUser: 'nobody-here' }, third), { code: 'PLAN_FAILED', message: /did not let the bot in over its Unix socket: .*Access denied/ })

  // The temporary folder can be written by all.
  const optionFile = join(await rootFolder(t), 'client.cnf')
  await writeFile(optionFile, '[client]\nuser=tls\npassword="a secret of the test"\n', { mode: 0o600 })
  const planned = await plan({ ...fields, optionFile }, third)
  assert.doesNotMatch(JSON.stringify(planned), /a secret/)
  assertDeployed(await deploy({ ...fields, optionFile }, third, planned))
  assert.deepEqual(servedBy([server.port], slotOf(await detect('mysql', server.dataFolder), 'one.crt')), { '0 mysql': third.fingerprint })
  await chmod(optionFile, 0o620)
  await assert.rejects(plan({ ...fields, optionFile }, second), { code: 'PLAN_FAILED', message: /is not used: \S+ can be written by others than root/ })
  await assert.rejects(plan({ ...fields, optionFile: '/etc/mysql/none.cnf' }, second), { code: 'PLAN_FAILED', message: /none\.cnf is not used: there is no such file/ })
  await assert.rejects(plan({ ...fields, clientPath: join(server.folder, 'mariadb') }, second), { code: 'PROGRAM_NOT_TRUSTED' })
  await assert.rejects(plan({ ...fields, activation: 'restart' }, second), { code: 'PLAN_FAILED', message: /not the main process of a systemd unit/ })
})

test('what stands in the way is told before anything is touched: another server, changed options, missing and foreign files', { skip }, async (t) => {
  const [one, two] = [await pairIn(t, 'one'), await pairIn(t, 'two')]
  const [server, other] = await Promise.all([startMariadb(t, { settings: () => tls(one) }), startMariadb(t, { settings: () => tls(two) })])
  const { fields } = slotOf(await detect('mysql', server.dataFolder), 'one.crt')
  const { plan, deploy } = await deployer(t, 'mysql')
  const next = await selfSignedPair([uniqueName()])
  await assert.rejects(plan({ ...fields, socketPath: other.socketPath }, next), { code: 'PLAN_FAILED', message: /Behind the socket is the server of \S+/ })
  const approved = await plan(fields, next)
  const text = await readFile(server.optionFile, 'utf8')
  await writeFile(server.optionFile, `${text}ssl_ca = ${two.certPath}\n`)
  const changed = await deploy(fields, next, approved)
  assert.deepEqual([changed.error?.code, changed.touched], ['PLAN_CHANGED', false])
  await writeFile(server.optionFile, `${text}${tls(two)}`)
  await assert.rejects(plan({ ...fields, certificatePath: two.certPath, keyPath: two.keyPath }, next), { code: 'PLAN_FAILED', message: /The running MariaDB uses the certificate \S+one\.crt, and its options say \S+two\.crt/ })
  await writeFile(server.optionFile, `${text}no group]\n[broken\n`)
  await assert.rejects(plan(fields, next), { code: 'SERVER_CONFIGURATION_UNREADABLE' })
  await writeFile(server.optionFile, text)
  await writeFile(one.certPath, 'text\n')
  await assert.rejects(plan(fields, next), { code: 'PLAN_FAILED', message: /neither a certificate nor a private key/ })
  await writeFile(one.certPath, one.certPem)
  await chown(one.keyPath, 0, 0)
  await assert.rejects(plan(fields, next), { code: 'PLAN_FAILED', message: /runs as user \d+, and \S+one\.key can not be read by it/ })
  await rename(one.keyPath, `${one.keyPath}.away`)
  await assert.rejects(plan(fields, next), { code: 'PLAN_FAILED', message: /one\.key is not there/ })
})
