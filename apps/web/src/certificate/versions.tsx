import { Accordion, Alert, Badge, Button, CopyButton, Group, Stack, Text } from '@mantine/core'
import type { CertificateDetail, CertificateVersion } from '@certloop/api-client'
import { VersionStatus } from '../ca/version-status.tsx'
import { Fingerprint } from '../shared/copy.tsx'
import { Facts } from '../shared/facts.tsx'
import { ButtonLink, TextLink } from '../shared/link.tsx'
import { Empty } from '../shared/page.tsx'
import { formatDate } from '../shared/time.ts'
import { useMinute, When } from '../shared/when.tsx'

export function Versions({ certificate: { id, versions, currentVersionId } }: { certificate: CertificateDetail }) {
  if (versions.length === 0) {
    return (
      <Empty title="No version yet" action={<ButtonLink to="/certificates/$id" params={{ id }} search={{ tab: 'configuration' }} variant="default">To the configuration</ButtonLink>}>
        Complete the configuration, then order one.
      </Empty>
    )
  }
  return (
    <Accordion variant="separated" defaultValue={currentVersionId ?? versions[0]?.id ?? null} order={3}>
      {versions.map((version) => (
        <Accordion.Item key={version.id} value={version.id}>
          <Accordion.Control><VersionTitle version={version} current={version.id === currentVersionId} /></Accordion.Control>
          <Accordion.Panel><VersionFacts version={version} /></Accordion.Panel>
        </Accordion.Item>
      ))}
    </Accordion>
  )
}

function VersionTitle({ version, current }: { version: CertificateVersion; current: boolean }) {
  const expired = Date.parse(version.notAfter) < useMinute().getTime()
  return (
    <Group gap="sm">
      <Text size="sm" fw={600} ff="monospace">{version.fingerprint.slice(0, 16)}…</Text>
      <Text size="sm" c="dimmed">{formatDate(version.notBefore)} to {formatDate(version.notAfter)}</Text>
      {current && <Badge size="sm" variant="light" color="teal">Current</Badge>}
      {expired && <Badge size="sm" variant="light" color="red">Expired</Badge>}
      <Badge size="sm" variant="light" color="gray">{version.source === 'order' ? 'Ordered' : 'Found'}</Badge>
    </Group>
  )
}

const findingColors = { error: 'red', warning: 'yellow', notice: 'blue' } as const
const custodies = { endpoint: 'on the host, never sent', platform: 'kept by Certloop', external: 'held elsewhere' } as const

function VersionFacts({ version }: { version: CertificateVersion }) {
  return (
    <Stack gap="sm">
      <Facts of={{
        'SHA-256': <Fingerprint value={version.fingerprint} digits={32} />,
        'Names': version.names.join(', '),
        'Subject': version.subject,
        'Issuer': version.issuer,
        'Serial number': version.serialNumber,
        'Valid from': <When at={version.notBefore} form="both" inline />,
        'Valid until': <When at={version.notAfter} form="both" inline />,
        'Key': <>{version.keyAlgorithm}, {custodies[version.custody]}{version.keyBotId !== null && <> (<TextLink to="/bots/$id" params={{ id: version.keyBotId }} inherit>bot</TextLink>)</>}</>,
        'Signature': version.signatureAlgorithm,
        'Chain': version.chainPem.length === 1 ? 'The certificate alone' : `The certificate and ${version.chainPem.length - 1} above it`,
        'Order': version.orderId === null ? null : <TextLink to="/orders/$id" params={{ id: version.orderId }} inherit>The order that made it</TextLink>,
      }} />
      {version.findings.map(({ code, severity, message }) => (
        <Alert key={code} variant="light" color={findingColors[severity]} p="xs">{message}</Alert>
      ))}
      <VersionStatus version={version} />
      <CopyButton value={version.chainPem.join('\n')}>
        {({ copied, copy }) => <Button w="fit-content" size="compact-sm" variant="default" onClick={copy}>{copied ? 'Copied' : 'Copy certificate and chain (PEM)'}</Button>}
      </CopyButton>
    </Stack>
  )
}
