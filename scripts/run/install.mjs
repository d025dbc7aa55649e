import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isInstalled, writeStamp } from './installed.mjs'
import { withLock } from './lock.mjs'
import { installFromLock } from './npm.mjs'
import { isNodeInPlace } from './pinned-node.mjs'
import { say, UserError } from './words.mjs'

const runsFromNodeModules = (root) => process.execPath.startsWith(join(root, 'node_modules'))

async function install(root) {
  if (isInstalled(root) && isNodeInPlace(root)) return // another start did it while we waited
  say('installing what package-lock.json names (only when it changed; this can take a minute) …')
  await installFromLock(root)
  writeStamp(root)
}

/** Brings node_modules to what package-lock.json says. @throws UserError in plain words when that fails */
export async function installWhatIsMissing(root) {
  if (!existsSync(join(root, 'package-lock.json'))) {
    throw new UserError('package-lock.json is missing, so it is unknown what to install. Restore it: git checkout -- package-lock.json')
  }
  if (isInstalled(root) && isNodeInPlace(root)) return
  if (process.platform === 'win32' && runsFromNodeModules(root)) {
    throw new UserError('dependencies changed, and Windows can not replace the Node that is running now. Run: npm ci --ignore-scripts')
  }
  await withLock(root, 'install', () => say('waiting for another start to finish installing …'), () => install(root))
}
