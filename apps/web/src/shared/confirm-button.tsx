import { useState, type ReactNode } from 'react'
import { Button, Group, Modal, Stack, Text, Tooltip, type ButtonProps } from '@mantine/core'
import { ProblemAlert } from './problem-alert.tsx'

interface Props extends Pick<ButtonProps, 'color' | 'variant' | 'size'> {
  label: string
  /** Question over the dialogue. Without one the action starts at once. */
  question?: string
  explanation?: ReactNode
  /** Why it can't be done now; the button stays reachable and says so. */
  whyNot?: string | null
  /** What it does, on hover. */
  hint?: string
  run: () => Promise<unknown>
}

/** A button for an action, with a dialogue that says what will happen. Errors are shown where the button was pressed. */
export function ConfirmButton({ label, question, explanation, whyNot = null, hint, run, ...look }: Props) {
  const [open, setOpen] = useState(false)
  const [running, setRunning] = useState(false)
  const [error, setError] = useState<Error | null>(null)

  const start = async () => {
    setRunning(true)
    setError(null)
    try {
      await run()
      setOpen(false)
    } catch (thrown) {
      setError(thrown instanceof Error ? thrown : new Error(String(thrown)))
      setOpen(true)
    } finally {
      setRunning(false)
    }
  }
  const press = () => {
    if (whyNot !== null) return
    if (question === undefined) return void start()
    setError(null)
    setOpen(true)
  }
  const note = whyNot ?? hint
  const button = <Button {...look} loading={running && !open} onClick={press} {...(whyNot === null ? {} : { 'data-disabled': true, 'aria-disabled': true })}>{label}</Button>
  return (
    <>
      {note ? <Tooltip label={note} multiline maw={320} events={{ hover: true, focus: true, touch: true }}>{button}</Tooltip> : button}
      <Modal opened={open} onClose={() => setOpen(false)} title={question ?? label} centered>
        <Stack>
          {explanation && <Text size="sm" component="div">{explanation}</Text>}
          {error && <ProblemAlert error={error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setOpen(false)}>{error ? 'Close' : 'Cancel'}</Button>
            <Button color={look.color ?? 'indigo'} loading={running} onClick={() => void start()} data-autofocus>{error ? 'Try again' : label}</Button>
          </Group>
        </Stack>
      </Modal>
    </>
  )
}
