import { useState } from 'react'
import { Badge, Button, Group, Modal, Paper, Stack, Text } from '@mantine/core'
import type { Issuer } from '@certloop/api-client'
import { useRead, useWrite } from '../shared/api.ts'
import { ConfirmButton } from '../shared/confirm-button.tsx'
import { Fingerprint } from '../shared/copy.tsx'
import { Facts } from '../shared/facts.tsx'
import { TextLink } from '../shared/link.tsx'
import { Section } from '../shared/page.tsx'
import { StateBadge } from '../shared/state-badge.tsx'
import { When } from '../shared/when.tsx'
import { commonNameOf, issuedMeaning, issuedState } from './ca-words.ts'
import { CertificateDownloads } from './download-buttons.tsx'
import { InstallForm } from './install-certificate.tsx'
import { useForbidden } from './may.ts'

type Certificate = Issuer['certificates'][number]
interface Props { issuer: Issuer; all: readonly Issuer[] }

/** All certificates of one key: its own, renewed ones, cross-certificates. */
export function IssuerCertificates({ issuer, all }: Props) {
  const [installing, setInstalling] = useState(false)
  const forbidden = useForbidden('ca:write')
  return (
    <Section title="Certificates" help="All for the same key. The preferred one goes into the chains of what it signs." actions={forbidden === null && <Button size="compact-sm" variant="default" onClick={() => setInstalling(true)}>Install another</Button>}>
      <Stack gap="sm">{issuer.certificates.map((certificate) => <CertificateCard key={certificate.id} certificate={certificate} issuer={issuer} all={all} />)}</Stack>
      <Modal opened={installing} onClose={() => setInstalling(false)} title={`Install a certificate of ${issuer.name}`} size="lg" closeOnClickOutside={false}>
        <Text size="sm" mb="sm">One that somebody outside signed for its key: a renewed one, or a cross-certificate. The preferred one stays as it is.</Text>
        <InstallForm issuer={issuer} onDone={() => setInstalling(false)} />
      </Modal>
    </Section>
  )
}

function CertificateCard({ certificate, issuer, all }: Props & { certificate: Certificate }) {
  const { id, notBefore, notAfter, serialNumber, fingerprint, certificatePem, outsideChain, subject } = certificate
  const signer = all.find((one) => one.id === certificate.signedBy)
  const preferred = id === issuer.certificateId
  const own = certificate.signedBy === issuer.id
  const cross = !own && issuer.certificates[0]?.id !== id
  return (
    <Paper withBorder p="sm" component="article" aria-label={`Certificate signed by ${own ? 'itself' : signer?.name ?? commonNameOf(certificate.issuer)}`}>
      <Stack gap="sm">
        <Group justify="space-between" gap="xs">
          <Group gap="xs">
            <Text size="sm" fw={600}>{own ? 'Signed by itself' : <>Signed by {signer ? <TextLink to="/built-in-ca/issuers/$id" params={{ id: signer.id }} inherit>{signer.name}</TextLink> : `${commonNameOf(certificate.issuer)}, outside`}</>}</Text>
            {preferred && <Badge size="sm" variant="light" color="teal">Preferred</Badge>}
            {cross && <Badge size="sm" variant="light" color="grape">Cross-certificate</Badge>}
          </Group>
          {!preferred && <Prefer issuer={issuer} certificateId={id} />}
        </Group>
        <Facts of={{
          'Subject': subject,
          'Signed by': own ? null : certificate.issuer,
          'Valid from': <When at={notBefore} form="both" inline />,
          'Valid until': <When at={notAfter} form="both" inline />,
          'Serial number': serialNumber,
          'SHA-256': <Fingerprint value={fingerprint} digits={32} />,
          'Above it': outsideChain.length === 0 ? null : `${outsideChain.length} certificate${outsideChain.length === 1 ? '' : 's'} of CAs outside`,
          'Status': certificate.signedBy === null || own ? null : <LedgerStatus signedBy={certificate.signedBy} fingerprint={fingerprint} serialNumber={serialNumber} />,
        }} />
        <CertificateDownloads name={`${issuer.name}${cross ? ` by ${signer?.name ?? 'outside'}` : ''}`} certificatePem={certificatePem} chainPem={[certificatePem, ...outsideChain]} />
      </Stack>
    </Paper>
  )
}

/** A certificate that an issuer here signed can be revoked there. */
function LedgerStatus({ signedBy, fingerprint, serialNumber }: { signedBy: Issuer['id']; fingerprint: string; serialNumber: string }) {
  const issued = useRead('listIssuedCertificates', { query: { issuerId: signedBy, search: serialNumber, limit: 10 } }).data?.items.find((one) => one.fingerprint === fingerprint)
  if (issued === undefined) return null
  const state = issuedState(issued)
  return <Group gap="xs"><StateBadge state={state} reason={issuedMeaning[state]} /><TextLink to="/built-in-ca/certificates/$id" params={{ id: issued.id }} inherit>To revoke or look at it</TextLink></Group>
}

function Prefer({ issuer: { id, name }, certificateId }: { issuer: Issuer; certificateId: Certificate['id'] }) {
  const prefer = useWrite('preferIssuerCertificate')
  return <ConfirmButton label="Prefer this one" size="compact-sm" variant="default" whyNot={useForbidden('ca:write')} question={`Put this certificate of ${name} into chains?`} explanation="What is issued or fetched from now on carries this certificate, and the ones above it. Clients that trust only the other root will not accept such a chain unless they know the way themselves." run={() => prefer.mutateAsync({ params: { id }, body: { certificateId } })} />
}
