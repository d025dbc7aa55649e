import type { ReactNode } from 'react'
import { useDocumentTitle } from '@mantine/hooks'
import { Box, Breadcrumbs, EmptyState, Group, Paper, Stack, Text, Title } from '@mantine/core'

interface PageProps {
  title: string
  /** Beside the title, e.g. a status. */
  beside?: ReactNode
  /** Way back, e.g. a link to the list. */
  above?: ReactNode
  summary?: ReactNode
  actions?: ReactNode
  /** A row of its own for many actions. */
  toolbar?: ReactNode
  children: ReactNode
}

/** Frame of every page: title, summary, actions, content. */
export function Page({ title, beside, above, summary, actions, toolbar, children }: PageProps) {
  useDocumentTitle(`${title} · Certloop`)
  return (
    <Stack gap="lg">
      <Group justify="space-between" align="flex-end" gap="md">
        <Box miw={0} flex="1 1 26rem">
          {above && <Breadcrumbs mb={4} fz="sm">{above}</Breadcrumbs>}
          <Group gap="sm" wrap="nowrap">
            <Title order={1} size="h2" style={{ overflowWrap: 'anywhere' }}>{title}</Title>
            {beside}
          </Group>
          {summary && <Text component="div" c="dimmed" size="sm" mt={4}>{summary}</Text>}
        </Box>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {toolbar && <Group gap="xs" role="toolbar" aria-label="Actions">{toolbar}</Group>}
      {children}
    </Stack>
  )
}

/** One part of a page, with its own title; `heading` stands in place of a visible one. */
export function Section({ title, help, actions, heading, children }: { title: string; help?: ReactNode; actions?: ReactNode; heading?: ReactNode; children: ReactNode }) {
  return (
    <Paper component="section" withBorder p="md" aria-label={title}>
      {heading ?? (
        <Group justify="space-between" mb="sm" gap="sm">
          <div>
            <Title order={2} size="h5">{title}</Title>
            {help && <Text size="sm" c="dimmed" component="div">{help}</Text>}
          </div>
          {actions && <Group gap="xs">{actions}</Group>}
        </Group>
      )}
      {children}
    </Paper>
  )
}

/** Nothing there yet, and what to do next. */
export function Empty({ title, children, action }: { title: string; children: ReactNode; action?: ReactNode }) {
  return (
    <EmptyState size="sm" py="xl" title={title} description={children}>
      {action && <EmptyState.Actions>{action}</EmptyState.Actions>}
    </EmptyState>
  )
}
