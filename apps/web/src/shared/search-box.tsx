import { useState } from 'react'
import { TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { SearchIcon } from './icons.tsx'

/** A search field that waits until typing pauses. */
export function SearchBox({ label, value, onChange }: { label: string; value: string; onChange: (text: string) => void }) {
  const [{ text, told }, setState] = useState({ text: value, told: value })
  // Changed from outside, e.g. by "Show all" or the browser's way back.
  if (value !== told) setState({ text: value.trim() === text.trim() ? text : value, told: value })
  const tell = useDebouncedCallback(onChange, 250)
  return <TextInput type="search" aria-label={label} placeholder={label} leftSection={<SearchIcon />} w={240} maxLength={200} value={text} onChange={(event) => { setState({ text: event.currentTarget.value, told }); tell(event.currentTarget.value) }} />
}
