import { registry, type DnsProviderEntry } from '@certloop/plugin-kit'

/** Every DNS provider. One line each; the order is the order in forms. */
export const dnsProviders = registry<DnsProviderEntry>('DNS provider', [])
