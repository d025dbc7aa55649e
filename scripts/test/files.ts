import { globSync } from 'node:fs'

const pattern = '{apps,packages,plugins,tests,benchmarks,scripts}/**/*.test.ts'
const isOutside = (name: string) => name === 'node_modules' || name === 'dist'

/**
 * Paths of test files below `root`, sorted, relative to it.
 * @param filters parts of paths; with none every file, else those that hold at least one of them
 */
export function testFiles(root: string, filters: readonly string[]): string[] {
  return globSync(pattern, { cwd: root, exclude: (path) => isOutside(path.split('/').at(-1) ?? '') })
    .filter((path) => filters.length === 0 || filters.some((part) => path.includes(part)))
    .toSorted()
}
