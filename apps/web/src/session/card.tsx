import type { ReactNode } from 'react'
import { Box, Center, Group, Paper, Stack, Text, Title } from '@mantine/core'
import { LogoIcon } from '../shared/icons.tsx'

/** The frame of the pages before the pages. */
export function SessionCard({ title, help, children }: { title: string; help: string; children: ReactNode }) {
  return (
    <Center component="main" mih="100vh" p="md">
      <Stack w={400} maw="100%">
        <Group gap="xs" justify="center"><Box c="indigo" display="flex"><LogoIcon size={32} /></Box><Text fw={700} fz={26}>Certloop</Text></Group>
        <Paper withBorder p="xl" shadow="sm">
          <Title order={1} size="h4">{title}</Title>
          <Text size="sm" c="dimmed" mb="md">{help}</Text>
          {children}
        </Paper>
      </Stack>
    </Center>
  )
}
