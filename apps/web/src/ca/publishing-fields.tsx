import { NumberInput, SimpleGrid, Switch } from '@mantine/core'
import { problemAt } from '../shared/problem.ts'

/** How an issuer publishes, as a form has it; '' while a number is being written. */
export interface Publishing { crlShards: number | ''; crlHours: number | ''; deltaCrl: boolean; ocspMinutes: number | '' }

export const usualPublishing: Publishing = { crlShards: 0, crlHours: 168, deltaCrl: false, ocspMinutes: 60 }

/** What is left empty is left out: then what was there before holds. */
export function publishingOf({ crlShards, crlHours, deltaCrl, ocspMinutes }: Publishing): { crlShards?: number; crlHours?: number; deltaCrl: boolean; ocspMinutes?: number } {
  return { ...(crlShards === '' ? {} : { crlShards }), ...(crlHours === '' ? {} : { crlHours }), deltaCrl, ...(ocspMinutes === '' ? {} : { ocspMinutes }) }
}

interface Props { value: Publishing; onChange: (value: Publishing) => void; problems: Record<string, string>; disabled?: boolean }

export function PublishingFields({ value, onChange, problems, disabled = false }: Props) {
  const set = (change: Partial<Publishing>) => onChange({ ...value, ...change })
  const number = (given: number | string): number | '' => (typeof given === 'number' ? given : '')
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md">
      <NumberInput label="A list is valid for" description="Hours. A new one comes at half of it; clients that are offline longer refuse." suffix=" hours" min={1} max={8784} allowDecimal={false} disabled={disabled} value={value.crlHours} onChange={(given) => set({ crlHours: number(given) })} error={problemAt(problems, 'crlHours')} />
      <NumberInput label="An OCSP answer may be kept for" description="Minutes. So long others may still show an old answer after a revocation." suffix=" minutes" min={1} max={10_080} allowDecimal={false} disabled={disabled} value={value.ocspMinutes} onChange={(given) => set({ ocspMinutes: number(given) })} error={problemAt(problems, 'ocspMinutes')} />
      <NumberInput label="Parts of the list" description="New certificates are spread among so many smaller lists beside the full one. 0: only the full one. Worth it from some ten thousand certificates on." min={0} max={1024} allowDecimal={false} disabled={disabled} value={value.crlShards} onChange={(given) => set({ crlShards: number(given) })} error={problemAt(problems, 'crlShards')} />
      <Switch label="Delta lists" description="Short lists of what changed since the full one. Few clients read them." disabled={disabled} checked={value.deltaCrl} onChange={(event) => set({ deltaCrl: event.currentTarget.checked })} error={problemAt(problems, 'deltaCrl')} />
    </SimpleGrid>
  )
}
