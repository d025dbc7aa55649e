import type { ActionKind, AuthorityId, BatchLimits, BotId } from '@certloop/contract'

/** What one item takes up while it runs. */
export interface Places { authorityId: AuthorityId | null; bots: readonly BotId[]; /** Bot and machine. */ hosts: readonly string[] }

/** One thing that only so many items may take up at a time, e.g. "bot:bot_…". */
export type LimitKey = `authority:${string}` | `bot:${string}` | `host:${string}`
/** For a running item: its action waits for the time of its deployment and takes up nothing until then. */
export const waitsForItsTime = 'time'

const usesAuthority: ReadonlySet<string> = new Set<ActionKind>(['order', 'rotate', 'rekey', 'renew', 'regenerate', 're-enrol', 'revoke', 'suspend', 'resume'])
const usesBots: ReadonlySet<string> = new Set<ActionKind>(['initiate', 'order', 'deploy', 'rotate', 'rekey', 'renew', 'regenerate', 're-enrol', 'recheck-pinning'])

/** An action that asks nothing of the authority does not count against it, and so with bots. */
export function placesOf(action: string, { authorityId, bots, hosts }: Places): Places {
  const byBots = usesBots.has(action)
  return { authorityId: usesAuthority.has(action) ? authorityId : null, bots: byBots ? bots : [], hosts: byBots ? hosts : [] }
}

function keysOf({ authorityId, bots, hosts }: Places): LimitKey[] {
  return [...(authorityId ? [`authority:${authorityId}` as const] : []), ...bots.map((id) => `bot:${id}` as const), ...hosts.map((host) => `host:${host}` as const)]
}

function limitOf(key: LimitKey, limits: BatchLimits): number {
  if (key.startsWith('authority:')) return limits.perAuthority
  return key.startsWith('bot:') ? limits.perBot : limits.perHost
}

/** How much is taken up now. Made from the running items, never kept. */
export interface Usage {
  /** How many more this key may take. */
  room(key: LimitKey): number
  /** The first limit that keeps these from starting; null: they may. */
  blockedBy(places: Places): LimitKey | null
  /** As if one more ran. */
  add(places: Places): void
  readonly free: number
}

export function usageOf(running: readonly Places[], limits: BatchLimits): Usage {
  const taken = new Map<LimitKey, number>()
  let total = 0
  const add = (places: Places) => {
    total++
    for (const key of keysOf(places)) taken.set(key, (taken.get(key) ?? 0) + 1)
  }
  running.forEach(add)
  const room = (key: LimitKey) => Math.max(0, limitOf(key, limits) - (taken.get(key) ?? 0))
  return {
    get free() { return Math.max(0, limits.total - total) },
    room, add,
    blockedBy: (places) => keysOf(places).find((key) => room(key) === 0) ?? null,
  }
}

/** What an item waits for, in words. */
export function waitText(key: string, limits: BatchLimits, nameOf: (id: string) => string): string {
  const [, kind = '', rest = ''] = /^(\w+):(.*)$/.exec(key) ?? []
  if (kind === 'authority') return `Waits for its turn at authority ${nameOf(rest)} (${limits.perAuthority} at a time).`
  if (kind === 'bot') return `Waits for its turn at bot ${nameOf(rest)} (${limits.perBot} at a time).`
  if (kind === 'host') {
    const [bot = '', ...machine] = rest.split(' ')
    const host = machine[0] === 'local' ? `the host of bot ${nameOf(bot)}` : `${machine.slice(1).join(' ')} (through bot ${nameOf(bot)})`
    return `Waits for its turn on ${host}, ${limits.perHost} at a time.`
  }
  return `Waits for its turn (${limits.total} at a time).`
}
/** The id in a key whose name the text needs. */
export const idInKey = (key: string): string | undefined => /^\w+:(\w+)/.exec(key)?.[1]
