import { Alert, Anchor, Code, Text } from '@mantine/core'
import type { Issuer } from '@certloop/api-client'
import { Facts } from '../shared/facts.tsx'
import { Section } from '../shared/page.tsx'

const address = (url: string) => <Anchor href={url} target="_blank" rel="noreferrer" inherit>{url}</Anchor>

/** What stands in the certificates that it signs, or why nothing does. */
export function IssuerAddresses({ issuer: { addresses, keySource, kind } }: { issuer: Issuer }) {
  if (keySource === 'outside') return <Section title="Addresses in certificates"><Text size="sm" c="dimmed">Its key is not here, so it signs nothing here.</Text></Section>
  return (
    <Section title="Addresses in certificates" help={`Where clients find what they need to check a certificate that this ${kind === 'root' ? 'root' : 'intermediate'} signed.`}>
      {addresses === null ? (
        <Alert color="orange" title="None: others could not reach them">
          The control plane knows itself only under an address of this machine. A certificate that named it would make its clients wait in vain, so certificates name no address, and clients can not ask whether they are revoked.
          Set <Code>CERTLOOP_PKI_URL</Code> to an address that reaches this control plane from elsewhere over plain http, such as http://pki.example.com, and start it again. It holds for what is issued from then on.
        </Alert>
      ) : <Facts of={{ 'OCSP': address(addresses.ocsp), 'Revocation list': address(addresses.crl), 'Issuer certificate': address(addresses.issuer) }} />}
    </Section>
  )
}
