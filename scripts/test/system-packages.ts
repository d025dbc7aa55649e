import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findTool, tools, type Tool, unpackedPackages } from '../../packages/test-kit/src/tools.ts'
import { withLock } from '../run/lock.mjs'
import { say } from './words.ts'

const all = Object.keys(tools) as Tool[]
const missing = () => all.filter((tool) => findTool(tool) === undefined)
const policy = '/usr/sbin/policy-rc.d'
const kept = `${policy}.before-certloop`

/** Debian asks this program before a package may start its service; 101 says no. */
const refusal = '#!/bin/sh\nexit 101\n'

const isRefusing = () => existsSync(policy) && spawnSync(policy, ['any', 'start'], { stdio: 'ignore' }).status === 101

/** Runs `work` while no package may start a service; what was there before is put back on every way out. */
function withoutStartingServices(work: () => void): void {
  if (isRefusing()) return work()
  const hadOne = existsSync(policy)
  if (hadOne) renameSync(policy, kept)
  const restore = () => {
    if (hadOne && existsSync(kept)) renameSync(kept, policy)
    else if (!hadOne) rmSync(policy, { force: true })
  }
  process.once('exit', restore)
  try {
    writeFileSync(policy, refusal, { mode: 0o755 })
    work()
  } finally {
    restore()
    process.off('exit', restore)
  }
}

const apt = (...args: string[]) => ran(['apt-get', '-q', '-y', '-o', 'DPkg::Lock::Timeout=300', ...args], `apt-get ${args[0]}`)

function ran([program = '', ...args]: readonly string[], what: string, cwd?: string): boolean {
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status, stdout, stderr } = spawnSync(program, args, { ...(cwd === undefined ? {} : { cwd }), encoding: 'utf8', env: environment, stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 << 20 })
  if (status !== 0) say(`${what} failed:\n${(stdout + stderr).trim().split('\n').slice(-15).join('\n')}`)
  return status === 0
}

/** Lays the files of a package down without installing it. */
function unpack(name: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'certloop-package-'))
  chmodSync(folder, 0o777) // apt fetches with an account of its own
  try {
    if (!ran(['apt-get', '-q', 'download', name], `apt-get download ${name}`, folder)) return
    const target = join(unpackedPackages, name)
    mkdirSync(target, { recursive: true, mode: 0o755 })
    for (const file of readdirSync(folder)) ran(['dpkg-deb', '-x', join(folder, file), target], `dpkg-deb -x ${file}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const mayInstall = () => process.getuid?.() === 0 && spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status === 0

/**
 * Installs the Debian packages that tests need, where we may (root and apt), one by one so that one that fails
 * takes no other with it. No service is started by that.
 * @returns programs still missing
 */
export async function installSystemPackages(): Promise<Tool[]> {
  if (missing().length === 0 || !mayInstall()) return missing()
  await withLock(join(import.meta.dirname, '../..'), 'packages', () => say('waiting for another run to install packages …'), async () => install(missing()))
  return missing()
}

function install(wanted: readonly Tool[]): void {
  const packages = [...new Map(wanted.map((tool) => [tools[tool].package, 'unpacked' in tools[tool]]))]
  if (packages.length === 0) return // another run did it while we waited
  say(`installing the Debian packages ${packages.map(([name]) => name).join(', ')} …`)
  withoutStartingServices(() => {
    apt('update')
    for (const [name, unpacked] of packages) {
      if (unpacked) unpack(name)
      else apt('install', '--no-install-recommends', name)
    }
  })
}

/** One line for each missing program: the package to install and the tests left out without it. */
export function describeMissing(tool: Tool): string {
  const { package: name, without } = tools[tool]
  return `${tool} is not installed (Debian package ${name}): ${without} are left out`
}
