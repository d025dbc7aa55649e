import { useEffect, useState } from 'react'
import { Text } from '@mantine/core'
import { useClock } from './clock.ts'
import { formatClock, formatDate, formatDateTime, formatRelative, formatUtc } from './time.ts'

/** A time in the reader's zone, the exact UTC on hover. `relative` puts "in 3 days" first and keeps it true. */
export function When({ at, form = 'dateTime', inline = false }: { at: string; form?: 'dateTime' | 'date' | 'clock' | 'relative' | 'both'; inline?: boolean }) {
  const now = useMinute()
  const text = { dateTime: formatDateTime, date: formatDate, clock: formatClock, relative: (text: string) => formatRelative(text, now), both: formatDateTime }[form]
  return (
    <time dateTime={at} title={formatUtc(at)}>
      {form === 'both' && <><span>{formatRelative(at, now)}</span>{inline ? ' · ' : ''}</>}
      {form === 'both' ? <Text component="span" size={inline ? 'inherit' : 'xs'} c="dimmed" display={inline ? 'inline' : 'block'} inherit={inline}>{text(at)}</Text> : text(at)}
    </time>
  )
}

/** The present time, anew each half minute. */
export function useMinute(): Date {
  const clock = useClock()
  const [now, setNow] = useState(clock)
  useEffect(() => {
    const timer = setInterval(() => setNow(clock()), 30_000)
    return () => clearInterval(timer)
  }, [clock])
  return now
}
