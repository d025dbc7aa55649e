import { authorityPlugin, registry, type AuthorityEntry } from '@certloop/plugin-kit'
import { manifest as acme } from './acme/manifest.ts'

/** Every kind of authority elsewhere. One line each; the order is the order in forms. The built-in CA is part of the control plane. */
export const authorityTypes = registry<AuthorityEntry>('authority', [
  authorityPlugin(acme, async () => (await import('./acme/connector.ts')).acmeConnector),
])
