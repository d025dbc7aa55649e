import type { AuthorityFigures } from '../authority.ts'
import { phaseNames, type Phase } from './phases.ts'
import type { RealFigures } from './real.ts'
import type { SimulatedFigures } from './simulated.ts'
import type { SqlGroup, SqlTime } from '../sqlite-time.ts'

/** How much more our own overhead per certificate may be in the largest batch than in the smallest. */
export const limitRatio = 1.5

export interface BatchFigures { load: number; authority: AuthorityFigures; real: readonly RealFigures[]; simulated: readonly SimulatedFigures[] }

/** Overhead of the largest batch to that of the smallest; undefined when there is only one size. */
function growth(simulated: readonly SimulatedFigures[]): { small: SimulatedFigures; large: SimulatedFigures; ratio: number } | undefined {
  const [small, ...others] = simulated.toSorted((a, b) => a.count - b.count)
  const large = others.at(-1)
  return small && large ? { small, large, ratio: large.cpu / small.cpu } : undefined
}
export const isFlat = (simulated: readonly SimulatedFigures[]): boolean => (growth(simulated)?.ratio ?? 1) <= limitRatio

const cell = (value: number, digits = 1) => value.toFixed(digits).padStart(10)
const row = (title: string, cells: readonly string[]) => `  ${title.padEnd(58)}${cells.join('')}`
const sqlTitles: Record<SqlGroup, string> = { commit: 'commits', queue: 'the queue of tasks', dispatcher: 'the rows of the batch', authority: 'the rows of the CA', rest: 'everything else' }
const sqlRows = (figures: readonly { sql: SqlTime }[], digits: number) => (Object.keys(sqlTitles) as SqlGroup[]).map((group) => row(`    ${sqlTitles[group]}`, figures.map(({ sql }) => cell(sql.byGroup[group], digits))))

function realLines({ real, authority }: BatchFigures): string[] {
  if (real.length === 0) return []
  const heads = real.map(({ count }) => String(count).padStart(10))
  return [
    `Batches of rotations through ${real[0]?.bots} real bots on this machine (files, a command, built-in CA)`,
    row('certificates', heads),
    row('certificates per second', real.map(({ count, wall }) => cell(count / wall * 1000))),
    row('of processor time, per certificate in ms: control plane', real.map(({ planeCpu }) => cell(planeCpu))),
    row('                                          bots', real.map(({ botCpu }) => cell(botCpu))),
    row('one after the other inside SQLite, per certificate in ms', real.map(({ sql }) => cell(sql.ms))),
    ...sqlRows(real, 1),
    row(`the CA signs one in ${authority.issueMs.toFixed(1)} ms, alone; of them per second`, real.map(() => cell(authority.issueRate))),
    '  The way of one certificate, median in ms, waiting for its turn included:',
    ...(Object.keys(phaseNames) as Phase[]).map((phase) => row(`    ${phaseNames[phase].title}`, real.map(({ phases }) => cell(phases.parts[phase].median, 0)))),
    row('    from its start to its end', real.map(({ phases }) => cell(phases.whole.median, 0))),
    row('    of twenty, the slowest took', real.map(({ phases }) => cell(phases.whole.p95, 0))),
    '',
  ]
}

function simulatedLines({ simulated }: BatchFigures): string[] {
  if (simulated.length === 0) return []
  const grown = growth(simulated)
  return [
    'The same with bots that are answered in this process and cost nothing, the database in memory; per certificate',
    row('certificates', simulated.map(({ count }) => String(count).padStart(10))),
    row('our own overhead: processor time in ms', simulated.map(({ cpu }) => cell(cpu, 2))),
    row('  inside SQLite, by the clock', simulated.map(({ sql }) => cell(sql.ms, 2))),
    ...sqlRows(simulated, 2),
    row('statements', simulated.map(({ sql }) => cell(sql.statements, 0))),
    row('tasks of bots', simulated.map(({ tasks }) => cell(tasks, 2))),
    row('certificates per second', simulated.map(({ wall }) => cell(1000 / wall))),
    '',
    ...(grown ? [`${isFlat(simulated) ? 'PASS' : 'FAIL'}: the overhead per certificate in a batch of ${grown.large.count} is ${grown.ratio.toFixed(2)} times that in one of ${grown.small.count}; the limit is ${limitRatio}.`, ''] : []),
  ]
}

/** The whole report as text. */
export const describeBatch = (figures: BatchFigures): string =>
  [...realLines(figures), ...simulatedLines(figures), `Load average of the machine at the start: ${figures.load.toFixed(2)}.`, ''].join('\n')
