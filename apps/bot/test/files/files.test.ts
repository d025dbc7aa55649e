import { CertloopError, type DeployResult } from '@certloop/contract'
import type { ConformanceEngine, Fields } from '@certloop/plugin-kit/conformance'
import { leftOut, requireTool, runProcess, selfSignedPair, tempFolder, type TestPair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { chmod, chown, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createLimits } from '../../src/hosts/limits.ts'
import { createLocalHost } from '../../src/hosts/local-host.ts'
import { materialOf, newDeploymentId, target, testEngine } from '../engine/engine-kit.ts'
import { benchOn } from '../kit/bench.ts'
import { local } from '../kit/reach.ts'

const root = process.getuid?.() === 0 ? false : 'needs root'

async function engineFor(t: TestContext, place = local): Promise<ConformanceEngine> {
  return (await benchOn(t, { ...place, serverType: 'files' })).engine()
}

function assertDeployed({ outcome, error, log }: DeployResult): void {
  assert.equal(outcome, 'deployed', `${error?.message}\n${log.map(({ message, output }) => `${message} ${output ?? ''}`).join('\n')}`)
}

async function scene(t: TestContext): Promise<{ folder: string; engine: ConformanceEngine; pair: TestPair }> {
  const [folder, engine, pair] = await Promise.all([tempFolder(t, 'files'), engineFor(t), selfSignedPair(['files.test'])])
  return { folder, engine, pair }
}

const deploy = async (engine: ConformanceEngine, fields: Fields, pair: TestPair) => engine.deploy(fields, pair)
const openssl = async (t: TestContext, ...args: string[]) => (await runProcess(t, [requireTool('openssl'), ...args])).stdout
const issuer = await selfSignedPair(['issuer.test'])

test('PEM in files of their own, each with its part; new ones with the owner of the folder and a closed key', async (t) => {
  const { folder, engine, pair } = await scene(t)
  const [certificatePath, keyPath, chainPath] = ['c.pem', 'k.pem', 'chain.pem'].map((name) => join(folder, name)) as [string, string, string]
  const fields = { format: 'pem', certificatePath, keyPath, chainPath, certificateContent: 'certificate' }
  assertDeployed(await engine.deploy(fields, { ...pair, issuersPem: [issuer.certPem] }))
  assert.deepEqual(await Promise.all([certificatePath, keyPath, chainPath].map((file) => readFile(file, 'utf8'))), [pair.certPem, pair.keyPem, issuer.certPem])
  assert.deepEqual(await Promise.all([certificatePath, keyPath].map(async (file) => ((await stat(file)).mode & 0o777).toString(8))), ['644', '600'])
  assert.deepEqual((await readdir(folder)).toSorted(), ['c.pem', 'chain.pem', 'k.pem'], 'nothing else is left')
  assert.deepEqual((await engine.plan(fields, { ...pair, issuersPem: [issuer.certPem] })).steps, [], 'a second time there is nothing to do')
})

test('a bundle in each order', async (t) => {
  const { folder, engine, pair } = await scene(t)
  const parts: Record<string, string[]> = {
    'full-chain-and-key': [pair.certPem, issuer.certPem, pair.keyPem], 'certificate-key-and-chain': [pair.certPem, pair.keyPem, issuer.certPem],
    'key-and-full-chain': [pair.keyPem, pair.certPem, issuer.certPem], 'certificate-and-key': [pair.certPem, pair.keyPem], 'key-and-certificate': [pair.keyPem, pair.certPem], 'full-chain': [pair.certPem, issuer.certPem],
  }
  for (const [order, texts] of Object.entries(parts)) {
    const certificatePath = join(folder, `${order}.pem`)
    assertDeployed(await engine.deploy({ format: 'bundle', certificatePath, order }, { ...pair, issuersPem: [issuer.certPem] }))
    assert.equal(await readFile(certificatePath, 'utf8'), texts.join(''), order)
  }
})

test('DER and PKCS#7 as OpenSSL reads them', { skip: leftOut('openssl') }, async (t) => {
  const { folder, engine, pair } = await scene(t)
  const der = { format: 'der', certificatePath: join(folder, 'c.der'), keyPath: join(folder, 'k.der') }
  assertDeployed(await deploy(engine, der, pair))
  assert.equal(await openssl(t, 'x509', '-inform', 'DER', '-in', der.certificatePath), pair.certPem)
  assert.equal((await openssl(t, 'pkey', '-inform', 'DER', '-in', der.keyPath)).trim(), pair.keyPem.trim())
  for (const [encoding, inform] of [['pkcs7-pem', 'PEM'], ['pkcs7-der', 'DER']]) {
    const certificatePath = join(folder, `${encoding}.p7b`)
    assertDeployed(await engine.deploy({ format: 'pkcs7', encoding, certificatePath }, { ...pair, issuersPem: [issuer.certPem] }))
    const told = await openssl(t, 'pkcs7', '-inform', String(inform), '-in', certificatePath, '-print_certs')
    assert.equal(told.match(/BEGIN CERTIFICATE/g)?.length, 2)
  }
})

test('PKCS#12 and JKS as keytool reads them; entries that are there stay, a wrong password stops before anything is touched', { skip: leftOut('keytool') }, async (t) => {
  const { folder, engine, pair } = await scene(t)
  for (const [format, type] of [['pkcs12', 'PKCS12'], ['jks', 'JKS']] as const) {
    const certificatePath = join(folder, `store.${format}`)
    const keytool = (...args: string[]) => runProcess(t, [requireTool('keytool'), ...args, '-keystore', certificatePath, '-storetype', type, '-storepass', 'changeit-1'])
    await keytool('-genkeypair', '-alias', 'other', '-keyalg', 'EC', '-dname', 'CN=other', '-keypass', 'changeit-1')
    await chmod(certificatePath, 0o640)
    const fields = { format, certificatePath, alias: 'shop', keystorePassword: 'changeit-1' }
    assertDeployed(await deploy(engine, fields, pair))
    const listed = (await keytool('-list')).stdout
    assert.match(listed, /^other, .*PrivateKeyEntry/m)
    assert.match(listed, /^shop, .*PrivateKeyEntry/m)
    assert.equal((await stat(certificatePath)).mode & 0o777, 0o640)
    const before = await readFile(certificatePath)
    await assert.rejects(engine.plan({ ...fields, keystorePassword: 'another-1' }, pair), (error) => error instanceof CertloopError && error.code === 'KEYSTORE_PASSWORD_WRONG' && error.message.includes(certificatePath) && !error.message.includes('another-1'))
    await assert.rejects(engine.plan({ format, certificatePath, alias: 'shop' }, pair), { code: 'KEYSTORE_PASSWORD_WRONG', message: /has no password/ })
    await assert.rejects(engine.plan({ format, certificatePath, keystorePassword: 'changeit-1' }, pair), { code: 'ALIAS_NOT_FOUND', message: /several keys \(other, shop\)/ })
    assert.deepEqual(await readFile(certificatePath), before)
    const { steps } = await engine.plan(fields, pair)
    assert.deepEqual(steps, [], 'it is there already')
    const again = await deploy(engine, fields, pair)
    assert.ok(again.inspection?.installedPem?.includes(pair.certPem), 'the result says what the keystore holds')
    const fresh = { format, certificatePath: join(folder, `new.${format}`), keystorePassword: 'changeit-2' }
    assertDeployed(await deploy(engine, fresh, pair))
    assert.match((await runProcess(t, [requireTool('keytool'), '-list', '-keystore', fresh.certificatePath, '-storepass', 'changeit-2'])).stdout, /^server, .*PrivateKeyEntry/m)
  }
})

test('owner, group and mode as the target names them, also when nothing else changes', { skip: root }, async (t) => {
  const { folder, engine, pair } = await scene(t)
  const fields = { format: 'pem', certificatePath: join(folder, 'c.pem'), keyPath: join(folder, 'k.pem') }
  assertDeployed(await deploy(engine, fields, pair))
  await chown(fields.keyPath, 4321, 4321)
  assert.deepEqual((await engine.plan(fields, pair)).steps, [], 'what is not named stays as it is')
  const named = { ...fields, owner: 'nobody', group: '4567', keyMode: '0640' }
  assertDeployed(await deploy(engine, named, pair))
  const { uid, gid, mode } = await stat(fields.keyPath)
  assert.deepEqual([uid, gid, (mode & 0o777).toString(8)], [65534, 4567, '640'])
  await assert.rejects(engine.plan({ ...fields, owner: 'no-such-user' }, pair), { code: 'PLAN_FAILED', message: /no user "no-such-user"/ })
})

test('links are followed; what is neither certificate nor key is never overwritten; a missing folder is named', async (t) => {
  const { folder, engine, pair } = await scene(t)
  await mkdir(join(folder, 'archive'))
  await symlink('archive/c1.pem', join(folder, 'c.pem'))
  const fields = { format: 'pem', certificatePath: join(folder, 'c.pem'), keyPath: join(folder, 'k.pem') }
  assertDeployed(await deploy(engine, fields, pair))
  assert.equal(await readFile(join(folder, 'archive/c1.pem'), 'utf8'), pair.certPem)
  const shadow = join(folder, 'shadow')
  await writeFile(shadow, 'root:x:0:0\n')
  await assert.rejects(engine.plan({ format: 'pem', certificatePath: shadow }, pair), { code: 'PLAN_FAILED', message: /neither a certificate nor a key/ })
  const hostKey = join(folder, 'ssh_host_ed25519_key')
  await writeFile(hostKey, `-----BEGIN OPENSSH PRIVATE KEY-----\n${'b3BlbnNzaC1rZXktdjEA'.repeat(8)}\n-----END OPENSSH PRIVATE KEY-----\n`)
  await assert.rejects(engine.plan({ format: 'pem', certificatePath: join(folder, 'c.pem'), keyPath: hostKey }, pair), { code: 'PLAN_FAILED', message: /ssh_host_ed25519_key holds neither a certificate nor a key of TLS/ })
  await assert.rejects(engine.plan({ format: 'jks', certificatePath: join(folder, 'c.pem'), keystorePassword: 'changeit' }, pair), { code: 'PLAN_FAILED', message: /is no keystore/ })
  await assert.rejects(engine.plan({ format: 'pem', certificatePath: join(folder, 'missing/c.pem') }, pair), (error) => error instanceof CertloopError && error.code === 'FOLDER_MISSING' && error.message.includes(join(folder, 'missing')))
  await assert.rejects(engine.plan({ format: 'pem', certificatePath: join(folder, 'c2.pem'), chainPath: join(folder, 'chain.pem') }, pair), { code: 'PLAN_FAILED', message: /without intermediate certificates/ })
})

test('a UNC path is written through the mount of its share', async (t) => {
  const { folder, pair } = await scene(t)
  const mounts = `//files.example/certs ${folder.replaceAll(' ', '\\040')} cifs rw,relatime 0 0\n`
  const host = { ...local.host, readFile: (path: string, limit?: number) => (path === '/proc/self/mounts' ? Promise.resolve(Buffer.from(mounts)) : local.host.readFile(path, limit)) }
  const engine = await engineFor(t, { ...local, host })
  await mkdir(join(folder, 'web'))
  assertDeployed(await deploy(engine, { format: 'pem', certificatePath: '\\\\FILES.example\\Certs\\web\\c.pem', keyPath: '\\\\files.example\\certs\\web\\k.pem' }, pair))
  assert.equal(await readFile(join(folder, 'web/c.pem'), 'utf8'), pair.certPem)
  await assert.rejects(engine.plan({ format: 'pem', certificatePath: '\\\\other\\certs\\c.pem' }, pair), { code: 'PLAN_FAILED', message: /\\\\other\\certs is not mounted/ })
  await assert.rejects(engine.plan({ format: 'pem', certificatePath: '\\\\files.example\\certs\\..\\..\\etc\\c.pem' }, pair), { code: 'PLAN_FAILED' })
})

test('the command decides: run after the files, undone when it fails, run again with the previous ones', async (t) => {
  const { folder, engine, pair } = await scene(t)
  const [trace, gate] = [join(folder, 'trace'), join(folder, 'gate')]
  const script = join(folder, 'take-up')
  await writeFile(script, `#!/bin/sh\nif read line; then echo "input: $line" >>${trace}; fi\nsha256sum < ${join(folder, 'c.pem')} >>${trace}\ntest ! -e ${gate}\n`, { mode: 0o755 })
  const fields = { format: 'pem', certificatePath: join(folder, 'c.pem'), keyPath: join(folder, 'k.pem'), command: [script] }
  assertDeployed(await deploy(engine, fields, pair))
  const [first] = (await readFile(trace, 'utf8')).split('\n')
  await writeFile(gate, '')
  const result = await deploy(engine, fields, await selfSignedPair(['files.test']))
  assert.deepEqual([result.outcome, result.error?.code], ['failed', 'ROLLBACK_FAILED'], 'the gate is closed for the previous files too, and that is said')
  assert.equal(await readFile(fields.certificatePath, 'utf8'), pair.certPem)
  const lines = (await readFile(trace, 'utf8')).trim().split('\n')
  assert.equal(lines.at(-1), first, 'the last run saw the previous certificate')
  assert.ok(!lines.some((line) => line.startsWith('input')), 'standard input is closed')
})

test('a command that never ends is stopped with all it started, and the previous files are back', async (t) => {
  const { folder, engine, pair } = await scene(t)
  const script = join(folder, 'hang')
  await writeFile(script, `#!/bin/sh\nif test -e ${join(folder, 'hanging')}; then sleep 600 & echo $! >${join(folder, 'pid')}; wait; fi\n`, { mode: 0o755 })
  const fields = { format: 'pem', certificatePath: join(folder, 'c.pem'), keyPath: join(folder, 'k.pem'), command: [script], commandSeconds: 1 }
  assertDeployed(await deploy(engine, fields, pair))
  await writeFile(join(folder, 'hanging'), '')
  const result = await deploy(engine, fields, await selfSignedPair(['files.test']))
  assert.notEqual(result.outcome, 'deployed')
  assert.match(JSON.stringify(result.error), /COMMAND_TIMEOUT/)
  assert.equal(await readFile(fields.certificatePath, 'utf8'), pair.certPem)
  const pid = (await readFile(join(folder, 'pid'), 'utf8')).trim()
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').then((text) => text.split(') ')[1]?.[0], () => 'gone')
  assert.ok(state === 'gone' || state === 'Z', `the child is in state ${state}`)
})

test('a command that bot.toml does not allow is refused with the files as they were', async (t) => {
  const [{ folder, pair }, own] = [await scene(t), await tempFolder(t, 'engine')]
  const engine = testEngine(own, { scripts: false, hostFor: () => createLocalHost({ limits: createLimits({ writePaths: null, commands: null, scripts: false }) }) })
  const fields = { format: 'pem', certificatePath: join(folder, 'c.pem'), command: ['/bin/true'] }
  await assert.rejects(engine.plan({ deploymentId: newDeploymentId(), target: target('files', fields), material: await materialOf(own, pair) }), { code: 'COMMAND_NOT_ALLOWED', message: /limits\.scripts is off/ })
  assert.deepEqual(await readdir(folder), [])
})
