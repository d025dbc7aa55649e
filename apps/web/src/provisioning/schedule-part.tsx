import { Fieldset, Group, NumberInput, Radio, Select, Stack, Switch, TextInput } from '@mantine/core'
import type { Change, Draft } from './draft.ts'
import { noteBelow, RecurrenceFields, ZoneField } from './recurrence-fields.tsx'
import { TimingFields } from './timing-fields.tsx'

export interface SchedulePartProps { draft: Draft; change: Change; problems: Record<string, string> }

/** When it is renewed, and when new versions are deployed. */
export function SchedulePart({ draft, change, problems }: SchedulePartProps) {
  return (
    <Stack>
      <Fieldset legend="Renewal"><Stack gap="sm"><RenewalFields {...{ draft, change, problems }} /></Stack></Fieldset>
      <Fieldset legend="Deployment of new versions">
        <Stack gap="sm">
          <Switch label="Deploy after renewal" description="Off: a renewed version waits until you deploy it." error={problems.deployAfterRenewal} checked={draft.deployAfterRenewal} onChange={(e) => change({ deployAfterRenewal: e.currentTarget.checked })} />
          {draft.deployAfterRenewal && <TimingFields timing={draft.deployment} onChange={(deployment) => change({ deployment })} problems={problems} />}
          <Switch label="Roll back when a deployment fails" description="What was served before is put back and proven." error={problems.rollback} checked={draft.rollback} onChange={(e) => change({ rollback: e.currentTarget.checked })} />
          <Radio.Group label="Plan approval" value={draft.approval} onChange={(value) => change({ approval: value })} error={problems.approval}>
            <Group mt={4} gap="md">
              <Radio value="automatic" label="Automatic: plans are carried out at once" />
              <Radio value="manual" label="By a person: every plan waits for approval" />
            </Group>
          </Radio.Group>
        </Stack>
      </Fieldset>
    </Stack>
  )
}

const methods = {
  'renew': 'Renew: the same names, the key as set above', 'regenerate': 'Regenerate: the same names with a new key', 're-enrol': 'Re-enrol: a new certificate that takes the targets over',
} as const
const triggers = { 'days-before': 'So many days before its end', 'date': 'On a day', 'authority': 'When the authority says so' } as const
const choices = (words: Record<string, string>) => Object.entries(words).map(([value, label]) => ({ value, label }))

function RenewalFields({ draft: { renewal }, change, problems }: SchedulePartProps) {
  const set = (part: Partial<Draft['renewal']>) => change({ renewal: { ...renewal, ...part } })
  const disabled = !renewal.enabled
  return (
    <>
      <Switch label="Renew by itself" description="Off: you start every renewal yourself." error={problems['renewal.enabled']} checked={renewal.enabled} onChange={(e) => set({ enabled: e.currentTarget.checked })} />
      <Group align="flex-start" gap="md">
        <Select label="When" w={250} allowDeselect={false} disabled={disabled} data={choices(triggers)} value={renewal.trigger} onChange={(value) => value !== null && set({ trigger: value as Draft['renewal']['trigger'] })} error={problems['renewal.trigger']} />
        {renewal.trigger === 'date'
          ? <TextInput label="Day" type="date" w={170} disabled={disabled} value={renewal.date ?? ''} onChange={(e) => set({ date: e.currentTarget.value === '' ? null : e.currentTarget.value })} error={problems['renewal.date']} required />
          : <NumberInput label="Days before expiry" w={160} min={1} max={120} allowDecimal={false} disabled={disabled} value={renewal.daysBefore} onChange={(value) => typeof value === 'number' && set({ daysBefore: value })} error={problems['renewal.daysBefore']} {...(renewal.trigger === 'authority' ? { description: 'Where it gives no window.', inputWrapperOrder: noteBelow } : {})} />}
        <Select label="How" w={380} maw="100%" allowDeselect={false} disabled={disabled} data={choices(methods)} value={renewal.method} onChange={(value) => value !== null && set({ method: value as Draft['renewal']['method'] })} error={problems['renewal.method']} />
      </Group>
      <Group align="flex-start" gap="md">
        <RecurrenceFields value={renewal} onChange={set} problems={problems} path="renewal" disabled={disabled} often="How often it is checked" timeLabel="Time of day" />
        <ZoneField value={renewal.zone} onChange={(zone) => set({ zone })} error={problems['renewal.zone']} disabled={disabled} />
      </Group>
    </>
  )
}
