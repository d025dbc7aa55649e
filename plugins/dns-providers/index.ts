import { dnsProvider, registry } from '@certloop/plugin-kit'
import { manifest as cloudflare } from './cloudflare/manifest.ts'

/** Every DNS provider. One line each; the order is the order in forms. */
export const dnsProviders = registry('DNS provider', [
  dnsProvider(cloudflare, () => import('./cloudflare/connector.ts').then((m) => m.connector)),
])
