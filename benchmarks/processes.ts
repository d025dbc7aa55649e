import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort, startProcess, type TestProcess } from '@certloop/test-kit'
import type { Cleanup, Stand } from './loop.ts'

/** Resident memory of a process, in MB (10^6 bytes). */
export function residentMegabytes(pid: number): number {
  const kibibytes = process.platform === 'linux'
    ? /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }).trim()
  return Number(kibibytes) * 1024 / 1e6
}

/** User and system time of a process so far, in ms; NaN where the system has no /proc. */
export function cpuMs(pid: number): number {
  if (process.platform !== 'linux') return Number.NaN
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10 // ticks of a hundredth of a second
}

export interface Idle { planeMb: number; botMb: number; planeCpuMs: number; botCpuMs: number }

/** Leaves both alone for some seconds, then looks at their memory and at the time they used meanwhile. */
export async function measureIdle({ plane, bot }: Stand, seconds: number): Promise<Idle> {
  const pids = [plane.process().pid, bot.process().pid] as const
  const before = pids.map(cpuMs)
  await pause(seconds * 1000)
  const [planeCpuMs = Number.NaN, botCpuMs = Number.NaN] = pids.map((pid, i) => cpuMs(pid) - (before[i] ?? Number.NaN))
  return { planeMb: residentMegabytes(pids[0]), botMb: residentMegabytes(pids[1]), planeCpuMs, botCpuMs }
}

/** Milliseconds from the start of a program to the first output that matches. */
async function timeTo(child: () => Promise<TestProcess>, pattern: RegExp): Promise<{ ms: number; process: TestProcess }> {
  const start = performance.now()
  const process = await child()
  const ms = await new Promise<number>((resolve, reject) => {
    const look = () => { if (pattern.test(process.output())) resolve(performance.now() - start) }
    for (const stream of [process.child.stdout, process.child.stderr]) stream?.on('data', look)
    void process.ended.then(() => { reject(new Error(`it ended before it was ready: ${process.output()}`)) })
  })
  return { ms, process }
}

export interface ColdStart { planeFirstMs: number; planeMs: number; botMs: number }

const planeMain = fileURLToPath(new URL('../apps/control-plane/src/main.ts', import.meta.url))
const botMain = fileURLToPath(new URL('../apps/bot/src/main.ts', import.meta.url))

/** From the start of the process until the control plane takes calls (on an empty folder, and again), and until the bot has said hello. */
export async function measureColdStart(cleanup: Cleanup, { bot, plane, folder }: Stand): Promise<ColdStart> {
  const argv = [process.execPath, planeMain, '--no-bot', '--data', `${folder}/cold`, '--port', String(await freePort())] as const
  const env = { DATABASE_URL: '', CERTLOOP_MASTER_KEY: '', CERTLOOP_LOG_LEVEL: 'warn' }
  const startPlane = async () => {
    const { ms, process } = await timeTo(() => startProcess(cleanup, [...argv], { env }), /Certloop runs at/)
    process.kill('SIGTERM')
    await process.ended
    return ms
  }
  const planeFirstMs = await startPlane()
  const planeMs = await startPlane()
  await bot.kill('SIGTERM')
  const { ms: botMs } = await timeTo(() => startProcess(cleanup, [process.execPath, botMain, 'run', '--data', bot.dataFolder]), /Connected to the control plane/)
  if (plane.process().child.exitCode !== null) throw new Error('the control plane ended meanwhile')
  return { planeFirstMs, planeMs, botMs }
}

/** Median time of nginx's own commands when they are run alone, in ms: what no plan or test can do without. */
export async function measureNginx(cleanup: Cleanup, { nginx }: Stand, times = 9): Promise<{ version: number; dump: number; test: number }> {
  const place = ['-c', nginx.configPath, '-p', nginx.prefix]
  const run = async (...args: string[]) => {
    const all: number[] = []
    for (let i = 0; i < times; i++) {
      const start = performance.now()
      await (await startProcess(cleanup, [nginx.program, ...args])).ended
      all.push(performance.now() - start)
    }
    return all.toSorted((a, b) => a - b)[Math.floor(times / 2)] ?? Number.NaN
  }
  return { version: await run('-V'), dump: await run('-T', ...place), test: await run('-t', '-q', ...place) }
}
