import type { Endpoint } from '@certloop/contract'

/** What a configuration names together. Paths are absolute and as the configuration names them. */
export interface PairPaths {
  certificatePath: string
  /** The same as the certificate's where one file holds both. */
  keyPath: string
  /** A file with the intermediates alone. */
  chainPath: string | null
}

/** Server block, virtual host or service that shows certificates; compared by identity. */
export type Holder = object

/** Where a holder shows its certificates, without key type: that follows from the certificates, see `withKeyTypes`. */
export type PairEndpoint = Omit<Endpoint, 'keyType'> & { holder: Holder }

/** A pair of files with all that use it. */
export interface ConfiguredPair {
  certificatePath: string
  keyPath: string
  /** Further names of the same files, through links. */
  aliases: { certificatePath: string; keyPath: string }[]
  /** For the certificate. */
  names: string[]
  /** `of`: how many pairs the holder has. */
  uses: { holder: Holder; of: number; chainPath: string | null }[]
  endpoints: PairEndpoint[]
  /** Why it can't be proven somewhere. */
  left: string[]
  /** Why it can't be replaced at all, whatever its files hold. */
  refusal: string | null
  /** Where one file holds both, the key has to stand first. */
  keyFirst: boolean
}

/** A pair that is no place: no files, or looked after by somebody else. */
export interface PairProblem { where: string; reason: string }

export interface PairUse extends PairPaths { holder: Holder; of: number; names: readonly string[]; endpoints: readonly PairEndpoint[]; left: readonly string[]; refusal?: string | null; keyFirst?: boolean }

const united = (a: readonly string[], b: readonly string[]) => [...new Set([...a, ...b])]

/** Joins all uses of the same two names to one pair, in order of the first use. */
export function joinUses(uses: readonly PairUse[]): ConfiguredPair[] {
  const pairs = new Map<string, ConfiguredPair>()
  for (const { certificatePath, keyPath, chainPath, holder, of, ...use } of uses) {
    const id = JSON.stringify([certificatePath, keyPath])
    const pair = pairs.get(id) ?? { certificatePath, keyPath, aliases: [], names: [], uses: [], endpoints: [], left: [], refusal: null, keyFirst: false }
    pairs.set(id, pair)
    pair.names = united(pair.names, use.names)
    pair.uses.push({ holder, of, chainPath })
    pair.endpoints.push(...use.endpoints)
    pair.left = united(pair.left, use.left)
    pair.refusal ??= use.refusal ?? null
    pair.keyFirst ||= use.keyFirst ?? false
  }
  return [...pairs.values()]
}

/** Two pairs whose names lead to the same files. */
export function joinPairs(a: ConfiguredPair, b: ConfiguredPair): ConfiguredPair {
  return {
    ...a, names: united(a.names, b.names), uses: [...a.uses, ...b.uses], endpoints: [...a.endpoints, ...b.endpoints], left: united(a.left, b.left),
    aliases: [...a.aliases, { certificatePath: b.certificatePath, keyPath: b.keyPath }, ...b.aliases], refusal: a.refusal ?? b.refusal, keyFirst: a.keyFirst || b.keyFirst,
  }
}

/**
 * Endpoints as they are probed. Where a holder has several pairs, the one of this key type is asked for.
 * @param keyType of the certificate of this pair; null for kinds that can't be asked for
 */
export function withKeyTypes(pair: ConfiguredPair, keyType: 'rsa' | 'ec' | null): Endpoint[] {
  const dual = new Set(pair.uses.filter(({ of }) => of > 1).map(({ holder }) => holder))
  const endpoints = pair.endpoints.map(({ holder, ...endpoint }) => ({ ...endpoint, keyType: dual.has(holder) ? keyType : null }))
  return [...new Map(endpoints.map((endpoint) => [JSON.stringify(endpoint), endpoint])).values()]
}
