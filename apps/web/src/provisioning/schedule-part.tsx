import { Fieldset, Group, NumberInput, Radio, Select, Stack, Switch, TextInput } from '@mantine/core'
import type { Change, Draft } from './draft.ts'

const zones = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')]

/** When it is renewed, and how new versions are deployed. */
export function SchedulePart({ draft, change, problems }: { draft: Draft; change: Change; problems: Record<string, string> }) {
  const { renewal } = draft
  const setRenewal = (part: Partial<Draft['renewal']>) => change({ renewal: { ...renewal, ...part } })
  return (
    <Stack>
      <Switch label="Renew by itself" description="Without it, you start every renewal yourself." checked={renewal.enabled} onChange={(e) => setRenewal({ enabled: e.currentTarget.checked })} />
      <Group align="flex-start" gap="md">
        <NumberInput label="Days before expiry" w={160} min={1} max={120} allowDecimal={false} disabled={!renewal.enabled} value={renewal.daysBefore} onChange={(value) => typeof value === 'number' && setRenewal({ daysBefore: value })} error={problems['renewal.daysBefore']} />
        <TextInput label="Time of day" type="time" w={130} disabled={!renewal.enabled} value={renewal.time} onChange={(e) => setRenewal({ time: e.currentTarget.value })} error={problems['renewal.time']} />
        <Select label="Time zone" w={240} searchable allowDeselect={false} limit={60} disabled={!renewal.enabled} data={zones.includes(renewal.zone) ? zones : [renewal.zone, ...zones]} value={renewal.zone} onChange={(value) => value !== null && setRenewal({ zone: value })} error={problems['renewal.zone']} />
      </Group>
      <Fieldset legend="Deployment of new versions">
        <Stack gap="sm">
          <Switch label="Deploy after renewal" description="Off: a renewed version waits until you deploy it." checked={draft.deployAfterRenewal} onChange={(e) => change({ deployAfterRenewal: e.currentTarget.checked })} />
          <Switch label="Roll back when a deployment fails" description="What was served before is put back and proven." checked={draft.rollback} onChange={(e) => change({ rollback: e.currentTarget.checked })} />
          <Radio.Group label="Plan approval" value={draft.approval} onChange={(value) => change({ approval: value })} error={problems.approval}>
            <Group mt={4} gap="lg">
              <Radio value="automatic" label="Automatic: plans are carried out at once" />
              <Radio value="manual" label="By a person: every plan waits for approval" />
            </Group>
          </Radio.Group>
        </Stack>
      </Fieldset>
    </Stack>
  )
}
