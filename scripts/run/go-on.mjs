import { spawn, spawnSync } from 'node:child_process'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
const parentLookMs = 500
const fromTerminal = () => Boolean(process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY)

/**
 * npm runs us inside a shell, and passes SIGTERM on to that shell alone: it dies, and nothing reaches us.
 * So the death of our parent counts as SIGTERM.
 */
const isBelowShellOfNpm = () => process.platform !== 'win32' && process.env.npm_lifecycle_event !== undefined

/** Calls `then` once when the process that started us is gone. */
function onParentGone(then) {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    then()
  }, parentLookMs)
  return () => clearInterval(timer)
}

/**
 * Starts a child with our standard streams. A signal for us is passed on to it; not Ctrl-C at a terminal,
 * which the child has got already.
 * @returns its exit code and signal
 */
function runChild(node, args, folder) {
  const child = spawn(node, args, { cwd: folder, stdio: 'inherit' })
  const passOn = (signal) => {
    if (!(signal === 'SIGINT' && fromTerminal())) child.kill(signal)
  }
  for (const signal of signals) process.on(signal, passOn)
  const stopLooking = isBelowShellOfNpm() ? onParentGone(() => child.kill('SIGTERM')) : () => {}
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      stopLooking()
      for (const name of signals) process.off(name, passOn)
      resolve({ code, signal })
    })
  })
}

function endAs({ code, signal }) {
  if (signal) process.kill(process.pid, signal)
  else process.exit(code)
}

/** Runs a script to its end; ends this process in the same way when it fails. */
export async function runToEnd(node, args, folder) {
  const end = await runChild(node, args, folder)
  if (end.code === 0) return
  endAs(end)
  await new Promise(() => {}) // the signal is on its way
}

/** On Linux the kernel can send SIGTERM at the parent's death; then nobody has to stay and look. */
const deathSignal = ['setpriv', '--pdeathsig', 'TERM']
const hasDeathSignal = () => process.platform === 'linux' && spawnSync(deathSignal[0], [...deathSignal.slice(1), 'true'], { stdio: 'ignore' }).status === 0

/** The words to go on with in our own place; undefined where a process can't be replaced or somebody has to stay. */
function wordsInPlace(node, args) {
  if (process.platform === 'win32' || typeof process.execve !== 'function') return undefined
  if (!isBelowShellOfNpm()) return [node, node, ...args]
  return hasDeathSignal() ? ['/usr/bin/env', 'env', ...deathSignal, node, ...args] : undefined
}

/**
 * Goes on as `node args`: in place where that is possible (same pid, so signals and exit code need no passing on),
 * else as a child whose end becomes ours.
 */
export function goOn(node, args, folder) {
  const words = wordsInPlace(node, args)
  if (words) {
    const [program, ...argv] = words
    process.chdir(folder)
    process.execve(program, argv, process.env)
  }
  runChild(node, args, folder).then(endAs, (error) => {
    process.stderr.write(`certloop: ${node} can't be started: ${error.message}\n`)
    process.exit(1)
  })
}
