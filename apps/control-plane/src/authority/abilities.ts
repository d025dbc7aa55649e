import type { AuthorityAbility } from '@certloop/contract'
import type { AuthorityConnector } from '@certloop/plugin-kit'
import { authorityKinds } from './authority-kinds.ts'

/** By kind of connector, so that it can be told without calling anybody. */
export const abilitiesOf = (kind: string): readonly AuthorityAbility[] => authorityKinds.find(kind)?.manifest.abilities ?? []

/** The method that goes with an ability. Products are chosen in the fields. */
const methods = { 'revoke': 'revoke', 'suspend': 'suspend', 'resume': 'resume', 'renewal-window': 'renewalWindow', 'templates': 'templates', 'find': 'find', 'account-key-rollover': 'rollAccountKey', 'products': null } as const satisfies Record<AuthorityAbility, keyof AuthorityConnector | null>

/** What this one can do: of what its kind can, that which its connector has. */
export function abilitiesOfConnector(kind: string, connector: AuthorityConnector): AuthorityAbility[] {
  return abilitiesOf(kind).filter((ability) => {
    const method = methods[ability]
    return method === null || connector[method] !== undefined
  })
}
