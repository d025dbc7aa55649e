// npm run bench -- pki: what packages/pki and the built-in CA cost, as ratios to a peer measured in the same run on one core.
//
// To add a part: a file here that exports one function giving lines (Part['run']), and one entry in `parts` below.
// - Measure with sideBySide(): our work and its peer in turn, repeated; it gives medians. Make lines with atMost,
//   atLeast or within (side-by-side.ts). Give the line also when it misses its aim: the figures are the point.
// - Prepare everything outside the measured functions, and let nothing be reused that a real caller would do each time.
// - This process runs on one core, and so does every process it starts; threads of node:crypto share that core.
// - `cleanup` takes what has to be stopped or removed; it is done after the part, also when the part throws.
// - Aim below twenty seconds for a part; parts with a million rows take a minute of processor time.
import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { measureBulk } from './bulk.ts'
import { measureCrl } from './crl.ts'
import { measureCrlDatabase } from './crl-database.ts'
import { measureIssuing } from './issuing.ts'
import { measureLedgerIssuing } from './ledger-issuing.ts'
import { measureOcspFormat } from './ocsp-format.ts'
import { measureOcspHttp } from './ocsp-http.ts'
import { measureParsing } from './parsing.ts'
import { describeLines } from './report.ts'
import { measureRevoking } from './revoking.ts'
import type { Line } from './side-by-side.ts'

export type Cleanup = (work: () => unknown) => void
interface Part { name: string; run: (cleanup: Cleanup) => Promise<Line[]> }

const parts: readonly Part[] = [
  { name: 'parsing', run: measureParsing },
  { name: 'bulk', run: measureBulk },
  { name: 'issuing', run: measureIssuing },
  { name: 'crl', run: (cleanup) => measureCrl(cleanup) },
  { name: 'ledger-issuing', run: (cleanup) => measureLedgerIssuing(cleanup) },
  { name: 'revoking', run: (cleanup) => measureRevoking(cleanup) },
  { name: 'crl-database', run: (cleanup) => measureCrlDatabase(cleanup) },
  { name: 'ocsp-format', run: measureOcspFormat },
  { name: 'ocsp-http', run: (cleanup) => measureOcspHttp(cleanup) },
]

const help = `Usage: npm run bench -- pki [PART…] [--json] [--enforce]
  PART        ${parts.map(({ name }) => name).join(', ')}; default all
  --json      the lines as JSON
  --enforce   exit code 1 when a line misses its aim
`

/** Puts this process, with all its threads and children to come, on the last core. @returns what to say about it */
function stayOnOneCore(): string {
  const core = cpus().length - 1
  for (let attempt = 1; ; attempt++) {
    try {
      execFileSync('taskset', ['-a', '-c', '-p', String(core), String(process.pid)], { stdio: ['ignore', 'ignore', 'pipe'] })
      return `on core ${core} alone`
    } catch (error) {
      // A thread that ends while taskset goes through them makes it fail.
      if (attempt === 5) return `on all cores, since taskset could not be used (${error instanceof Error ? error.message.split('\n')[0] : String(error)})`
    }
  }
}

async function runPart(part: Part): Promise<Line[]> {
  const works: (() => unknown)[] = []
  try {
    return await part.run((work) => { works.push(work) })
  } finally {
    for (const work of works.toReversed()) await work()
  }
}

/** @returns the exit code */
export async function runPkiBenchmarks(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, allowPositionals: true, options: { json: { type: 'boolean', default: false }, enforce: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } } })
  const unknown = positionals.find((name) => !parts.some((part) => part.name === name))
  if (values.help || unknown !== undefined) {
    if (unknown !== undefined) process.stderr.write(`certloop: there is no part "${unknown}".\n`)
    process[unknown === undefined ? 'stdout' : 'stderr'].write(help)
    return unknown === undefined ? 0 : 1
  }
  const where = stayOnOneCore()
  const lines: Line[] = []
  if (!values.json) process.stdout.write(`PKI, Node ${process.versions.node}, ${where}\n`)
  for (const part of parts.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
    const found = await runPart(part)
    if (!values.json) process.stdout.write(describeLines(part.name, found))
    lines.push(...found)
  }
  const pass = lines.every((line) => line.pass)
  if (values.json) process.stdout.write(`${JSON.stringify({ node: process.versions.node, where, lines, pass }, null, 2)}\n`)
  return values.enforce && !pass ? 1 : 0
}
