import { files, read, type Check } from './check.ts'

interface Manifest { dependencies?: Record<string, string>; devDependencies?: Record<string, string>; optionalDependencies?: Record<string, string> }
const page = 'docs/dependencies.md'

/** Names of all outside packages that the given package.json texts ask for. */
export function namesAsked(texts: readonly string[]): Set<string> {
  const names = texts.flatMap((text) => {
    const { dependencies = {}, devDependencies = {}, optionalDependencies = {} } = JSON.parse(text) as Manifest
    return Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
  })
  return new Set(names.filter((name) => !name.startsWith('@certloop/')))
}

/** Names in the first column of the tables of the page, written as `name`; several may share a line. */
export function namesExplained(markdown: string): Set<string> {
  const cells = markdown.split('\n').map((line) => /^\|([^|]*)\|/.exec(line)?.[1] ?? '')
  return new Set(cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? '')))
}

export function problemsOfDependencies(asked: ReadonlySet<string>, explained: ReadonlySet<string>): string[] {
  const unexplained = [...asked].filter((name) => !explained.has(name)).map((name) => `${name} is a dependency without a line in ${page}`)
  const gone = [...explained].filter((name) => !asked.has(name)).map((name) => `${page} explains ${name}, which nothing depends on`)
  return [...unexplained, ...gone]
}

export const dependencies: Check = {
  name: 'dependencies are explained',
  run: async () => problemsOfDependencies(namesAsked(files('{,apps/*/,packages/*/,plugins/*/}package.json').map(read)), namesExplained(read(page))),
}
