import { Alert, Code, Stack, Text } from '@mantine/core'
import type { CertificateDetail, Target } from '@certloop/api-client'
import { useMay, useWrite } from '../shared/api.ts'
import { ConfirmButton } from '../shared/confirm-button.tsx'
import { tell } from '../shared/notify.ts'
import { When } from '../shared/when.tsx'

/** Keys of hosts that wait for a person to compare and confirm them. A changed key is never offered: it has to be edited in the configuration. */
export function UnknownHostKeys({ certificate: { id, configuration } }: { certificate: CertificateDetail }) {
  return (configuration?.targets ?? []).map((target) => <UnknownHostKey key={target.id} id={id} target={target} />)
}

function UnknownHostKey({ id, target: { id: targetId, title, seenHostKey } }: { id: CertificateDetail['id']; target: Target }) {
  const confirm = useWrite('confirmHostKey', () => tell('The host key is confirmed. Deploy or rotate now.'))
  const may = useMay('certificate:write')
  if (seenHostKey === null) return null
  const { host, port, fingerprint, at } = seenHostKey
  return (
    <Alert color="orange" role="alert" mb="md" title="A host key has to be confirmed" data-code="HOST_KEY_UNKNOWN">
      <Stack gap="xs" align="flex-start">
        <Text size="sm">On the way to {title}, {host}:{port} showed the key <Code>{fingerprint}</Code> (<When at={at} form="both" inline />). Nobody has confirmed it yet, so no password or key was sent there.</Text>
        {may && (
          <ConfirmButton
            label="Confirm this key" size="xs" question={`Is this the key of ${host}?`} run={() => confirm.mutateAsync({ params: { id, targetId }, body: { fingerprint } })}
            explanation={<>Compare <Code>{fingerprint}</Code> with what the host itself says: <Code>ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub</Code>. Once confirmed, another key stops every deployment.</>}
          />
        )}
      </Stack>
    </Alert>
  )
}
