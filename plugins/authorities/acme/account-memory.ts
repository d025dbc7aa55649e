import { CertloopError } from '@certloop/contract'
import type { Memory } from '@certloop/plugin-kit'

/** What is kept of one account, sealed by the control plane. */
export interface KeptAccount {
  /** PEM. */
  key: string
  /** Address of the account, once the authority gave it. */
  url?: string
  /** PEM. A key that is to take over: kept before the authority hears of it. */
  nextKey?: string
  /** The key was given by a person: the account may be there already. */
  isImported?: boolean
}

export interface AccountMemory {
  read(): Promise<KeptAccount | undefined>
  /** @returns what is kept then; another process may have been first, so `apply` gets what is there now */
  change(apply: (present: KeptAccount | undefined) => KeptAccount | undefined): Promise<KeptAccount | undefined>
}

function parsed(text: string | undefined): KeptAccount | undefined {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as KeptAccount
  } catch (error) {
    throw new CertloopError('SECRET_UNREADABLE', 'What was kept of the ACME account can not be read.', {}, error)
  }
}

/** One of several accounts in the memory of an authority: each directory, external account and imported key has its own, so that none is lost when the fields change. */
export function accountMemory(memory: Memory, slot: string): AccountMemory {
  return {
    read: async () => parsed((await memory.read())[slot]),
    async change(apply) {
      const kept = await memory.change((all) => {
        const next = apply(parsed(all[slot]))
        const { [slot]: _before, ...others } = all
        return next === undefined ? others : { ...others, [slot]: JSON.stringify(next) }
      })
      return parsed(kept[slot])
    },
  }
}
