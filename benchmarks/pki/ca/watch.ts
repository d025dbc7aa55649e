import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** What a process took meanwhile. turnMs: the most processor time of one turn of its event loop; stopMs: by the clock, other processes included. */
export interface Taken { ms: number; cpuMs: number; turnMs: number; stopMs: number; /** Most memory it ever had, MB (10^6 bytes). */ peakMb: number }

/** The kernel's own record; NaN where there is no /proc. */
function peakMegabytes(): number {
  if (process.platform !== 'linux') return Number.NaN
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024 / 1e6
}

/**
 * Follows this process from now on, until what it gives back is called. With `turns` it looks at each turn of the
 * event loop, and keeps it turning: not while processor time is what counts.
 */
export function watch(turns: boolean): () => Taken {
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  let longest = 0
  let before = process.threadCpuUsage()
  const turn = () => {
    const now = process.threadCpuUsage()
    longest = Math.max(longest, now.user + now.system - before.user - before.system)
    before = now
    timer = setImmediate(turn)
  }
  let timer = turns ? setImmediate(turn) : undefined
  const [begin, cpu] = [performance.now(), process.cpuUsage()]
  return () => {
    clearImmediate(timer)
    loop.disable()
    const { user, system } = process.cpuUsage(cpu)
    return { ms: performance.now() - begin, cpuMs: (user + system) / 1000, turnMs: longest / 1000, stopMs: loop.max / 1e6, peakMb: peakMegabytes() }
  }
}
