import { List } from '@mantine/core'
import type { ScheduledRun } from '@certloop/api-client'
import { When } from '../shared/when.tsx'

const words: Record<ScheduledRun['what'], string> = { renew: 'Renewal', deploy: 'Deployment' }

/** What the scheduler will do next, with the reason of each run. */
export function NextRuns({ runs }: { runs: readonly ScheduledRun[] }) {
  return <List size="sm" spacing={4} aria-label="Next runs">{runs.map(({ at, what, why }) => <List.Item key={`${at} ${what}`}><b>{words[what]}</b> <When at={at} form="both" inline />. {why}</List.Item>)}</List>
}
