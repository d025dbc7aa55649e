import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ownIsEnough, pinnedPackage, programOf } from './pinned-node.mjs'
import { UserError } from './words.mjs'

const npmArguments = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--include=dev', '--include=optional', '--no-engine-strict', '--loglevel=error']

/** The npm that called us, run by the given Node; npm from the path where we were called without it. */
function npmCommand(node) {
  const npm = process.env.npm_execpath
  if (npm && /npm(-cli)?\.[cm]?js$/.test(npm)) return { program: node, args: [npm], shell: false }
  return { program: 'npm', args: [], shell: process.platform === 'win32' }
}

/** Runs `npm ci` in a folder to its end. @throws UserError with all that npm said when it fails */
async function npmCi(folder, node) {
  const { program, args, shell } = npmCommand(node)
  const child = spawn(program, [...args, ...npmArguments], { cwd: folder, shell, stdio: ['ignore', 'pipe', 'pipe'] })
  const said = []
  child.stdout.on('data', (data) => said.push(data))
  child.stderr.on('data', (data) => said.push(data))
  const stop = (signal) => {
    child.kill(signal)
    process.exit(signal === 'SIGINT' ? 130 : 143) // the lock is released on exit
  }
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const code = await new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new UserError(`npm can't be started (${error.message}). Call this through npm, for example: npm start`)))
    child.once('close', resolve)
  })
  process.off('SIGINT', stop).off('SIGTERM', stop)
  if (code === 0) return
  const words = Buffer.concat(said).toString('utf8').trim()
  throw new UserError(`npm could not install the dependencies. It said:\n${words}\nMend what it names (is the package registry reachable?), then repeat the command.`)
}

/** The pinned Node in a folder of its own, in the version and with the checksum of the lock file. */
async function fetchPinnedNode(root, folder, node) {
  const name = pinnedPackage()
  const place = `node_modules/${name}`
  const entry = name && JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages[place]
  if (!entry) return undefined
  const manifest = { name: 'pinned-node', version: '1.0.0', dependencies: { [name]: entry.version } }
  const lock = { ...manifest, lockfileVersion: 3, requires: true, packages: { '': manifest, [place]: { ...entry, optional: undefined } } }
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(lock))
  await npmCi(folder, node)
  return programOf(join(folder, 'node_modules'))
}

/**
 * Installs what the lock file names. npm leaves out packages whose builds its own Node is too old for, although they
 * are to run under ours. So the pinned Node is fetched first, beside node_modules, and runs npm.
 */
export async function installFromLock(root) {
  const isOutside = !process.execPath.startsWith(join(root, 'node_modules'))
  if (ownIsEnough() && isOutside) return npmCi(root, process.execPath)
  const callers = process.env.npm_node_execpath
  const node = callers && existsSync(callers) ? callers : process.execPath
  const folder = join(root, '.tmp', 'node')
  try {
    const newer = await fetchPinnedNode(root, folder, node)
    await npmCi(root, newer ?? node)
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}
