import { Button, Group, NumberInput, Select, Stack, Switch, Text, TextInput } from '@mantine/core'
import type { RolloutSettings } from '@certloop/api-client'
import { problemAt } from '../shared/problem.ts'
import { noteBelow } from './recurrence-fields.tsx'

interface Props { rollout: RolloutSettings; onChange: (rollout: RolloutSettings) => void; problems: Record<string, string> }

const modes = { 'together': 'All at once', 'in-order': 'One after the other, as listed', 'waves': 'In waves' } as const
const ends = { keep: 'Keep what was deployed', undo: 'Take everything back' } as const
const choices = (words: Record<string, string>) => Object.entries(words).map(([value, label]) => ({ value, label }))

/** In which order several targets get a new version, and when that stops. */
export function RolloutFields({ rollout, onChange, problems }: Props) {
  const set = (part: Partial<RolloutSettings>) => onChange({ ...rollout, ...part })
  return (
    <Stack gap="sm">
      <Group align="flex-start" gap="md">
        <Select label="Order" w={260} allowDeselect={false} data={choices(modes)} value={rollout.mode} onChange={(value) => value !== null && set({ mode: value as RolloutSettings['mode'] })} error={problems['rollout.mode']} />
        <NumberInput label="Canary" description="So many targets first, alone." inputWrapperOrder={noteBelow} w={180} min={0} max={100} allowDecimal={false} value={rollout.canary} onChange={(value) => typeof value === 'number' && set({ canary: value })} error={problems['rollout.canary']} />
        <NumberInput label="Stop after failures" description="No further wave then." inputWrapperOrder={noteBelow} w={180} min={1} max={1000} allowDecimal={false} value={rollout.stopAfterFailures} onChange={(value) => typeof value === 'number' && set({ stopAfterFailures: value })} error={problems['rollout.stopAfterFailures']} />
        <Select label="When it stops" w={220} allowDeselect={false} data={choices(ends)} value={rollout.onStop} onChange={(value) => value !== null && set({ onStop: value as RolloutSettings['onStop'] })} error={problems['rollout.onStop']} />
      </Group>
      {rollout.mode === 'waves' && <Waves {...{ rollout, onChange, problems }} />}
      <Gate {...{ rollout, onChange, problems }} />
    </Stack>
  )
}

function Waves({ rollout, onChange, problems }: Props) {
  const { waves } = rollout
  const setWave = (at: number, wave: RolloutSettings['waves'][number]) => onChange({ ...rollout, waves: waves.with(at, wave) })
  return (
    <Stack gap="xs">
      {waves.map((wave, at) => (
        // They are what stands in them, in this order.
        <Group key={`${at}`} gap="sm" align="flex-start" role="group" aria-label={`Wave ${at + 1}`}>
          <Select label={`Wave ${at + 1}`} w={240} maw="100%" allowDeselect={false} data={[{ value: 'share', label: 'A share of what is left' }, { value: 'label', label: 'All with a label' }]} value={wave.label === null ? 'share' : 'label'} onChange={(value) => setWave(at, value === 'label' ? { share: null, label: '' } : { share: 50, label: null })} />
          {wave.label === null
            ? <NumberInput label="Share" w={120} suffix=" %" min={1} max={100} allowDecimal={false} value={wave.share ?? ''} onChange={(value) => setWave(at, { share: typeof value === 'number' ? value : null, label: null })} error={problemAt(problems, `rollout.waves.${at}`)} />
            : <TextInput label="Label" w={180} maxLength={60} value={wave.label} onChange={(e) => setWave(at, { share: null, label: e.currentTarget.value })} error={problemAt(problems, `rollout.waves.${at}`)} />}
          <Button size="xs" mt={27} variant="subtle" color="red" onClick={() => onChange({ ...rollout, waves: waves.toSpliced(at, 1) })}>Remove wave {at + 1}</Button>
        </Group>
      ))}
      <Group gap="md">
        <Button size="xs" variant="default" disabled={waves.length >= 20} onClick={() => onChange({ ...rollout, waves: [...waves, { share: 50, label: null }] })}>Add a wave</Button>
        <Text size="xs" c="dimmed">What no wave takes goes last.</Text>
      </Group>
    </Stack>
  )
}

function Gate({ rollout, onChange, problems }: Props) {
  const { gate } = rollout
  const set = (part: Partial<RolloutSettings['gate']>) => onChange({ ...rollout, gate: { ...gate, ...part } })
  const check = gate.httpCheck
  return (
    <Stack gap="xs">
      <Group align="flex-start" gap="md">
        <NumberInput label="Watch each wave for" description="Before the next one begins." inputWrapperOrder={noteBelow} w={180} suffix=" s" min={0} max={604_800} allowDecimal={false} value={gate.soakSeconds} onChange={(value) => typeof value === 'number' && set({ soakSeconds: value })} error={problems['rollout.gate.soakSeconds']} />
        <Switch label="A person lets it go on after the first wave" mt={32} error={problems['rollout.gate.approval']} checked={gate.approval} onChange={(e) => set({ approval: e.currentTarget.checked })} />
      </Group>
      <Switch label="Ask a page of each target" description="Besides the handshake that proves the certificate." error={problems['rollout.gate.httpCheck']} checked={check !== null} onChange={(e) => set({ httpCheck: e.currentTarget.checked ? { url: 'https://{host}/', status: 200, timeoutSeconds: 10 } : null })} />
      {check && (
        <Group align="flex-start" gap="md">
          <TextInput label="Address" description="{host} stands for the target's host." inputWrapperOrder={noteBelow} w={340} maw="100%" maxLength={2000} value={check.url} onChange={(e) => set({ httpCheck: { ...check, url: e.currentTarget.value } })} error={problemAt(problems, 'rollout.gate.httpCheck.url')} />
          <NumberInput label="Answer to be given" w={150} min={100} max={599} allowDecimal={false} value={check.status} onChange={(value) => typeof value === 'number' && set({ httpCheck: { ...check, status: value } })} error={problemAt(problems, 'rollout.gate.httpCheck.status')} />
          <NumberInput label="Within" w={110} suffix=" s" min={1} max={60} allowDecimal={false} value={check.timeoutSeconds} onChange={(value) => typeof value === 'number' && set({ httpCheck: { ...check, timeoutSeconds: value } })} error={problemAt(problems, 'rollout.gate.httpCheck.timeoutSeconds')} />
        </Group>
      )}
    </Stack>
  )
}
