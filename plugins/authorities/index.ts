import { registry, type AuthorityEntry } from '@certloop/plugin-kit'

/** Every kind of authority elsewhere. One line each; the order is the order in forms. The built-in CA is part of the control plane. */
export const authorityTypes = registry<AuthorityEntry>('authority', [])
