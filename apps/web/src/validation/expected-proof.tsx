import { Code, Group, Text } from '@mantine/core'
import type { Validation } from '@certloop/api-client'
import { CopyIconButton } from '../shared/copy.tsx'
import { Facts } from '../shared/facts.tsx'

/** What has to be seen from outside, each part to copy. */
export function ExpectedProof({ expected }: { expected: NonNullable<Validation['expected']> }) {
  switch (expected.kind) {
    case 'http': return <Facts of={{ Address: <Copied what="the address" text={expected.url} />, File: <Copied what="the path of the file" text={expected.path.replace(/^\//, '')} />, Content: <Copied what="the content" text={expected.content} /> }} />
    case 'dns': return <Facts of={{ Record: expected.recordType, Name: <Copied what="the name" text={expected.recordName} />, Value: <Copied what="the value" text={expected.value} /> }} />
    case 'tls-alpn': return <Text size="sm" c="dimmed">A TLS handshake for "acme-tls/1" with {expected.name} on port {expected.port}.</Text>
  }
}

function Copied({ what, text }: { what: string; text: string }) {
  return <Group gap={4} wrap="nowrap" align="flex-start"><Code style={{ overflowWrap: 'anywhere', minWidth: 0 }}>{text}</Code><CopyIconButton text={text} label={`Copy ${what}`} /></Group>
}
