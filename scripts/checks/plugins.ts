import { authorityTypes } from '../../plugins/authorities/index.ts'
import { dnsProviders } from '../../plugins/dns-providers/index.ts'
import { serverTypes } from '../../plugins/server-types/index.ts'
import { files, type Check } from './check.ts'

/** A folder of plug-ins as it lies on disk: id of each folder → its files. */
export type PluginFolders = ReadonlyMap<string, ReadonlySet<string>>

/** What every kind of plug-in declares. */
interface Manifest { id: string; title: string; summary: string; fields: { properties: object }; /** Of server types: the fields that tell one server from another. */ identity?: readonly string[] }
/** Where the plug-ins of one kind live, and which file holds their code. */
export interface Home { folder: string; code: string }
export const homes = { 'server-types': { folder: 'plugins/server-types', code: 'driver.ts' }, 'authorities': { folder: 'plugins/authorities', code: 'connector.ts' }, 'dns-providers': { folder: 'plugins/dns-providers', code: 'connector.ts' } } as const satisfies Record<string, Home>

interface Property { 'x-field'?: { label?: string; help?: string } }

/** Every field needs a label and a help text that ends as a sentence. */
function problemsOfFields(manifest: Manifest): string[] {
  return Object.entries(manifest.fields.properties as Record<string, Property>).flatMap(([name, schema]) => {
    const notes = schema['x-field']
    const where = `${manifest.id}: field "${name}"`
    if (!notes) return [`${where} is not made with field.… of the contract package, so forms have nothing to show`]
    const missing = (['label', 'help'] as const).filter((part) => !notes[part]?.trim())
    return missing.map((part) => `${where} has no ${part}`)
  })
}

const problemsOfIdentity = ({ id, identity = [], fields }: Manifest): string[] =>
  identity.filter((name) => !(name in fields.properties)).map((name) => `${id}: identity names "${name}", which is no field`)

function problemsOfFolder(id: string, { folder, code }: Home, folders: PluginFolders, registered: ReadonlySet<string>): string[] {
  if (!registered.has(id)) return [`${id}: the folder is not in the registry (${folder}/index.ts)`]
  return ['manifest.ts', code, 'README.md'].filter((name) => !folders.get(id)?.has(name)).map((name) => `${id}: ${name} is missing`)
}

/** Declarations of plug-ins against the folders they live in. */
export function problemsOfPlugins(manifests: readonly Manifest[], folders: PluginFolders, home: Home): string[] {
  const registered = new Set(manifests.map((manifest) => manifest.id))
  const homeless = manifests.filter(({ id }) => !folders.has(id)).map(({ id }) => `${id}: there is no folder ${home.folder}/${id}; the id must be the folder's name`)
  const texts = manifests.flatMap((manifest) => (['title', 'summary'] as const).filter((part) => !manifest[part].trim()).map((part) => `${manifest.id}: ${part} is empty`))
  return [...homeless, ...texts, ...manifests.flatMap(problemsOfFields), ...manifests.flatMap(problemsOfIdentity), ...[...folders.keys()].flatMap((id) => problemsOfFolder(id, home, folders, registered))]
}

function foldersOnDisk({ folder: home }: Home): PluginFolders {
  const folders = new Map<string, Set<string>>()
  for (const path of files(`${home}/*/*`)) {
    const [, , id = '', name = ''] = path.split('/')
    if (id !== 'shared') folders.set(id, (folders.get(id) ?? new Set()).add(name))
  }
  return folders
}
const problemsAt = (home: Home, { all }: { all: readonly { manifest: Manifest }[] }) => problemsOfPlugins(all.map(({ manifest }) => manifest), foldersOnDisk(home), home)

/** That an id is registered once is checked by the registry itself, when it is loaded. */
export const plugins: Check = {
  name: 'plug-in declarations',
  run: async () => [...problemsAt(homes['server-types'], serverTypes), ...problemsAt(homes['authorities'], authorityTypes), ...problemsAt(homes['dns-providers'], dnsProviders)],
}
