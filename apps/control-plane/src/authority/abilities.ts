import type { AuthorityAbility } from '@certloop/contract'

/** By kind of connector, so that it can be told without calling anybody. A test holds it against the connectors. */
const abilities: Readonly<Record<string, readonly AuthorityAbility[]>> = {
  'local-ca': ['revoke', 'suspend', 'resume'],
}
export const abilitiesOf = (kind: string): readonly AuthorityAbility[] => abilities[kind] ?? []
