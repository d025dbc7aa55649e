import { CertloopError, type AuthorityId } from '@certloop/contract'
import type { Memory } from '@certloop/plugin-kit'
import type { Db, Tx } from '../database/database.ts'
import type { Secrets } from '../secret/secrets.ts'
import { getAuthority, saveMemory } from './authority-store.ts'

const bindingOf = (id: AuthorityId) => `authority:${id}:memory`
const mostTries = 50

/** What the connector of one authority keeps, sealed for its row. Of several replicas that change it at once one wins, and the others apply theirs to what it wrote. */
export function memoryOf({ db, secrets }: { db: Db | Tx; secrets: Secrets }, id: AuthorityId): Memory {
  const read = async () => {
    const { sealedMemory, memoryVersion } = await getAuthority(db, id)
    return { version: memoryVersion, present: sealedMemory === null ? {} : JSON.parse(secrets.open(sealedMemory, bindingOf(id)).toString()) as Record<string, string> }
  }
  return {
    read: async () => (await read()).present,
    async change(apply) {
      for (let tries = 0; tries < mostTries; tries++) {
        const { version, present } = await read()
        const next = apply(present)
        if (await saveMemory(db, id, version, secrets.seal(JSON.stringify(next), bindingOf(id)))) return next
      }
      throw new CertloopError('CONFLICT', 'What is kept for this authority is changed by others all the time.', { authorityId: id })
    },
  }
}
