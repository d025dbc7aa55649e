import type { Host } from '@certloop/plugin-kit'
import { leftOut, nginxTempPaths, type RunningNginx, selfSignedPair, startNginx, tempFolder, type TestPair, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { chmod, chown, lstat, mkdir, readFile, readlink, stat, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { assertDeployed, assertServed, deployer, detect, nginxContext, nginxDriver, planMaterial, slotOf, stepKinds } from './nginx-kit.ts'

const options = { timeout: 120_000, skip: leftOut('nginx') }
const isRoot = process.getuid?.() === 0

const pair = selfSignedPair
async function written(folder: string, name: string, keyType: TestPair['keyType'] = 'ec') {
  return writePair(folder, name, await pair([`${name}.test`], keyType))
}
const planOf = async (nginx: RunningNginx, name: string, next: TestPair) => (await nginxDriver()).plan(nginxContext(), (await slotOf(nginx, name)).fields, planMaterial(next))

/** Plans for a master whose program says that it has other files than it has. */
async function lyingMaster(nginx: RunningNginx, one: { certPath: string; keyPath: string }) {
  const [driver, context, { fields }, next] = [await nginxDriver(), nginxContext(), await slotOf(nginx, 'one.crt'), await pair(['one.test'])]
  return (named: { certPath?: string; keyPath?: string }) => {
    const { certPath = one.certPath, keyPath = one.keyPath } = named
    const run: Host['run'] = async (argv, more) => {
      const said = await context.host.run(argv, more)
      return argv.includes('-T') ? { ...said, stdout: said.stdout.replace(one.certPath, certPath).replace(one.keyPath, keyPath) } : said
    }
    return driver.plan({ ...context, host: { ...context.host, run } }, { ...fields, certificatePath: certPath, keyPath }, planMaterial(next))
  }
}

test('the plan: write, test, reload, prove; then it is done, and owner and mode are as before', options, async (t) => {
  const folder = await tempFolder(t, 'pairs')
  const one = await written(folder, 'one')
  await chmod(one.keyPath, 0o440)
  if (isRoot) await chown(one.keyPath, 0, 65534)
  const nginx = await startNginx(t, { servers: [{ names: ['one.test'], ...one }] })
  const { fields } = await slotOf(nginx, 'one.crt')
  const { plan, deploy } = await deployer(t)
  const next = await pair(['one.test'])
  const command = [nginx.program, '-c', nginx.configPath, '-p', nginx.prefix]
  const { steps, observed } = await plan(fields, next)
  assert.deepEqual(stepKinds({ steps }), ['write full-chain', 'write key', 'run-command', 'reload-service', 'prove'])
  assert.deepEqual(steps.flatMap((step) => ('argv' in step ? [step.argv.toSorted()] : [])), [[...command, '-t', '-q'].toSorted(), [...command, '-s', 'reload'].toSorted()])
  assert.deepEqual(observed.map(({ name }) => name), [nginx.configPath, `${nginx.program} -V`, `links of ${one.certPath}`, `links of ${one.keyPath}`, one.certPath, one.keyPath])

  assertDeployed(await deploy(fields, next))
  await assertServed(nginx, 'one.crt', { '127.0.0.1:0 -': next.fingerprint, '127.0.0.1:0 one.test': next.fingerprint })
  assert.deepEqual([await readFile(one.certPath, 'utf8'), await readFile(one.keyPath, 'utf8')], [next.certPem, next.keyPem])
  const facts = await stat(one.keyPath)
  assert.deepEqual([facts.mode & 0o7777, facts.gid], [0o440, isRoot ? 65534 : facts.gid])
})

test('what is there already is only proven; what is there and not yet served is only activated', options, async (t) => {
  const folder = await tempFolder(t, 'pairs')
  const one = await written(folder, 'one')
  const nginx = await startNginx(t, { servers: [one] })
  assert.deepEqual(stepKinds(await planOf(nginx, 'one.crt', one)), ['prove'])
  const next = await writePair(folder, 'one', await pair(['one.test']))
  assert.deepEqual(stepKinds(await planOf(nginx, 'one.crt', next)), ['run-command', 'reload-service', 'prove'])
  const { deploy } = await deployer(t)
  assertDeployed(await deploy((await slotOf(nginx, 'one.crt')).fields, next))
  await assertServed(nginx, 'one.crt', { '127.0.0.1:0 -': next.fingerprint })
})

test('a file that several servers and listeners use is replaced once and proven everywhere; others stay', options, async (t) => {
  const folder = await tempFolder(t, 'pairs')
  const [shared, other] = [await written(folder, 'shared', 'rsa'), await written(folder, 'other')]
  const nginx = await startNginx(t, { servers: [{ names: ['a.test'], ...shared }, { names: ['b.test'], ...other }, { names: ['*.c.test'], ...shared }, { ...shared, listener: 1 }] })
  const next = await pair(['a.test'])
  assertDeployed(await (await deployer(t)).deploy((await slotOf(nginx, 'shared.crt')).fields, next))
  await assertServed(nginx, 'shared.crt', Object.fromEntries(['0 -', '0 a.test', '0 certloop-proof.c.test', '1 -'].map((at) => [`127.0.0.1:${at}`, next.fingerprint])))
  await assertServed(nginx, 'other.crt', { '127.0.0.1:0 b.test': other.fingerprint })
})

test('of an RSA and an ECDSA certificate one is replaced, and both are proven', options, async (t) => {
  const folder = await tempFolder(t, 'pairs')
  const [rsa, ec] = [await written(folder, 'rsa', 'rsa'), await written(folder, 'ec')]
  const nginx = await startNginx(t, { servers: [{ names: ['both.test'], ...rsa, morePairs: [ec] }] })
  const { deploy, plan } = await deployer(t)
  const fields = (await slotOf(nginx, 'ec.crt')).fields
  const nextEc = await pair(['both.test'])
  assertDeployed(await deploy(fields, nextEc))
  await assertServed(nginx, 'ec.crt', { '127.0.0.1:0 - ec': nextEc.fingerprint, '127.0.0.1:0 both.test ec': nextEc.fingerprint })
  await assertServed(nginx, 'rsa.crt', { '127.0.0.1:0 - rsa': rsa.fingerprint, '127.0.0.1:0 both.test rsa': rsa.fingerprint })
  const nextRsa = await pair(['both.test'], 'rsa')
  assertDeployed(await deploy((await slotOf(nginx, 'rsa.crt')).fields, nextRsa))
  await assertServed(nginx, 'rsa.crt', { '127.0.0.1:0 - rsa': nextRsa.fingerprint, '127.0.0.1:0 both.test rsa': nextRsa.fingerprint })
  await assert.rejects(plan(fields, nextRsa), { code: 'PLAN_FAILED', message: /already holds a certificate with an RSA key/ })
})

test('links stay; the file they lead to changes; a link that moved is another plan', options, async (t) => {
  const base = await tempFolder(t, 'links')
  for (const name of ['archive', 'live', 'releases']) await mkdir(join(base, name))
  const real = await written(join(base, 'archive'), 'one1')
  await symlink('../archive/one1.crt', join(base, 'live', 'one.crt'))
  await symlink(real.keyPath, join(base, 'live', 'one.key'))
  await symlink('live', join(base, 'current'))
  const [certPath, keyPath] = [join(base, 'current', 'one.crt'), join(base, 'current', 'one.key')]
  const nginx = await startNginx(t, { servers: [{ certPath, keyPath }, { names: ['direct.test'], ...real }] })
  const server = await detect(nginx)
  assert.equal(server.slots.length, 1, 'two names of the same files are one place')
  const { fields } = await slotOf(nginx, 'current/one.crt')
  const { plan, deploy } = await deployer(t)
  const [next, last] = [await pair(['one.test']), await pair(['one.test'])]
  assert.deepEqual((await plan(fields, next)).steps.flatMap((step) => (step.kind === 'write-file' ? [step.path] : [])), [real.certPath, real.keyPath])
  assertDeployed(await deploy(fields, next))
  assert.equal(await readlink(join(base, 'live', 'one.crt')), '../archive/one1.crt')
  assert.ok((await lstat(keyPath)).isSymbolicLink())
  assert.equal(await readFile(real.certPath, 'utf8'), next.certPem)
  await assertServed(nginx, 'current/one.crt', { '127.0.0.1:0 -': next.fingerprint, '127.0.0.1:0 direct.test': next.fingerprint })

  const approved = await plan(fields, last)
  // As an ACME client does that renews meanwhile.
  await writePair(join(base, 'archive'), 'one2', await pair(['one.test']))
  for (const end of ['crt', 'key']) {
    await unlink(join(base, 'live', `one.${end}`))
    await symlink(`../archive/one2.${end}`, join(base, 'live', `one.${end}`))
  }
  const refused = await deploy(fields, last, approved)
  assert.deepEqual([refused.outcome, refused.touched, refused.error?.code], ['failed', false, 'PLAN_CHANGED'])
  assert.match(refused.differences.join('\n'), /one2\.crt/)
})

test('certificate and key in one file', options, async (t) => {
  const folder = await tempFolder(t, 'pairs')
  const first = await pair(['one.test'])
  const file = join(folder, 'both.pem')
  await writeFile(file, first.keyPem + first.certPem, { mode: 0o600 })
  const nginx = await startNginx(t, { servers: [{ certPath: file, keyPath: file }] })
  const slot = await slotOf(nginx, 'both.pem')
  assert.equal(slot.installedPem, first.certPem)
  const { plan, deploy } = await deployer(t)
  const next = await pair(['one.test'])
  assert.deepEqual(stepKinds(await plan(slot.fields, next)), ['write key-and-full-chain', 'run-command', 'reload-service', 'prove'])
  const result = await deploy(slot.fields, next)
  assertDeployed(result)
  assert.doesNotMatch(JSON.stringify(result), /PRIVATE KEY/)
  assert.equal(result.inspection?.installedPem, next.certPem)
  assert.equal(await readFile(file, 'utf8'), next.keyPem + next.certPem)
  await assertServed(nginx, 'both.pem', { '127.0.0.1:0 -': next.fingerprint })
  assert.deepEqual(stepKinds(await plan(slot.fields, next)), ['prove'])
})

test('what would break something beside it is refused before anything is touched', options, async (t) => {
  const folder = await tempFolder(t, 'pairs')
  const one = await written(folder, 'one')
  await writeFile(join(folder, 'copy.crt'), one.certPem)
  const extra = await written(folder, 'extra')
  await writeFile(extra.certPath, `${extra.certPem}-----BEGIN DH PARAMETERS-----\nMAYCAQMCAQI=\n-----END DH PARAMETERS-----\n`)
  const nginx = await startNginx(t, { servers: [{ ...one, names: ['a.test'] }, { certPath: join(folder, 'copy.crt'), keyPath: one.keyPath, names: ['b.test'] }, { ...extra, names: ['c.test'] }] })
  const { plan } = await deployer(t)
  const next = await pair(['one.test'])
  await assert.rejects(plan((await slotOf(nginx, 'one.crt')).fields, next), { code: 'PLAN_FAILED', message: /one\.key is also used with .*copy\.crt/ })
  await assert.rejects(plan((await slotOf(nginx, 'extra.crt')).fields, next), { code: 'PLAN_FAILED', message: /DH PARAMETERS/ })
})

test('a failed proof puts everything back', options, async (t) => {
  const folder = await tempFolder(t, 'pairs')
  const one = await written(folder, 'one')
  const nginx = await startNginx(t, { servers: [one] })
  const { fields } = await slotOf(nginx, 'one.crt')
  const { plan, deploy } = await deployer(t)
  const next = await pair(['one.test'])
  const approved = await plan(fields, next)
  // The master that runs is not the one of this pid file: the reload fails.
  await writeFile(join(nginx.prefix, 'nginx.pid'), '')
  const result = await deploy(fields, next, approved)
  assert.equal(result.error?.code, 'RELOAD_FAILED')
  await assertServed(nginx, 'one.crt', { '127.0.0.1:0 -': one.fingerprint })
  assert.deepEqual([await readFile(one.certPath, 'utf8'), await readFile(one.keyPath, 'utf8')], [one.certPem, one.keyPem])
})

test('the limits of bot.toml that the README names are enough, and less is refused', options, async (t) => {
  const folder = await tempFolder(t, 'pairs')
  const one = await written(folder, 'one')
  const nginx = await startNginx(t, { servers: [one] })
  const { fields } = await slotOf(nginx, 'one.crt')
  const next = await pair(['one.test'])
  const elsewhere = await tempFolder(t, 'elsewhere')
  const refused = await (await deployer(t, { writePaths: [elsewhere], commands: ['nginx'] })).deploy(fields, next)
  assert.deepEqual([refused.outcome, refused.error?.code], ['failed', 'PATH_NOT_ALLOWED'])
  await assertServed(nginx, 'one.crt', { '127.0.0.1:0 -': one.fingerprint })
  assertDeployed(await (await deployer(t, { writePaths: [folder], commands: ['nginx'], scripts: false })).deploy(fields, next))
})

test('a master that is not root\'s is spoken to with its own rights, never as root', { ...options, skip: options.skip || (!isRoot && 'needs root') }, async (t) => {
  const account = { uid: 65534, gid: 65534 }
  const prefix = await tempFolder(t, 'nginx')
  const one = await written(prefix, 'one')
  for (const file of [one.certPath, one.keyPath]) await chown(file, account.uid, account.gid)
  const nginx = await startNginx(t, { prefix, account, servers: [one] })
  const next = await pair(['one.test'])
  const { steps } = await planOf(nginx, 'one.crt', next)
  assert.deepEqual(steps.flatMap((step) => ('argv' in step ? [step.runAs] : [])), [account, account])
  assertDeployed(await (await deployer(t)).deploy((await slotOf(nginx, 'one.crt')).fields, next))
  const facts = await stat(one.keyPath)
  assert.deepEqual([facts.uid, facts.mode & 0o7777], [account.uid, 0o600])
  // What that account may not read, a call with more rights would.
  await chown(one.keyPath, 0, 0)
  assert.match((await detect(nginx)).problem?.message ?? '', /one\.key.*Permission denied/)
})

test('what a configuration names is not overwritten unless it is a certificate or a key', options, async (t) => {
  const folder = await tempFolder(t, 'pairs')
  const one = await written(folder, 'one')
  const nginx = await startNginx(t, { servers: [one] })
  const planFor = await lyingMaster(nginx, one)
  const other = join(folder, 'sshd_config')
  await writeFile(other, 'PermitRootLogin no\n')
  await assert.rejects(planFor({ keyPath: other }), { code: 'PLAN_FAILED', message: /sshd_config holds neither a certificate nor a private key/ })
  await assert.rejects(planFor({ certPath: other }), { code: 'PLAN_FAILED', message: /sshd_config holds neither a certificate nor a private key/ })
  await writeFile(other, '\n')
  assert.ok(await planFor({ keyPath: other }), 'an empty file is taken')
})

test('of a master that is not root\'s only the pair that its account can use is replaced', { ...options, skip: options.skip || (!isRoot && 'needs root') }, async (t) => {
  const account = { uid: 65534, gid: 65534 }
  const prefix = await tempFolder(t, 'nginx')
  const [one, other] = [await written(prefix, 'one'), await written(prefix, 'other')]
  for (const file of [one.certPath, one.keyPath]) await chown(file, account.uid, account.gid)
  const nginx = await startNginx(t, { prefix, account, servers: [one] })
  const planFor = await lyingMaster(nginx, one)
  assert.ok(await planFor({}))
  await assert.rejects(planFor({ ...other }), { code: 'PLAN_FAILED', message: /other\.key can not be read by it/ })
  await assert.rejects(planFor({ certPath: other.certPath }), { code: 'PLAN_FAILED', message: /one\.key does not belong to the certificate in .*other\.crt/ })
  await assert.rejects(planFor({ keyPath: join(prefix, 'new.key') }), { code: 'PLAN_FAILED', message: /new\.key is not there/ })
})

test('options of -g go with every call', options, async (t) => {
  const folder = await tempFolder(t, 'pairs')
  const one = await written(folder, 'one')
  const prefix = await tempFolder(t, 'nginx')
  const nginx = await startNginx(t, { prefix, portCount: 1, globals: `pid ${prefix}/nginx.pid;`, configuration: ({ ports }) => `http {\n${nginxTempPaths(prefix)} server { listen 127.0.0.1:${ports[0]} ssl; ssl_certificate ${one.certPath}; ssl_certificate_key ${one.keyPath}; } }` })
  const next = await pair(['one.test'])
  assertDeployed(await (await deployer(t)).deploy((await slotOf(nginx, 'one.crt')).fields, next))
})
