import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually } from '@certloop/test-kit'
import { startFleet, type Fleet } from '../../tests/e2e/kit/fleet.ts'
import type { Cleanup } from '../loop.ts'
import { cpuMs } from '../processes.ts'
import { sqlSince, type SqlTime } from '../sqlite-time.ts'
import { readPhases, type Phases } from './phases.ts'

/** A batch over so many through real processes. Times per certificate in ms, except wall: of the whole batch. */
export interface RealFigures { count: number; bots: number; wall: number; planeCpu: number; botCpu: number; sql: SqlTime; phases: Phases }

const program = fileURLToPath(new URL('../measured-plane.ts', import.meta.url))
const botCount = 4

let asked = 0
/** What the control plane says of its time in SQLite. */
async function sqlOf({ plane }: Fleet): Promise<SqlTime> {
  asked++
  const own = plane.process()
  own.kill('SIGUSR2')
  const said = await eventually(() => [...own.stdout().matchAll(/^sqlite (.*) end$/gm)][asked - 1]?.[1], { what: 'the figures of SQLite' })
  return JSON.parse(said) as SqlTime
}

/** Control plane, bots and so many certificates of one folder each; then one batch that rotates all. */
export async function measureReal(cleanup: Cleanup, folder: string, count: number): Promise<RealFigures> {
  const place = join(folder, `batch-${count}`)
  await mkdir(place)
  const fleet = await startFleet(cleanup, place, { count, bots: botCount, plane: { program, arguments: ['--quiet-moments'], env: { DATABASE_URL: '', CERTLOOP_MASTER_KEY: '' } } })
  const { plane, bots, members } = fleet
  asked = 0
  const pids = [plane.process().pid, ...bots.map((bot) => bot.process().pid)]
  const [sql, cpu, began] = [await sqlOf(fleet), pids.map(cpuMs), performance.now()]
  const { id } = await plane.client.call('createBatch', { body: { action: 'rotate', selection: { certificateIds: members.map((m) => m.id) } } })
  const { counts } = await eventually(async () => {
    const batch = await plane.client.call('getBatch', { params: { id } })
    return batch.state === 'done' ? batch : undefined
  }, { what: 'the end of the batch', timeoutMs: 60_000 + count * 2000, intervalMs: 250 })
  if (counts.done !== count) throw new Error(`not all were rotated: ${JSON.stringify(counts)}`)
  const wall = performance.now() - began
  const [planeCpu = Number.NaN, ...botCpu] = pids.map((pid, i) => (cpuMs(pid) - (cpu[i] ?? Number.NaN)) / count)
  const { ms, statements, byGroup } = sqlSince(sql, await sqlOf(fleet))
  const figures = {
    count, bots: botCount, wall, planeCpu, botCpu: botCpu.reduce((a, b) => a + b, 0), phases: readPhases(join(plane.dataFolder, 'certloop.sqlite')),
    sql: { ms: ms / count, statements: statements / count, byGroup: Object.fromEntries(Object.entries(byGroup).map(([group, value]) => [group, value / count])) as SqlTime['byGroup'] },
  }
  // Stopped here, or the next size would be measured beside it.
  await Promise.all([plane.kill('SIGTERM'), ...bots.map((bot) => bot.kill('SIGTERM'))])
  return figures
}
