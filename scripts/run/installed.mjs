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

/**
 * True when a package of the lock must be there on this platform. Of the optional ones only those that name the
 * platform: others hang on packages for somewhere else. Which C library is in use is left to npm.
 */
export function belongsHere(entry, platform, arch) {
  if (entry.link) return false
  if (entry.optional && (entry.libc || !(entry.os || entry.cpu))) return false
  return allows(entry.os, platform) && allows(entry.cpu, arch)
}

/** Places of packages that the lock names for this platform and that are not installed in that version. */
export function missingPackages(lock, installed, platform, arch) {
  return Object.entries(lock.packages)
    .filter(([place, entry]) => place.startsWith('node_modules/') && belongsHere(entry, platform, arch))
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
  if (missingPackages(read(join(root, 'package-lock.json')), read(record), process.platform, process.arch).length > 0) return false
  writeStamp(root)
  return true
}
