import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { access, readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import type { ControlPlane } from './control-plane.ts'
import { announceBot } from './bot/join.ts'

const botMain = fileURLToPath(new URL('../../bot/src/main.ts', import.meta.url))
const restartMs = 2_000
/** A deployment under way may end; one cut off is brought to its end by its journal at the next start. */
const stopMs = 60_000

/** The bot of this machine as a process of its own. The control plane only knows its program, not its code. */
export interface OwnBot {
  /** True when it joined at this start. */
  isNew: boolean
  stop(): Promise<void>
}

function run(args: string[], logger: Logger, input?: string): ChildProcess {
  // The bot has no business with the secrets of the control plane.
  const { CERTLOOP_MASTER_KEY: _key, DATABASE_URL: _url, ...env } = process.env
  const child = spawn(process.execPath, [botMain, ...args], { env, stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'pipe'] })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => { for (const line of text.split('\n')) if (line) logger[/"level":"(warn|error)"/.test(line) ? 'warn' : 'debug']({ bot: line }, 'own bot') })
  if (input !== undefined) child.stdin?.end(input)
  return child
}

/** @returns false when it had joined before */
async function joinOnce(plane: ControlPlane, folder: string, logger: Logger): Promise<boolean> {
  try {
    await access(`${folder}/identity.json`)
    return false
  } catch { /* not joined yet */ }
  const made = await announceBot({ ...plane.joinDeps, publicUrl: () => plane.loopbackUrl }, { name: hostname(), requester: 'first start' })
  const child = run(['join', '-', '--data', folder], logger, made.joinToken)
  const [code] = await once(child, 'exit') as [number | null]
  if (code !== 0) throw new Error(`the bot of this machine could not join (exit code ${code})`)
  return true
}

/** Joins the bot of this machine at the first start, then keeps it running. A second start finds it joined. */
export async function startOwnBot(plane: ControlPlane, folder: string, logger: Logger): Promise<OwnBot> {
  const isNew = await joinOnce(plane, folder, logger)
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let child: ChildProcess | undefined
  const start = () => {
    const current = child = run(['run', '--data', folder], logger)
    current.once('exit', (code, signal) => {
      if (stopped) return
      if (code === 3) {
        logger.error('the bot of this machine was revoked and is not started again')
        return
      }
      logger.warn({ code, signal }, 'the bot of this machine ended and is started again')
      timer = setTimeout(start, restartMs)
    })
  }
  start()
  return {
    isNew,
    async stop() {
      stopped = true
      clearTimeout(timer)
      if (!child || child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      const hard = setTimeout(() => child?.kill('SIGKILL'), stopMs)
      await gone
      clearTimeout(hard)
    },
  }
}

/** Version of this product, from its package file. */
export async function readVersion(): Promise<string> {
  const text = await readFile(new URL('../../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
