// npm run bench: how long a rotation takes on loopback nginx and where the time goes; memory, cold start, issue rate.
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { nginxPath, tools } from '@certloop/test-kit'
import { measureAuthority } from './authority.ts'
import { inCleanFolder } from './clean-folder.ts'
import { followActions, rotate, setUp, type Cleanup, type Stand } from './loop.ts'
import { split, type Recording } from './parts.ts'
import { measureColdStart, measureIdle, measureNginx } from './processes.ts'
import { describe, limitMs, type Figures } from './report.ts'
import { median } from './statistics.ts'

const help = `Usage: npm run bench [-- --rotations N] [--json] [--enforce]
       npm run bench -- pki [--help]     keys, certificates and lists; ratios to a peer
       npm run bench -- batch [--help]   many certificates at once
  --rotations N   how many are measured, 1 to 200; default 30
  --idle N        seconds before memory is looked at, 0 to 30; default 10
  --json          the figures as JSON, with every rotation
  --enforce       exit code 1 when our own share is above ${limitMs} ms, or the overhead of a batch grows
  --no-batches    without the batches that follow; with --json there are none
Needs nginx. Takes a minute, at most two; the batches take some minutes more.
`
const warmUps = 3
/** After this time no further rotation is begun. */
const rotationsMs = 60_000
/** After this time the run is given up. */
const wholeMs = 115_000

interface Options { rotations: number; idleSeconds: number; json: boolean; enforce: boolean; batches: boolean }

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < least || value > most) throw new Error(`--${name} takes a whole number from ${least} to ${most}, not "${text}"`)
  return value
}

/** @throws Error saying which option is wrong */
function readOptions(argv: string[]): Options {
  const { values } = parseArgs({ args: argv, options: {
    rotations: { type: 'string', default: '30' }, idle: { type: 'string', default: '10' }, json: { type: 'boolean', default: false }, enforce: { type: 'boolean', default: false }, 'no-batches': { type: 'boolean', default: false },
  } })
  return { rotations: wholeNumber('rotations', values.rotations, 1, 200), idleSeconds: wholeNumber('idle', values.idle, 0, 30), json: values.json, enforce: values.enforce, batches: !values.json && !values['no-batches'] }
}

async function rotateManyTimes(stand: Stand, count: number): Promise<Recording[]> {
  const actions = followActions(stand.plane)
  try {
    for (let i = 0; i < warmUps; i++) await rotate(stand, actions.ended)
    const end = performance.now() + rotationsMs
    const recordings: Recording[] = []
    while (recordings.length < count && performance.now() < end) recordings.push(await rotate(stand, actions.ended))
    return recordings
  } finally {
    actions.close()
  }
}

async function measure(cleanup: Cleanup, folder: string, { rotations, idleSeconds }: Options): Promise<Figures> {
  const load = loadavg()[0] ?? Number.NaN
  const stand = await setUp(cleanup, folder)
  const idle = await measureIdle(stand, idleSeconds)
  const recordings = await rotateManyTimes(stand, rotations)
  const authority = await measureAuthority(folder)
  const splits = recordings.map((recording) => split(recording, authority.issueMs))
  const nginx = await measureNginx(cleanup, stand)
  const coldStart = await measureColdStart(cleanup, stand)
  return { load, asked: rotations, splits, ownMs: median(splits.map(({ own }) => own)), idleSeconds, idle, authority, nginx, coldStart }
}

async function runBatches(argv: string[]): Promise<number> {
  const { runBatchBenchmark } = await import('./batch/index.ts')
  return runBatchBenchmark(argv)
}

const runBatchesAfter = async ({ batches, enforce }: Options): Promise<number> => (batches ? runBatches(enforce ? ['--enforce'] : []) : 0)

async function main(argv: string[]): Promise<number> {
  if (argv[0] === 'pki') {
    const { runPkiBenchmarks } = await import('./pki/index.ts')
    return runPkiBenchmarks(argv.slice(1))
  }
  if (argv[0] === 'batch') return runBatches(argv.slice(1))
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(help)
    return 0
  }
  let options: Options
  try {
    options = readOptions(argv)
  } catch (error) {
    process.stderr.write(`certloop: ${error instanceof Error ? error.message : String(error)}\n${help}`)
    return 1
  }
  if (nginxPath() === undefined) {
    process.stderr.write(`certloop: the benchmark needs nginx (Debian package ${tools.nginx.package}).\n`)
    return 1
  }
  const figures = await inCleanFolder((cleanup, folder) => measure(cleanup, folder, options), wholeMs)
  process.stdout.write(options.json ? `${JSON.stringify({ ...figures, limitMs, pass: figures.ownMs <= limitMs }, null, 2)}\n` : describe(figures))
  const isTooSlow = options.enforce && figures.ownMs > limitMs
  return Math.max(Number(isTooSlow), await runBatchesAfter(options))
}

process.exit(await main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`certloop: the benchmark broke off: ${error instanceof Error ? error.stack ?? error.message : String(error)}\n`)
  return 1
}))
