import { SegmentedControl, Stack, Text } from '@mantine/core'
import type { CertificateDetail, Management } from '@certloop/api-client'
import { useMay, useWrite } from '../shared/api.ts'
import { ProblemAlert } from '../shared/problem-alert.tsx'

const meanings: Record<Management, string> = {
  managed: 'Certloop orders, deploys and renews it as the configuration says.',
  monitored: 'Certloop watches it and warns, and changes nothing.',
  ignored: 'Certloop does not warn about it.',
}

/** Managed, monitored or ignored. */
export function ManagementSwitch({ certificate: { id, management } }: { certificate: CertificateDetail }) {
  const set = useWrite('setManagement')
  const mayWrite = useMay('certificate:write')
  return (
    <Stack gap="xs">
      <SegmentedControl
        aria-label="Care" w="fit-content" disabled={!mayWrite || set.isPending} value={management}
        onChange={(next) => set.mutate({ params: { id }, body: { management: next } })}
        data={[{ value: 'managed', label: 'Managed' }, { value: 'monitored', label: 'Monitored' }, { value: 'ignored', label: 'Ignored' }]}
      />
      <Text size="sm" c="dimmed">{meanings[management]}</Text>
      {set.error && <ProblemAlert error={set.error} />}
    </Stack>
  )
}
