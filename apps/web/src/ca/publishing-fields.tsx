import { NumberInput, SimpleGrid, Switch } from '@mantine/core'
import { problemAt } from '../shared/problem.ts'
import type { Publishing } from './issuer-draft.ts'

interface Props { value: Publishing; onChange: (value: Publishing) => void; problems: Record<string, string>; disabled?: boolean; isPublic?: boolean }

export function PublishingFields({ value, onChange, problems, disabled = false, isPublic = false }: Props) {
  const set = (change: Partial<Publishing>) => onChange({ ...value, ...change })
  const number = (given: number | string): number | '' => (typeof given === 'number' ? given : '')
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md">
      <NumberInput label="A list is valid for" description="Hours. A new one comes at half of it; clients that are offline longer refuse." suffix=" hours" placeholder="168 hours" min={1} max={8784} allowDecimal={false} disabled={disabled} value={value.crlHours} onChange={(given) => set({ crlHours: number(given) })} error={problemAt(problems, 'crlHours')} />
      <NumberInput label="An OCSP answer may be kept for" description="Minutes. So long others may still show an old answer after a revocation." suffix=" minutes" placeholder={isPublic ? '2880 minutes' : '60 minutes'} min={1} max={10_080} allowDecimal={false} disabled={disabled} value={value.ocspMinutes} onChange={(given) => set({ ocspMinutes: number(given) })} error={problemAt(problems, 'ocspMinutes')} />
      <NumberInput label="Parts of the list" description="New certificates are spread among so many smaller lists beside the full one. 0: only the full one. Worth it from some ten thousand certificates on." placeholder="0" min={0} max={1024} allowDecimal={false} disabled={disabled} value={value.crlShards} onChange={(given) => set({ crlShards: number(given) })} error={problemAt(problems, 'crlShards')} />
      <Switch label="Delta lists" description="Short lists of what changed since the full one. Few clients read them." disabled={disabled} checked={value.deltaCrl} onChange={(event) => set({ deltaCrl: event.currentTarget.checked })} error={problemAt(problems, 'deltaCrl')} />
    </SimpleGrid>
  )
}
