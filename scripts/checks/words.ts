import { homedir } from 'node:os'
import { dirname } from 'node:path'
import { files, read, root, type Check } from './check.ts'

export interface BadWord { pattern: RegExp; why: string }

const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
/** A folder that is more than one name deep; "/root" or "/work" alone would be found in honest texts. */
const folder = (path: string): BadWord[] => (path.split('/').filter(Boolean).length > 1 ? [{ pattern: new RegExp(`${escape(path)}(?![\\w-])`), why: 'a path of this machine' }] : [])

/** What belongs to one machine and not in the tree. `registry`: address of the package registry in use, if known. */
export function badWords(machine: { root: string; home: string; registry?: string | undefined }): BadWord[] {
  const registries = ['registry.npmjs.org', machine.registry && URL.canParse(machine.registry) ? new URL(machine.registry).host : '']
  return [
    ...folder(machine.root), ...folder(dirname(machine.root)), ...folder(machine.home),
    ...registries.filter(Boolean).map((host) => ({ pattern: new RegExp(escape(host)), why: 'the host of a package registry' })),
    { pattern: /-----BEGIN (EC |RSA )?PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{64,}/, why: 'a private key' },
  ]
}

/** One line for each bad word of a text: file, line and reason. */
export function findBadWords(path: string, text: string, words: readonly BadWord[]): string[] {
  return words.flatMap(({ pattern, why }) => {
    const at = text.search(pattern)
    return at < 0 ? [] : [`${path}:${text.slice(0, at).split('\n').length}: ${why}`]
  })
}

const isText = (path: string) => !/\.(png|jpe?g|ico|woff2?|p12|jks|der)$/.test(path)
const itself = 'scripts/checks/words.'

export const words: Check = {
  name: 'nothing of one machine in the tree',
  run: async () => {
    const bad = badWords({ root, home: homedir(), registry: process.env['npm_config_registry'] })
    return files('{*,.*,.ci/*,{apps,packages,plugins,tests,benchmarks,docs,scripts}/**/{*,.*}}')
      .filter((path) => isText(path) && !path.startsWith(itself))
      .flatMap((path) => findBadWords(path, read(path), bad))
  },
}
