import { spawn } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '../..')

/** One gate of `npm run check`. */
export interface Check {
  name: string
  /** @returns one text for each thing wrong, ready to be read; none when all is well. `write`: mend generated files instead. */
  run(options: { write: boolean }): Promise<string[]>
}

/** Runs a tool of node_modules with this Node. @returns what it said when it failed, else nothing */
export async function runTool(script: string, ...args: string[]): Promise<string[]> {
  const child = spawn(process.execPath, [join(root, 'node_modules', script), ...args], { cwd: root, env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined }, stdio: ['ignore', 'pipe', 'pipe'] })
  const said: Buffer[] = []
  child.stdout.on('data', (data: Buffer) => said.push(data))
  child.stderr.on('data', (data: Buffer) => said.push(data))
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code === 0) return []
  return [Buffer.concat(said).toString('utf8').trim() || `${script} ended with exit code ${code} and said nothing`]
}

/** Neither ours nor part of the tree: installed, built, or data of a running Certloop. */
const outside = new Set(['node_modules', 'dist', '.git', '.tmp', 'data'])

/** Paths of files below the root, sorted, with "/". */
export function files(pattern: string): string[] {
  return globSync(pattern, { cwd: root, withFileTypes: true, exclude: (entry) => outside.has(entry.name) })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1).replaceAll('\\', '/'))
    .toSorted()
}

export const read = (path: string): string => readFileSync(join(root, path), 'utf8')
