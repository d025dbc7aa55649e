// npm run check: every check; all failures are shown. `-- --write` makes the generated pages anew.
import { type Check } from './checks/check.ts'
import { dependencies } from './checks/dependencies.ts'
import { docs } from './checks/docs.ts'
import { links } from './checks/links.ts'
import { plugins } from './checks/plugins.ts'
import { lint, types, unused } from './checks/tools.ts'
import { words } from './checks/words.ts'

/** docs first: with --write it mends what others look at. */
const checks: readonly Check[] = [docs, plugins, dependencies, words, links, types, lint, unused]

/** @returns whether all is well */
async function runOne(check: Check, write: boolean): Promise<boolean> {
  const start = performance.now()
  const problems = await check.run({ write }).catch((error: unknown) => [error instanceof Error ? error.stack ?? error.message : String(error)])
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`${problems.length === 0 ? '✔' : '✖'} ${check.name} (${seconds} s)`)
  for (const problem of problems) console.log(problem.replaceAll(/^/gm, '    '))
  return problems.length === 0
}

const [flag, ...rest] = process.argv.slice(2)
if (rest.length > 0 || (flag !== undefined && flag !== '--write')) {
  console.error(`certloop: check takes --write or nothing, not "${[flag, ...rest].join(' ')}"`)
  process.exit(1)
}
const failed: string[] = []
for (const check of checks) if (!(await runOne(check, flag === '--write'))) failed.push(check.name)
if (failed.length > 0) {
  console.error(`certloop: ${failed.length} of ${checks.length} checks failed: ${failed.join('; ')}`)
  process.exitCode = 1
}
