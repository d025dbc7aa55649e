import { Button, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import type { Bot } from '@certloop/api-client'
import { useMay, useRead } from '../shared/api.ts'
import { DataTable, type Column } from '../shared/data-table.tsx'
import { TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { Empty, Page, Section } from '../shared/page.tsx'
import { StateBadge } from '../shared/state-badge.tsx'
import { When } from '../shared/when.tsx'
import { AddBot } from './add-bot.tsx'

export const purposes: Record<Bot['purpose'], string> = { both: 'Finds and deploys', discovery: 'Only finds', provisioning: 'Only deploys' }

const columns: Column<Bot>[] = [
  { id: 'status', header: 'Status', width: 150, cell: ({ status }) => <StateBadge state={status} /> },
  { id: 'name', header: 'Name', cell: ({ id, name, host }) => <><TextLink to="/bots/$id" params={{ id }} fw={600}>{name}</TextLink>{host && <Text size="xs" c="dimmed">{host.hostName}, {host.os} {host.osVersion}</Text>}</> },
  { id: 'purpose', header: 'Purpose', cell: ({ purpose }) => purposes[purpose] },
  { id: 'servers', header: 'Servers', width: 90, cell: ({ serverCount }) => serverCount },
  { id: 'contact', header: 'Last contact', width: 200, cell: ({ lastContactAt, tokenExpiresAt }) => (
    lastContactAt !== null ? <When at={lastContactAt} form="both" /> : tokenExpiresAt === null ? 'Never' : <Text size="sm" c="dimmed">Join token ends <When at={tokenExpiresAt} form="relative" /></Text>
  ) },
  { id: 'version', header: 'Version', width: 100, cell: ({ version }) => version ?? '–' },
]

export function BotsPage() {
  const result = useRead('listBots', {})
  const [adding, dialogue] = useDisclosure(false)
  const add = useMay('bot:write') && <Button onClick={dialogue.open}>Add bot</Button>
  return (
    <Page title="Bots" summary="Agents on your hosts. They find the certificates there and install new ones; they only dial out." actions={add}>
      <Section title="Bots">
        <Loaded result={result}>
          {({ items }) => (items.length === 0
            ? <Empty title="No bots yet" action={add}>Add one to get a command; run it on the host whose certificates you want under care.</Empty>
            : <DataTable label="Bots" rows={items} rowId={({ id }) => id} columns={columns} />)}
        </Loaded>
      </Section>
      <AddBot opened={adding} onClose={dialogue.close} />
    </Page>
  )
}
