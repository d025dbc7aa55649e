import { Button, Group, NumberInput, Select, Stack, Text, TextInput } from '@mantine/core'
import type { DeploymentTiming } from '@certloop/api-client'
import { problemAt } from '../shared/problem.ts'
import { blankWindow, noteBelow, RecurrenceFields, ZoneField } from './recurrence-fields.tsx'

interface Props { timing: DeploymentTiming; onChange: (timing: DeploymentTiming) => void; problems: Record<string, string> }

const whens = { immediately: 'At once', at: 'Not before a day and time', window: 'In a window that comes again' } as const

/** When what was renewed by itself is deployed. */
export function TimingFields({ timing, onChange, problems }: Props) {
  const set = (part: Partial<DeploymentTiming>) => onChange({ ...timing, ...part })
  const { when, window, freezes } = timing
  return (
    <Stack gap="sm">
      <Group align="flex-start" gap="md">
        <Select
          label="When it is deployed" w={250} allowDeselect={false} data={Object.entries(whens).map(([value, label]) => ({ value, label }))} value={when} error={problems['deployment.when'] ?? problems['deployment.window']}
          onChange={(value) => value !== null && set({ when: value as DeploymentTiming['when'], ...(value === 'window' && window === null ? { window: blankWindow } : {}) })}
        />
        {when === 'at' && <TextInput label="Day and time" type="datetime-local" w={230} value={timing.at ?? ''} onChange={(e) => set({ at: e.currentTarget.value === '' ? null : e.currentTarget.value.slice(0, 16) })} error={problems['deployment.at']} required />}
        {when === 'window' && window && (
          <>
            <RecurrenceFields value={window} onChange={(part) => set({ window: { ...window, ...part } })} problems={problems} path="deployment.window" often="How often it opens" timeLabel="Begins at" />
            <NumberInput label="Length" w={140} suffix=" min" min={5} max={10_080} allowDecimal={false} value={window.lengthMinutes} onChange={(value) => typeof value === 'number' && set({ window: { ...window, lengthMinutes: value } })} error={problems['deployment.window.lengthMinutes']} />
          </>
        )}
        {(when !== 'immediately' || freezes.length > 0) && <ZoneField value={timing.zone} onChange={(zone) => set({ zone })} error={problems['deployment.zone']} />}
      </Group>
      {freezes.map((freeze, at) => {
        const setFreeze = (part: Partial<typeof freeze>) => set({ freezes: freezes.with(at, { ...freeze, ...part }) })
        return (
          // They have no identity of their own.
          <Group key={`${at}`} gap="sm" align="flex-start" role="group" aria-label={`Freeze period ${at + 1}`}>
            <TextInput label="Frozen from" type="datetime-local" w={220} value={freeze.from} onChange={(e) => setFreeze({ from: e.currentTarget.value.slice(0, 16) })} error={problemAt(problems, `deployment.freezes.${at}.from`)} />
            <TextInput label="Frozen until" type="datetime-local" w={220} value={freeze.to} onChange={(e) => setFreeze({ to: e.currentTarget.value.slice(0, 16) })} error={problemAt(problems, `deployment.freezes.${at}.to`)} />
            <TextInput label="Reason" w={240} maw="100%" maxLength={200} value={freeze.reason} onChange={(e) => setFreeze({ reason: e.currentTarget.value })} error={problemAt(problems, `deployment.freezes.${at}.reason`)} />
            <Button size="xs" mt={27} variant="subtle" color="red" onClick={() => set({ freezes: freezes.toSpliced(at, 1) })}>Remove freeze period {at + 1}</Button>
          </Group>
        )
      })}
      <Group gap="md">
        <Button size="xs" variant="default" disabled={freezes.length >= 50} onClick={() => set({ freezes: [...freezes, { from: '', to: '', reason: '' }] })}>Add a freeze period</Button>
        <Text size="xs" c="dimmed">In a freeze period nothing is deployed by itself. Those of the whole platform hold as well.</Text>
      </Group>
      {(when !== 'immediately' || freezes.length > 0) && (
        <NumberInput
          label="Deploy at once when so many days are left" description="Then windows and freeze periods no longer count, and the timeline says so. Empty: they always hold, even if what is served ends." w={420} maw="100%" inputWrapperOrder={noteBelow} min={0} max={120} allowDecimal={false}
          value={timing.beforeExpiryDays ?? ''} onChange={(value) => set({ beforeExpiryDays: typeof value === 'number' ? value : null })} error={problems['deployment.beforeExpiryDays']}
        />
      )}
    </Stack>
  )
}
