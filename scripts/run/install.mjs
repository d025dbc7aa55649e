import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isInstalled, writeStamp } from './installed.mjs'
import { withLock } from './lock.mjs'
import { isNodeInPlace } from './pinned-node.mjs'
import { say, UserError } from './words.mjs'

const npmArguments = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--include=dev', '--include=optional', '--no-engine-strict', '--loglevel=error']

/** The npm that called us, under the Node it runs on: ours may lie in the node_modules that npm is about to replace. */
function npmCommand() {
  const { npm_execpath: npm, npm_node_execpath: node } = process.env
  if (npm && /npm(-cli)?\.[cm]?js$/.test(npm)) return { program: node || process.execPath, args: [npm], shell: false }
  return { program: 'npm', args: [], shell: process.platform === 'win32' }
}

const runsFromNodeModules = (root) => process.execPath.startsWith(join(root, 'node_modules'))

/** Runs npm to its end. @returns its exit code (null: ended by a signal) and all it said */
function runNpm(root) {
  const { program, args, shell } = npmCommand()
  const child = spawn(program, [...args, ...npmArguments], { cwd: root, shell, stdio: ['ignore', 'pipe', 'pipe'] })
  const said = []
  child.stdout.on('data', (data) => said.push(data))
  child.stderr.on('data', (data) => said.push(data))
  const stop = (signal) => {
    child.kill(signal)
    process.exit(signal === 'SIGINT' ? 130 : 143) // the lock is released on exit
  }
  process.once('SIGINT', stop).once('SIGTERM', stop)
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new UserError(`npm can't be started (${error.message}). Call this through npm, for example: npm start`)))
    child.once('close', (code) => {
      process.off('SIGINT', stop).off('SIGTERM', stop)
      resolve({ code, output: Buffer.concat(said).toString('utf8').trim() })
    })
  })
}

async function install(root) {
  if (isInstalled(root) && isNodeInPlace(root)) return // another start did it while we waited
  say('installing what package-lock.json names (only when it changed; this can take a minute) …')
  const { code, output } = await runNpm(root)
  if (code !== 0) {
    throw new UserError(`npm could not install the dependencies. It said:\n${output}\nMend what it names (is the package registry reachable?), then repeat the command.`)
  }
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
