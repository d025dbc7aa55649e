import { useState, type FormEvent } from 'react'
import { Button, Group, Stack, Text } from '@mantine/core'
import type { Issuer } from '@certloop/api-client'
import { useWrite } from '../shared/api.ts'
import { tell } from '../shared/notify.ts'
import { Section } from '../shared/page.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { fieldProblems } from '../shared/problem.ts'
import { publishingOf, type Publishing } from './issuer-draft.ts'
import { useForbidden } from './may.ts'
import { PublishingFields } from './publishing-fields.tsx'

/** How an issuer publishes; what its certificate says can't be changed. */
export function IssuerSettings({ issuer: { id, crlShards, crlHours, deltaCrl, ocspMinutes, keySource, style } }: { issuer: Issuer }) {
  const before: Publishing = { crlShards, crlHours, deltaCrl, ocspMinutes }
  const [draft, setDraft] = useState(before)
  const forbidden = useForbidden('ca:write')
  const save = useWrite('configureIssuer', () => tell('Saved. Its lists are made anew.'))
  if (keySource === 'outside') return null
  const changed = JSON.stringify(draft) !== JSON.stringify(before)
  const submit = (event: FormEvent) => { event.preventDefault(); save.mutate({ params: { id }, body: publishingOf(draft) }) }
  return (
    <Section title="Publishing" help="How it tells others what is revoked.">
      <form onSubmit={submit}>
        <Stack>
          {save.error && <ProblemAlert error={save.error} />}
          <PublishingFields value={draft} onChange={setDraft} problems={fieldProblems(save.error)} disabled={forbidden !== null} isPublic={style === 'public'} />
          {forbidden !== null ? <Text size="sm" c="dimmed">{forbidden}</Text> : (
            <Group>
              <Button type="submit" disabled={!changed} loading={save.isPending}>Save</Button>
              {changed && <Button variant="default" onClick={() => setDraft(before)}>Undo changes</Button>}
            </Group>
          )}
        </Stack>
      </form>
    </Section>
  )
}
