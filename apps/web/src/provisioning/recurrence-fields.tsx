import { NumberInput, Select, TextInput } from '@mantine/core'
import type { DeploymentTiming, RenewalSettings } from '@certloop/api-client'

type Recurrence = Pick<RenewalSettings, 'frequency' | 'weekday' | 'dayOfMonth' | 'time'>
const frequencyWords = { daily: 'Every day', weekly: 'Once a week', monthly: 'Once a month' } as const
const weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']

interface Props { value: Recurrence; onChange: (change: Partial<Recurrence>) => void; problems: Record<string, string>; path: string; disabled?: boolean; often: string; timeLabel: string }

/** Beside fields without a note: the boxes stay in one line. */
export const noteBelow: ('label' | 'input' | 'error' | 'description')[] = ['label', 'input', 'error', 'description']

/** Every day, on a day of the week or of the month; and at what time. */
export function RecurrenceFields({ value, onChange, problems, path, disabled = false, often, timeLabel }: Props) {
  return (
    <>
      <Select label={often} w={190} allowDeselect={false} disabled={disabled} data={Object.entries(frequencyWords).map(([key, label]) => ({ value: key, label }))} value={value.frequency} onChange={(next) => next !== null && onChange({ frequency: next as Recurrence['frequency'] })} error={problems[`${path}.frequency`]} />
      {value.frequency === 'weekly' && <Select label="Day of the week" w={170} allowDeselect={false} disabled={disabled} data={weekdays.map((label, i) => ({ value: String(i + 1), label }))} value={String(value.weekday)} onChange={(next) => next !== null && onChange({ weekday: Number(next) })} error={problems[`${path}.weekday`]} />}
      {value.frequency === 'monthly' && <NumberInput label="Day of the month" description="In a shorter month its last day." inputWrapperOrder={noteBelow} w={170} min={1} max={31} allowDecimal={false} disabled={disabled} value={value.dayOfMonth} onChange={(next) => typeof next === 'number' && onChange({ dayOfMonth: next })} error={problems[`${path}.dayOfMonth`]} />}
      <TextInput label={timeLabel} type="time" w={130} disabled={disabled} value={value.time} onChange={(e) => onChange({ time: e.currentTarget.value })} error={problems[`${path}.time`]} />
    </>
  )
}

const zones = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')]

export function ZoneField({ value, onChange, error, disabled = false }: { value: string; onChange: (zone: string) => void; error: string | undefined; disabled?: boolean }) {
  return <Select label="Time zone" w={240} searchable allowDeselect={false} limit={60} disabled={disabled} data={zones.includes(value) ? zones : [value, ...zones]} value={value} onChange={(next) => next !== null && onChange(next)} error={error} />
}

export const blankWindow: NonNullable<DeploymentTiming['window']> = { frequency: 'weekly', weekday: 6, dayOfMonth: 1, time: '22:00', lengthMinutes: 240 }
