import { Text } from '@mantine/core'

/** Names beside the one a row is headed by: the first two, and how many more; all of them as a tip. */
export function OtherNames({ names }: { names: readonly string[] }) {
  if (names.length === 0) return null
  return <Text size="xs" c="dimmed" title={names.join('\n')}>{names.slice(0, 2).join(', ')}{names.length > 2 ? ` and ${names.length - 2} more` : ''}</Text>
}
