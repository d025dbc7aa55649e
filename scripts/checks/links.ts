import { existsSync } from 'node:fs'
import { join, posix } from 'node:path'
import { files, read, root, type Check } from './check.ts'

/** Relative link targets of a Markdown text, without their #anchors; code blocks are left out. */
export function linkTargets(markdown: string): string[] {
  const prose = markdown.replaceAll(/^```.*?^```/gms, '').replaceAll(/`[^`\n]*`/g, '')
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => (target ?? '').split('#')[0] ?? '')
  return targets.filter((target) => target !== '' && !/^[a-z]+:/.test(target))
}

export const links: Check = {
  name: 'links between pages lead somewhere',
  run: async () => files('{*.md,{docs,apps,packages,plugins,benchmarks,tests}/**/*.md}').flatMap((path) =>
    linkTargets(read(path))
      .filter((target) => !existsSync(join(root, posix.join(posix.dirname(path), target))))
      .map((target) => `${path} links to ${target}, which is not there`)),
}
