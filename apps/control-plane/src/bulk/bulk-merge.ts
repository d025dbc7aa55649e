import { canonicalJson, type BulkItem, type BulkParts, type Configuration, type ConfigurationInput } from '@certloop/contract'

/** A configuration without its targets, which a bulk change never touches. */
export type Settings = Omit<Configuration, 'targets' | 'updatedAt'>
export type Change = BulkItem['changes'][number]

const needed = ['csr/keyAlgorithm', 'csr/keyReuse', 'csr/validityDays', 'renewal/enabled', 'renewal/daysBefore', 'renewal/time', 'renewal/zone', 'deployAfterRenewal', 'rollback', 'approval'] as const

const valueAt = (parts: BulkParts, path: string): unknown => path.split('/').reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], parts)

/** What these parts lack to be a configuration by themselves, as paths: "csr/keyAlgorithm". */
export const missingParts = (parts: BulkParts): string[] => needed.filter((path) => valueAt(parts, path) === undefined)

/** Whether they say anything at all. */
export function saysNothing(parts: BulkParts): boolean {
  const { csr = {}, renewal = {}, ...whole } = parts
  return [csr, renewal, whole].every((part) => Object.values(part).every((value) => value === undefined))
}

const nothingYet = { complete: false, targets: [], authorityId: null, csr: { commonName: null, names: [] }, renewal: {} }

/**
 * The configuration with the parts put over it. What the parts leave out stays; the request and the renewal are merged
 * field by field, everything else is taken whole. Without a configuration the parts have to make one: see missingParts.
 */
export function mergeParts(current: ConfigurationInput | null, parts: BulkParts): ConfigurationInput {
  const { csr, renewal, ...whole } = parts
  const base = (current ?? nothingYet) as ConfigurationInput
  return { ...base, ...whole, csr: { ...base.csr, ...csr }, renewal: { ...base.renewal, ...renewal } }
}

const byField = ['csr', 'renewal'] as const

function flat(settings: Settings | null): Map<string, unknown> {
  if (settings === null) return new Map()
  const { csr, renewal, ...whole } = settings
  const inner = byField.flatMap((name) => Object.entries({ csr, renewal }[name]).map(([field, value]) => [`${name}.${field}`, value] as const))
  return new Map<string, unknown>([...Object.entries(whole), ...inner])
}

/** Each setting that differs. There are no secrets in them: those belong to targets. */
export function changesBetween(before: Settings | null, after: Settings): Change[] {
  const earlier = flat(before)
  return [...flat(after)].map(([field, value]) => ({ field, before: earlier.get(field) ?? null, after: value ?? null }))
    .filter((change) => (before === null ? change.after !== null : canonicalJson(change.before) !== canonicalJson(change.after)))
}

const short = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > 40 ? `${text.slice(0, 39)}…` : text
}
/** For the timeline: "renewal.daysBefore 30 → 45, rollback true → false" */
export function describeChanges(changes: readonly Change[], most = 6): string {
  const told = changes.slice(0, most).map(({ field, before, after }) => `${field} ${short(before)} → ${short(after)}`)
  return [...told, ...(changes.length > most ? [`and ${changes.length - most} more`] : [])].join(', ')
}
