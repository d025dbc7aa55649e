import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const stampPath = (root) => join(root, 'node_modules', '.certloop-installed')
const stampText = (root) => {
  const digest = createHash('sha256').update(readFileSync(join(root, 'package-lock.json'))).digest('hex')
  return `${digest} ${process.platform}-${process.arch}\n`
}

/** Remembers that node_modules holds what package-lock.json names, for this platform. */
export function writeStamp(root) {
  mkdirSync(join(root, 'node_modules'), { recursive: true })
  writeFileSync(stampPath(root), stampText(root))
}

/** os and cpu of a package: a name or a list; "!name" excludes. */
function allows(names, value) {
  const list = names === undefined ? [] : [names].flat()
  const wanted = list.filter((name) => !name.startsWith('!'))
  return !list.includes(`!${value}`) && (wanted.length === 0 || wanted.includes(value))
}

/** @typedef {{ os: string, cpu: string, libc: string | undefined }} Platform libc on Linux: glibc or musl */

/** The platform we run on. */
export function thisPlatform() {
  const libc = process.platform === 'linux' ? (process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl') : undefined
  return { os: process.platform, cpu: process.arch, libc }
}

/**
 * True when a package of the lock must be there on this platform. Of the optional ones only those that name the
 * platform: others hang on packages for somewhere else.
 */
export function belongsHere(entry, platform) {
  if (entry.link) return false
  if (entry.optional && !(entry.os || entry.cpu)) return false
  return allows(entry.os, platform.os) && allows(entry.cpu, platform.cpu) && (platform.libc === undefined || allows(entry.libc, platform.libc))
}

/** Places of packages that the lock names for this platform and that are not installed in that version. */
export function missingPackages(lock, installed, platform) {
  return Object.entries(lock.packages)
    .filter(([place, entry]) => place.startsWith('node_modules/') && belongsHere(entry, platform))
    .filter(([place, entry]) => installed.packages?.[place]?.version !== entry.version)
    .map(([place]) => place)
}

/**
 * True when nothing has to be installed: the stamp fits the lock, or somebody ran npm by hand and npm's own
 * record of node_modules fits it (then the stamp is written).
 */
export function isInstalled(root) {
  if (existsSync(stampPath(root)) && readFileSync(stampPath(root), 'utf8') === stampText(root)) return true
  const record = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(record)) return false
  const read = (path) => JSON.parse(readFileSync(path, 'utf8'))
  if (missingPackages(read(join(root, 'package-lock.json')), read(record), thisPlatform()).length > 0) return false
  writeStamp(root)
  return true
}
