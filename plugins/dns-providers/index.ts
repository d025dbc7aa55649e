import { dnsProvider, registry } from '@certloop/plugin-kit'
import { manifest as azureDns } from './azure-dns/manifest.ts'
import { manifest as cloudflare } from './cloudflare/manifest.ts'
import { manifest as googleCloudDns } from './google-cloud-dns/manifest.ts'
import { manifest as route53 } from './route53/manifest.ts'
import { manifest as powerdns } from './powerdns/manifest.ts'
import { manifest as rfc2136 } from './rfc2136/manifest.ts'
import { manifest as digitalocean } from './digitalocean/manifest.ts'
import { manifest as godaddy } from './godaddy/manifest.ts'
import { manifest as ovh } from './ovh/manifest.ts'
import { manifest as hetzner } from './hetzner/manifest.ts'
import { manifest as gandi } from './gandi/manifest.ts'
import { manifest as acmeDns } from './acme-dns/manifest.ts'
import { manifest as namecheap } from './namecheap/manifest.ts'
import { manifest as akamaiEdgeDns } from './akamai-edge-dns/manifest.ts'

/** Every DNS provider. One line each; the order is the order in forms. */
export const dnsProviders = registry('DNS provider', [
  dnsProvider(rfc2136, () => import('./rfc2136/connector.ts').then((m) => m.connector)),
  dnsProvider(powerdns, () => import('./powerdns/connector.ts').then((m) => m.connector)),
  dnsProvider(acmeDns, () => import('./acme-dns/connector.ts').then((m) => m.connector)),
  dnsProvider(cloudflare, () => import('./cloudflare/connector.ts').then((m) => m.connector)),
  dnsProvider(route53, () => import('./route53/connector.ts').then((m) => m.connector)),
  dnsProvider(azureDns, () => import('./azure-dns/connector.ts').then((m) => m.connector)),
  dnsProvider(googleCloudDns, () => import('./google-cloud-dns/connector.ts').then((m) => m.connector)),
  dnsProvider(digitalocean, () => import('./digitalocean/connector.ts').then((m) => m.connector)),
  dnsProvider(godaddy, () => import('./godaddy/connector.ts').then((m) => m.connector)),
  dnsProvider(ovh, () => import('./ovh/connector.ts').then((m) => m.connector)),
  dnsProvider(hetzner, () => import('./hetzner/connector.ts').then((m) => m.connector)),
  dnsProvider(gandi, () => import('./gandi/connector.ts').then((m) => m.connector)),
  dnsProvider(namecheap, () => import('./namecheap/connector.ts').then((m) => m.connector)),
  dnsProvider(akamaiEdgeDns, () => import('./akamai-edge-dns/connector.ts').then((m) => m.connector)),
])
