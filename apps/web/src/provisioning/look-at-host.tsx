import { useState } from 'react'
import { Alert, Button, Code, Group, Loader, Stack, Text } from '@mantine/core'
import type { RemoteScan, SshReach } from '@certloop/api-client'
import { useMay, useRead, useWrite } from '../shared/api.ts'
import { ProblemAlert, ProblemNote } from '../shared/problem-alert.tsx'
import type { DraftTarget } from './draft-target.ts'

interface Props { target: DraftTarget; reach: SshReach; onChange: (target: DraftTarget) => void }

/** Looks at the host of a target over SSH before it is configured, and fills server type and fields from what was found. */
export function LookAtHost({ target, reach, onChange }: Props) {
  const [id, setId] = useState<RemoteScan['id'] | null>(null)
  const start = useWrite('startRemoteScan', (scan) => setId(scan.id))
  const scan = useRead('getRemoteScan', { params: { id: id ?? 'scn_' } }, { enabled: id !== null, everyMs: 1000 })
  const current = scan.data?.id === id ? scan.data : undefined
  const running = start.isPending || (id !== null && (current === undefined || current.state === 'running'))
  if (!useMay('bot:write')) return null
  const { login, jumps } = target.secrets ?? {}
  const look = () => start.mutate({ params: { id: target.botId }, body: { reach, secrets: { ...(login ? { login } : {}), ...(jumps ? { jumps } : {}) } } })
  const pin = (host: string, port: number, hostKey: string) => {
    const same = (one: { host: string; port: number }) => one.host === host && one.port === port
    onChange({ ...target, reach: { ...reach, ...(same(reach) ? { hostKey } : {}), jumps: reach.jumps.map((jump) => (same(jump) ? { ...jump, hostKey } : jump)) } })
    setId(null)
  }
  return (
    <Stack gap="xs">
      <Group gap="sm">
        <Button size="xs" variant="light" onClick={look} loading={running}>Look at this host</Button>
        <Text size="xs" c="dimmed">Logs in with what stands above and lists the servers there. Kept passwords and keys are not used: enter them for the look; they are forgotten when it has ended.</Text>
      </Group>
      {running && id !== null && <Group gap="xs" role="status"><Loader size="xs" /><Text size="sm" c="dimmed">The bot looks at {reach.host}…</Text></Group>}
      {start.error && <ProblemAlert error={start.error} />}
      {!running && current?.error && <ScanError error={current.error} onPin={pin} />}
      {!running && current?.state === 'done' && <Found scan={current} onUse={(place) => onChange({ ...target, ...place })} />}
    </Stack>
  )
}

function ScanError({ error, onPin }: { error: NonNullable<RemoteScan['error']>; onPin: (host: string, port: number, fingerprint: string) => void }) {
  const { host, port, fingerprint } = error.facts
  if (error.code !== 'HOST_KEY_UNKNOWN' || typeof host !== 'string' || typeof port !== 'number' || typeof fingerprint !== 'string') return <ProblemAlert error={error} />
  return (
    <Alert color="orange" role="alert" title="Is this the key of the host?">
      <Stack gap="xs">
        <Text size="sm">{host}:{port} shows the key <Code>{fingerprint}</Code>. Compare it on the host itself: <Code>ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub</Code></Text>
        <Button w="fit-content" size="xs" onClick={() => onPin(host, port, fingerprint)}>It is the same: use this key</Button>
      </Stack>
    </Alert>
  )
}

function Found({ scan, onUse }: { scan: RemoteScan; onUse: (place: Pick<DraftTarget, 'serverType' | 'fields'>) => void }) {
  const places = scan.servers.flatMap((server) => server.slots.map((slot) => ({ server, slot })))
  return (
    <Stack gap="xs" role="region" aria-label="Found on the host">
      {places.length === 0 && <Text size="sm" c="dimmed">No running server with a certificate was found there.</Text>}
      {scan.servers.map(({ key, problem }) => problem && <ProblemNote key={key} error={problem} />)}
      {scan.problems.map((problem) => <ProblemNote key={problem.code + problem.message} error={problem} />)}
      {places.map(({ server, slot }) => (
        <Group key={`${server.key} ${slot.title}`} justify="space-between" wrap="nowrap">
          <div><Text size="sm" style={{ overflowWrap: 'anywhere' }}>{slot.title}</Text><Text size="xs" c="dimmed">{server.title}{slot.names.length > 0 ? `, answers to ${slot.names.join(', ')}` : ''}</Text></div>
          <Button size="xs" variant="light" onClick={() => onUse({ serverType: server.serverType, fields: slot.fields })}>Use this place</Button>
        </Group>
      ))}
    </Stack>
  )
}
