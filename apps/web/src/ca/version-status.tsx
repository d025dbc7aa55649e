import { Group } from '@mantine/core'
import type { CertificateVersion } from '@certloop/api-client'
import { useMay, useRead } from '../shared/api.ts'
import { TextLink } from '../shared/link.tsx'
import { StateBadge } from '../shared/state-badge.tsx'
import { issuedMeaning, issuedState } from './ca-words.ts'
import { titleOf } from './issued-page.tsx'
import { RevocationActions } from './revocation-actions.tsx'

/** For a version that the built-in CA issued: how it stands there, with a way to revoke it. Nothing for any other. */
export function VersionStatus({ version: { serialNumber, fingerprint, issuer } }: { version: CertificateVersion }) {
  const mayRead = useMay('ca:read')
  const isOurs = useRead('listIssuers', {}, { enabled: mayRead }).data?.items.some(({ subject }) => subject === issuer) ?? false
  const issued = useRead('listIssuedCertificates', { query: { search: serialNumber, limit: 10 } }, { enabled: isOurs }).data?.items.find((one) => one.fingerprint === fingerprint)
  if (issued === undefined) return null
  const state = issuedState(issued)
  return (
    <Group gap="xs" role="group" aria-label="At the built-in CA">
      <StateBadge state={state} reason={issuedMeaning[state]} />
      <TextLink to="/built-in-ca/certificates/$id" params={{ id: issued.id }} fz="sm">At the built-in CA</TextLink>
      <RevocationActions issued={issued} name={titleOf(issued)} size="compact-sm" />
    </Group>
  )
}
