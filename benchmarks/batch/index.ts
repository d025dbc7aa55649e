// npm run bench -- batch: how many certificates a batch rotates per second, where the time goes, and whether our own overhead grows with the size.
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { measureAuthority } from '../authority.ts'
import { inCleanFolder } from '../clean-folder.ts'
import { median } from '../statistics.ts'
import { measureReal, type RealFigures } from './real.ts'
import { describeBatch, isFlat, type BatchFigures } from './report.ts'
import { simulate, type SimulatedFigures } from './simulated.ts'

const help = `Usage: npm run bench -- batch [--real N,N] [--simulated N,N] [--json] [--enforce]
  --real N,N        sizes of the batches through real bots, 1 to 5000 each; default 50,500. none: 0
  --simulated N,N   sizes of those with bots that cost nothing, 1 to 10000; default 50,500,5000. none: 0
  --json            the figures as JSON
  --enforce         exit code 1 when the overhead per certificate grows
Takes some minutes.
`
/** The compiler has seen everything by then, so that small batches are not measured with slower code than large ones. */
const warmUp = 300
/** Small batches are measured so often, and the median counts. */
const timesWhenSmall = 5
const small = 200

function sizes(name: string, text: string, most: number): number[] {
  const values = text.split(',').map(Number)
  if (values.length === 1 && values[0] === 0) return []
  if (!values.every((value) => Number.isInteger(value) && value >= 1 && value <= most)) throw new Error(`--${name} takes whole numbers from 1 to ${most} with commas between, or 0, not "${text}"`)
  return values.toSorted((a, b) => a - b)
}

async function simulateOften(count: number): Promise<SimulatedFigures> {
  const runs: SimulatedFigures[] = []
  for (let i = 0; i < (count <= small ? timesWhenSmall : 1); i++) runs.push(await simulate(count))
  const middle = median(runs.map(({ cpu }) => cpu))
  const [found] = runs.toSorted((a, b) => Math.abs(a.cpu - middle) - Math.abs(b.cpu - middle))
  if (!found) throw new Error('nothing was measured')
  return found
}

export async function runBatchBenchmark(argv: string[]): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(help)
    return 0
  }
  const { values } = parseArgs({ args: argv, options: { real: { type: 'string', default: '50,500' }, simulated: { type: 'string', default: '50,500,5000' }, json: { type: 'boolean', default: false }, enforce: { type: 'boolean', default: false } } })
  const [realSizes, simulatedSizes] = [sizes('real', values.real, 5000), sizes('simulated', values.simulated, 10_000)]
  const figures = await inCleanFolder(async (cleanup, folder): Promise<BatchFigures> => {
    const [load = Number.NaN] = loadavg()
    const authority = await measureAuthority(folder)
    const real: RealFigures[] = []
    for (const count of realSizes) real.push(await measureReal(cleanup, folder, count))
    const simulated: SimulatedFigures[] = []
    if (simulatedSizes.length > 1) await simulate(Math.min(warmUp, simulatedSizes.at(-1) ?? warmUp))
    for (const count of simulatedSizes) simulated.push(await simulateOften(count))
    return { load, authority, real, simulated }
  })
  process.stdout.write(values.json ? `${JSON.stringify({ ...figures, pass: isFlat(figures.simulated) }, null, 2)}\n` : describeBatch(figures))
  return values.enforce && !isFlat(figures.simulated) ? 1 : 0
}
