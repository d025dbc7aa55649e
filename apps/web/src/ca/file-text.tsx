import { useState, type DragEvent, type ReactNode } from 'react'
import { Button, FileButton, Group, Stack, Text, Textarea } from '@mantine/core'
import { pemOf } from './download.ts'

interface Props {
  label: string
  description?: ReactNode
  value: string
  onChange: (text: string) => void
  error?: ReactNode
  placeholder: string
  /** PEM label for files that hold DER. */
  pemLabel: string
  /** Largest file in bytes. */
  maxBytes?: number
  required?: boolean
  minRows?: number
}

/** A PEM text that is pasted, chosen as a file or dropped as one; DER files become PEM. */
export function FileText({ label, description, value, onChange, error, placeholder, pemLabel, maxBytes = 150_000, required = false, minRows = 6 }: Props) {
  const [over, setOver] = useState(false)
  const [refused, setRefused] = useState<string | null>(null)
  const take = async (file: File | null | undefined) => {
    if (!file) return
    if (file.size > maxBytes) { setRefused(`"${file.name}" has ${Math.round(file.size / 1000)} kB; at most ${Math.round(maxBytes / 1000)} kB are taken.`); return }
    setRefused(null)
    onChange(pemOf(new Uint8Array(await file.arrayBuffer()), pemLabel))
  }
  const drop = (event: DragEvent) => { event.preventDefault(); setOver(false); void take(event.dataTransfer.files[0]) }
  return (
    <Stack gap={6} onDragOver={(event) => { event.preventDefault(); setOver(true) }} onDragLeave={() => setOver(false)} onDrop={drop} style={over ? { outline: '2px dashed var(--mantine-color-indigo-5)', outlineOffset: 4, borderRadius: 8 } : {}}>
      <Textarea
        label={label} description={description} placeholder={placeholder} autosize minRows={minRows} maxRows={14} spellCheck={false} required={required} value={value} onChange={(event) => { setRefused(null); onChange(event.currentTarget.value) }}
        error={refused ?? error} styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 12, whiteSpace: 'pre', overflowX: 'auto' } }}
      />
      <Group gap="xs">
        <FileButton onChange={(file) => void take(file)}>{(props) => <Button {...props} size="compact-sm" variant="default" aria-label={`Choose a file for: ${label}`}>Choose a file</Button>}</FileButton>
        <Text size="xs" c="dimmed">or drop one here; PEM or DER</Text>
        {value !== '' && <Button size="compact-sm" variant="subtle" color="gray" aria-label={`Clear: ${label}`} onClick={() => onChange('')}>Clear</Button>}
      </Group>
    </Stack>
  )
}
