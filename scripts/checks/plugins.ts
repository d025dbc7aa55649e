import type { ServerTypeManifest } from '../../packages/plugin-kit/src/index.ts'
import { serverTypes } from '../../plugins/server-types/index.ts'
import { files, type Check } from './check.ts'

/** A folder of plug-ins as it lies on disk: id of each folder → its files. */
export type PluginFolders = ReadonlyMap<string, ReadonlySet<string>>

interface Property { 'x-field'?: { label?: string; help?: string } }

/** Every field needs a label and a help text that ends as a sentence. */
function problemsOfFields(manifest: ServerTypeManifest): string[] {
  return Object.entries(manifest.fields.properties as Record<string, Property>).flatMap(([name, schema]) => {
    const notes = schema['x-field']
    const where = `${manifest.id}: field "${name}"`
    if (!notes) return [`${where} is not made with field.… of the contract package, so forms have nothing to show`]
    const missing = (['label', 'help'] as const).filter((part) => !notes[part]?.trim())
    return missing.map((part) => `${where} has no ${part}`)
  })
}

const problemsOfIdentity = ({ id, identity, fields }: ServerTypeManifest): string[] =>
  identity.filter((name) => !(name in fields.properties)).map((name) => `${id}: identity names "${name}", which is no field`)

function problemsOfFolder(id: string, folders: PluginFolders, registered: ReadonlySet<string>): string[] {
  if (!registered.has(id)) return [`${id}: the folder is not in the registry (plugins/server-types/index.ts)`]
  return ['manifest.ts', 'driver.ts', 'README.md'].filter((name) => !folders.get(id)?.has(name)).map((name) => `${id}: ${name} is missing`)
}

/** Declarations of plug-ins against the folders they live in. */
export function problemsOfPlugins(manifests: readonly ServerTypeManifest[], folders: PluginFolders): string[] {
  const registered = new Set(manifests.map((manifest) => manifest.id))
  const homeless = manifests.filter(({ id }) => !folders.has(id)).map(({ id }) => `${id}: there is no folder plugins/server-types/${id}; the id must be the folder's name`)
  const texts = manifests.flatMap((manifest) => (['title', 'summary'] as const).filter((part) => !manifest[part].trim()).map((part) => `${manifest.id}: ${part} is empty`))
  return [...homeless, ...texts, ...manifests.flatMap(problemsOfFields), ...manifests.flatMap(problemsOfIdentity), ...[...folders.keys()].flatMap((id) => problemsOfFolder(id, folders, registered))]
}

function foldersOnDisk(): PluginFolders {
  const folders = new Map<string, Set<string>>()
  for (const path of files('plugins/server-types/*/*')) {
    const [, , id = '', name = ''] = path.split('/')
    folders.set(id, (folders.get(id) ?? new Set()).add(name))
  }
  return folders
}

/** That an id is registered once is checked by the registry itself, when it is loaded. */
export const plugins: Check = {
  name: 'plug-in declarations',
  run: async () => problemsOfPlugins(serverTypes.all.map((entry) => entry.manifest), foldersOnDisk()),
}
