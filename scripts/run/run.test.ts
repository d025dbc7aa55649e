import assert from 'node:assert/strict'
import { cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { eventually, runProcess, startProcess, tempFolder } from '@certloop/test-kit'
import { belongsHere, isInstalled, missingPackages } from './installed.mjs'

/** A small checkout with the real run.mjs, no dependencies and a command line of one file. npm works on it without network. */
async function checkout(t: TestContext, cli: string): Promise<string> {
  const root = await tempFolder(t, 'checkout')
  for (const name of ['run.mjs', 'run']) await cp(join(import.meta.dirname, '..', name), join(root, 'scripts', name), { recursive: true })
  const manifest = { name: 'small', version: '1.0.0' }
  await writeFile(join(root, 'package.json'), JSON.stringify(manifest))
  await writeFile(join(root, 'package-lock.json'), JSON.stringify({ ...manifest, lockfileVersion: 3, requires: true, packages: { '': manifest } }))
  await mkdir(join(root, 'apps/cli/src'), { recursive: true })
  await writeFile(join(root, 'apps/cli/src/main.ts'), cli)
  return root
}
const argv = (root: string, ...args: string[]): [string, ...string[]] => [process.execPath, join(root, 'scripts/run.mjs'), ...args]
process.env['npm_config_offline'] = 'true'
const installing = /installing what package-lock.json names/

test('the first start installs, later ones do not; arguments, folder and exit code pass through', async (t) => {
  const root = await checkout(t, `console.log(JSON.stringify([process.argv.slice(2), process.cwd()])); process.exitCode = 7`)
  const caller = await tempFolder(t, 'caller')
  const first = await runProcess(t, argv(root, 'cli', 'certificate', '--name', 'a b'), { env: { INIT_CWD: caller } })
  assert.equal(first.code, 7)
  assert.match(first.stderr, installing)
  // Nothing but the command's own words on standard output.
  assert.deepEqual(JSON.parse(first.stdout), [['certificate', '--name', 'a b'], caller])
  const second = await runProcess(t, argv(root, 'cli'), { env: { INIT_CWD: caller } })
  assert.equal(second.stderr, '')
})

test('a changed lock file is installed again', async (t) => {
  const root = await checkout(t, '')
  await runProcess(t, argv(root, 'cli'))
  assert.equal(isInstalled(root), true)
  const path = join(root, 'package-lock.json')
  const lock = JSON.parse(await readFile(path, 'utf8')) as { packages: Record<string, unknown> }
  await writeFile(path, JSON.stringify({ ...lock, packages: { ...lock.packages, 'node_modules/gone': { version: '1.0.0' } } }))
  assert.equal(isInstalled(root), false)
})

test('two starts at once install once and both go on', async (t) => {
  const root = await checkout(t, `console.log('ran')`)
  const ends = await Promise.all([1, 2].map(() => runProcess(t, argv(root, 'cli'))))
  assert.deepEqual(ends.map(({ code, stdout }) => [code, stdout]), [[0, 'ran\n'], [0, 'ran\n']])
  assert.equal(ends.filter(({ stderr }) => installing.test(stderr)).length, 1)
  await assert.rejects(stat(join(root, '.tmp/install.lock')), /ENOENT/)
})

test('a lock left behind by a killed start is removed', async (t) => {
  const root = await checkout(t, `console.log('ran')`)
  const dead = await runProcess(t, [process.execPath, '-p', 'process.pid'])
  await mkdir(join(root, '.tmp'))
  await writeFile(join(root, '.tmp/install.lock'), dead.stdout.trim())
  const { stdout, stderr } = await runProcess(t, argv(root, 'cli'))
  assert.equal(stdout, 'ran\n')
  assert.match(stderr, /waiting for another start/)
})

test('what can not go on says so and exits 1: no lock file, unknown command, failing npm', async (t) => {
  const root = await checkout(t, `console.log('ran')`)
  const unknown = await runProcess(t, argv(root, 'toString'))
  assert.deepEqual([unknown.code, unknown.stdout], [1, ''])
  assert.match(unknown.stderr, /there is no command "toString"/)

  await writeFile(join(root, 'package.json'), JSON.stringify({ name: 'small', version: '1.0.0', dependencies: { missing: '1.0.0' } }))
  const failing = await runProcess(t, argv(root, 'cli'))
  assert.deepEqual([failing.code, failing.stdout], [1, ''])
  assert.match(failing.stderr, /npm could not install the dependencies[^]*npm error/)

  await rm(join(root, 'package-lock.json'))
  const bare = await runProcess(t, argv(root, 'cli'))
  assert.deepEqual([bare.code, bare.stdout], [1, ''])
  assert.match(bare.stderr, /package-lock.json is missing/)
})

for (const [way, hide] of [['in place', ''], ['as a child', 'delete process.execve']] as const) {
  test(`a signal reaches the command, and its end is ours (${way})`, async (t) => {
    const root = await checkout(t, `process.on('SIGTERM', () => { console.log('stopping'); process.exit(5) }); setInterval(() => {}, 1000); console.log('up')`)
    await writeFile(join(root, 'hide.cjs'), hide)
    const running = await startProcess(t, argv(root, 'cli'), { env: { NODE_OPTIONS: `--require ${join(root, 'hide.cjs')}` } })
    await running.waitFor(/up/)
    running.kill('SIGTERM')
    assert.deepEqual(await running.ended, { code: 5, signal: null })
    assert.match(running.stdout(), /stopping/)
  })

  test(`a command that a signal ends, ends us by the same (${way})`, async (t) => {
    const root = await checkout(t, `process.kill(process.pid, 'SIGKILL')`)
    await writeFile(join(root, 'hide.cjs'), hide)
    const { code, signal } = await runProcess(t, argv(root, 'cli'), { env: { NODE_OPTIONS: `--require ${join(root, 'hide.cjs')}` } })
    assert.deepEqual({ code, signal }, { code: null, signal: 'SIGKILL' })
  })
}

for (const [way, hide] of [['in place', ''], ['as a child', 'delete process.execve']] as const) {
  test(`the end of the shell that npm put above us is a SIGTERM (${way})`, { skip: process.platform === 'win32' }, async (t) => {
    const root = await checkout(t, `const { writeFileSync } = await import('node:fs'); process.on('SIGTERM', () => { writeFileSync('stopped', ''); process.exit(0) }); setInterval(() => {}, 1000); console.log('up', process.pid)`)
    await writeFile(join(root, 'hide.cjs'), hide)
    const line = argv(root, 'cli').map((word) => `'${word}'`).join(' ')
    const shell = await startProcess(t, ['/bin/sh', '-c', `${line}; exit $?`], { env: { INIT_CWD: root, npm_lifecycle_event: 'certloop', NODE_OPTIONS: `--require ${join(root, 'hide.cjs')}` } })
    const [, pid] = await shell.waitFor(/up (\d+)/)
    t.after(() => { try { process.kill(Number(pid), 'SIGKILL') } catch { /* gone, as it should be */ } })
    shell.kill('SIGTERM')
    await eventually(() => stat(join(root, 'stopped')), { what: 'the end of the command' })
  })
}

test('SIGTERM while npm installs ends npm and leaves no lock', async (t) => {
  const root = await checkout(t, '')
  const slowNpm = join(root, 'npm-cli.js')
  await writeFile(slowNpm, `require('node:fs').writeFileSync('npm.pid', String(process.pid)); setInterval(() => {}, 1000)`)
  const running = await startProcess(t, argv(root, 'cli'), { env: { npm_execpath: slowNpm, npm_node_execpath: process.execPath } })
  const pid = await eventually(async () => Number(await readFile(join(root, 'npm.pid'), 'utf8')) || undefined)
  running.kill('SIGTERM')
  assert.equal((await running.ended).code, 143)
  await eventually(() => { try { process.kill(pid, 0); return false } catch { return true } }, { what: 'the end of npm' })
  await assert.rejects(stat(join(root, '.tmp/install.lock')), /ENOENT/)
})

test('which packages of a lock belong on a platform', () => {
  assert.equal(belongsHere({ os: ['linux'], cpu: ['x64'], optional: true }, { os: 'linux', cpu: 'x64', libc: 'glibc' }), true)
  assert.equal(belongsHere({ os: 'linux', cpu: 'x64', optional: true }, { os: 'linux', cpu: 'arm64', libc: 'glibc' }), false)
  assert.equal(belongsHere({ os: ['!win32'], optional: true }, { os: 'darwin', cpu: 'arm64' }), true)
  assert.equal(belongsHere({ os: ['!win32'], optional: true }, { os: 'win32', cpu: 'x64' }), false)
  assert.equal(belongsHere({ os: 'linux', libc: ['musl'], optional: true }, { os: 'linux', cpu: 'x64', libc: 'glibc' }), false)
  assert.equal(belongsHere({ os: 'linux', libc: ['glibc'], optional: true }, { os: 'linux', cpu: 'x64', libc: 'glibc' }), true)
  assert.equal(belongsHere({ optional: true }, { os: 'linux', cpu: 'x64', libc: 'glibc' }), false)
  assert.equal(belongsHere({ link: true }, { os: 'linux', cpu: 'x64', libc: 'glibc' }), false)
  assert.equal(belongsHere({}, { os: 'linux', cpu: 'x64', libc: 'glibc' }), true)
})

test('packages are missing when absent or of another version', () => {
  const lock = { packages: { '': {}, 'apps/bot': {}, 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '1.0.0' }, 'node_modules/c': { version: '2.0.0' } } }
  const installed = { packages: { 'node_modules/a': { version: '1.0.0' }, 'node_modules/c': { version: '1.0.0' } } }
  assert.deepEqual(missingPackages(lock, installed, { os: 'linux', cpu: 'x64', libc: 'glibc' }), ['node_modules/b', 'node_modules/c'])
})
