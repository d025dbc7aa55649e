import { spawn } from 'node:child_process'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
const fromTerminal = () => Boolean(process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY)

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
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
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

/**
 * Goes on as `node args`: in place where the running Node can (same pid, so signals and exit code need no
 * passing on), else as a child whose end becomes ours.
 */
export function goOn(node, args, folder) {
  if (process.platform !== 'win32' && typeof process.execve === 'function') {
    process.chdir(folder)
    process.execve(node, [node, ...args], process.env)
  }
  runChild(node, args, folder).then(endAs, (error) => {
    process.stderr.write(`certloop: ${node} can't be started: ${error.message}\n`)
    process.exit(1)
  })
}
