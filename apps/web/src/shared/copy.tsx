import { ActionIcon, Button, Code, CopyButton, Group, Tooltip } from '@mantine/core'
import { CheckIcon, CopyIcon } from './icons.tsx'

/** A small button that copies a text. */
export function CopyIconButton({ text, label }: { text: string; label: string }) {
  return (
    <CopyButton value={text}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? 'Copied' : label}>
          <ActionIcon variant="subtle" color={copied ? 'teal' : 'gray'} size="sm" aria-label={label} onClick={copy}>{copied ? <CheckIcon /> : <CopyIcon />}</ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  )
}

/** The start of a fingerprint; the whole of it on hover and to copy. */
export function Fingerprint({ value, digits = 16 }: { value: string; digits?: number }) {
  return (
    <Group gap={2} wrap="nowrap" display="inline-flex">
      <Code title={value}>{value.slice(0, digits)}…</Code>
      <CopyIconButton text={value} label="Copy the whole fingerprint" />
    </Group>
  )
}

/** A text to paste elsewhere, in full, with a button. */
export function CopyBlock({ text, label }: { text: string; label: string }) {
  return (
    <div>
      <Code block aria-label={label} style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{text}</Code>
      <CopyButton value={text}>
        {({ copied, copy }) => <Button mt="xs" size="xs" variant="light" color={copied ? 'teal' : 'indigo'} leftSection={copied ? <CheckIcon /> : <CopyIcon />} onClick={copy}>{copied ? 'Copied' : `Copy ${label.toLowerCase()}`}</Button>}
      </CopyButton>
    </div>
  )
}
