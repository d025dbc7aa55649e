import { spawnSync } from 'node:child_process'
import { existsSync, globSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { withLock } from './run/lock.mjs'

const root = join(import.meta.dirname, '..')
const web = join(root, 'apps/web')
const built = join(web, 'dist/index.html')
/** What the built pages are made of. */
const sources = ['apps/web/{src,public}/**', 'apps/web/*.*', 'packages/{contract,api-client}/src/**', 'package-lock.json']

const say = (text: string) => process.stderr.write(`certloop: ${text}\n`)
const isTest = (path: string) => /\.test\.tsx?$/.test(path)
const changedAt = (path: string) => statSync(join(root, path)).mtimeMs

function isCurrent(): boolean {
  if (!existsSync(built)) return false
  const builtAt = statSync(built).mtimeMs
  return globSync(sources, { cwd: root }).filter((path) => !isTest(path)).every((path) => changedAt(path) <= builtAt)
}

function build(): void {
  say('building the pages …')
  const vite = join(root, 'node_modules/vite/bin/vite.js')
  const { status, stdout, stderr } = spawnSync(process.execPath, [vite, 'build', '--logLevel', 'warn'], { cwd: web, encoding: 'utf8' })
  if (status !== 0) throw new Error(`the pages can not be built. vite said:\n${stdout}${stderr}`)
}

/**
 * Builds apps/web/dist when it is missing or older than its sources; two callers at once build once.
 * @returns false when this checkout has no pages to build
 */
export async function buildPages(): Promise<boolean> {
  if (!existsSync(join(web, 'index.html'))) {
    say('the sources of the pages are not in this checkout; going on without pages')
    return false
  }
  if (isCurrent()) return true
  await withLock(root, 'pages', () => say('waiting for another start to build the pages …'), async () => {
    if (!isCurrent()) build()
  })
  return true
}

if (import.meta.main) {
  await buildPages().catch((error: unknown) => {
    say(error instanceof Error ? error.message : String(error))
    process.exitCode = 1
  })
}
