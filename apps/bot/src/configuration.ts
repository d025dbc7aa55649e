import { readFile, stat } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { CertloopError } from '@certloop/contract'
import { parse } from 'smol-toml'
import type { LimitSettings } from './hosts/limits.ts'

/**
 * bot.toml belongs to the administrator of the host. It is read at start alone, and nothing sent to the bot changes it.
 */
export interface BotConfiguration {
  /** The file it came from; null: there is none and the defaults hold. */
  file: string | null
  /** Address of an HTTP proxy; null: never through a proxy; undefined: as HTTPS_PROXY and NO_PROXY say. */
  proxy: string | null | undefined
  limits: LimitSettings
  /** So many days what a deployment replaced is kept, to be put back; null: as the engine has it. */
  undoDays: number | null
}

/** Reads one value, or says what it should be. */
type Read<T> = (value: unknown) => T | string

const proxyAddress: Read<{ proxy: string | null }> = (value) => {
  if (value === 'none') return { proxy: null }
  const usable = typeof value === 'string' && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
  return usable ? { proxy: value } : 'must be an address such as "http://proxy.example:3128", or "none"'
}
const listOf = (fits: (text: string) => boolean, what: string): Read<string[]> => (value) =>
  Array.isArray(value) && value.every((v) => typeof v === 'string' && fits(v)) ? (value as string[]) : `must be a list of ${what}`
const paths = listOf(isAbsolute, 'absolute paths')
const programs = listOf((text) => /^[^/\\]+$/.test(text) || isAbsolute(text), 'programs: absolute paths, or names without a folder')
const machines = listOf((text) => /^[^\s/@]+$/.test(text), 'machines such as "web-1.example" or "web-1.example:22"')
const mostDays = 365
const days: Read<{ days: number }> = (value) => typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= mostDays ? { days: value } : `must be a whole number of days, 0 to ${mostDays}`
const yesOrNo: Read<{ yes: boolean }> = (value) => typeof value === 'boolean' ? { yes: value } : 'must be true or false'

const knownKeys: Record<string, readonly string[]> = { 'control-plane': ['proxy'], limits: ['write_paths', 'commands', 'scripts', 'ssh', 'ssh_hosts'], deployments: ['undo_days'] }

/**
 * Reads bot.toml. The whole table of keys is in bot.example.toml.
 * @param text the file's content; @param file its path, named in messages.
 * @throws CertloopError BOT_CONFIGURATION_INVALID naming the key or the line
 */
export function readConfiguration(text: string, file: string): BotConfiguration {
  const invalid = (what: string, key: string) => new CertloopError('BOT_CONFIGURATION_INVALID', `${file}: ${what}.`, { file, key })
  const tables = parseTables(text, invalid)
  const valueOf = <T extends object>(table: string, key: string, read: Read<T>): T | undefined => {
    const value = tables[table]?.[key]
    if (value === undefined) return undefined
    const result = read(value)
    if (typeof result === 'string') throw invalid(`${table}.${key} ${result}`, `${table}.${key}`)
    return result
  }
  return {
    file,
    proxy: valueOf('control-plane', 'proxy', proxyAddress)?.proxy,
    limits: {
      writePaths: valueOf('limits', 'write_paths', paths) ?? null,
      commands: valueOf('limits', 'commands', programs) ?? null,
      scripts: valueOf('limits', 'scripts', yesOrNo)?.yes ?? false,
      ssh: valueOf('limits', 'ssh', yesOrNo)?.yes ?? true,
      sshHosts: valueOf('limits', 'ssh_hosts', machines) ?? null,
    },
    undoDays: valueOf('deployments', 'undo_days', days)?.days ?? null,
  }
}

function parseTables(text: string, invalid: (what: string, key: string) => CertloopError): Record<string, Record<string, unknown>> {
  let parsed: Record<string, unknown>
  try {
    parsed = parse(text)
  } catch (error) {
    throw invalid(`not TOML: ${(error as Error).message.split('\n')[0]}`, '')
  }
  const tables: Record<string, Record<string, unknown>> = {}
  for (const [name, table] of Object.entries(parsed)) {
    const known = knownKeys[name]
    if (!known) throw invalid(`there is no setting or table "${name}"; known tables are ${Object.keys(knownKeys).join(', ')}`, name)
    if (typeof table !== 'object' || table === null || Array.isArray(table)) throw invalid(`"${name}" must be a table, written [${name}]`, name)
    const unknown = Object.keys(table).find((key) => !known.includes(key))
    if (unknown) throw invalid(`there is no setting "${name}.${unknown}"; known are ${known.join(', ')}`, `${name}.${unknown}`)
    tables[name] = table as Record<string, unknown>
  }
  return tables
}

/** Where bot.toml may lie; the first that is there is read and no other. */
export const configurationPlaces = (dataFolder: string): string[] => [join(dataFolder, 'bot.toml'), '/etc/certloop/bot.toml']

/** @throws CertloopError BOT_CONFIGURATION_INVALID, also when the file can't be read or anybody may write it. */
export async function loadConfiguration(places: readonly string[]): Promise<BotConfiguration> {
  for (const file of places) {
    try {
      const text = await readFile(file, 'utf8')
      const { mode } = await stat(file)
      if (process.platform !== 'win32' && (mode & 0o002) !== 0) throw new CertloopError('BOT_CONFIGURATION_INVALID', `${file}: everybody on this host may write it, so it limits nothing. Take the right away with: chmod o-w ${file}`, { file, key: '' })
      return readConfiguration(text, file)
    } catch (error) {
      if (error instanceof CertloopError) throw error
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
      throw new CertloopError('BOT_CONFIGURATION_INVALID', `${file} can not be read: ${(error as Error).message}.`, { file, key: '' }, error)
    }
  }
  return readDefaults()
}

const readDefaults = (): BotConfiguration => ({ ...readConfiguration('', 'bot.toml'), file: null })
