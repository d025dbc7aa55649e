import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { authorityTypes } from '../../plugins/authorities/index.ts'
import { dnsProviders } from '../../plugins/dns-providers/index.ts'
import { serverTypes } from '../../plugins/server-types/index.ts'
import { read, root, type Check } from './check.ts'
import { authoritiesPage } from './pages/authorities.ts'
import { dnsProvidersPage } from './pages/dns-providers.ts'
import { errorsPage } from './pages/errors.ts'
import { serverTypesPage } from './pages/server-types.ts'
import { settingsPage, type SettingRow } from './pages/settings.ts'

async function settings(): Promise<string> {
  const { settingsTable } = await import(pathToFileURL(join(root, 'apps/control-plane/src/settings.ts')).href) as { settingsTable: Record<string, SettingRow> }
  return settingsPage(settingsTable)
}

const pages: Record<string, () => string | Promise<string>> = {
  'docs/reference/errors.md': errorsPage,
  'docs/reference/settings.md': settings,
  'docs/reference/server-types.md': () => serverTypesPage(serverTypes.all.map((entry) => entry.manifest)),
  'docs/reference/authorities.md': () => authoritiesPage(authorityTypes.all.map((entry) => entry.manifest)),
  'docs/reference/dns-providers.md': () => dnsProvidersPage(dnsProviders.all.map((entry) => entry.manifest)),
}

/** Generated pages equal what the code says now. */
export const docs: Check = {
  name: 'generated pages are current',
  async run({ write }) {
    const problems: string[] = []
    for (const [path, make] of Object.entries(pages)) {
      const text = await make()
      if (existsSync(join(root, path)) && read(path) === text) continue
      if (!write) {
        problems.push(`${path} is not what the code says now; run: npm run check -- --write`)
        continue
      }
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), text)
    }
    return problems
  },
}
