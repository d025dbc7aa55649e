import { Alert, Badge, Button, Group, List, Stack, Text, Title } from '@mantine/core'
import type { Order, Validation } from '@certloop/api-client'
import { useMay, usePages, useWrite } from '../shared/api.ts'
import { Loaded } from '../shared/loaded.tsx'
import { ProblemAlert, ProblemNote } from '../shared/problem-alert.tsx'
import { Section } from '../shared/page.tsx'
import { When } from '../shared/when.tsx'
import { ExpectedProof } from './expected-proof.tsx'
import { isOpen } from './look-words.ts'
import { LastLook } from './outside-look.tsx'
import { validationLooks, validationWord } from './validation-words.ts'

/** The names that an order has to prove: what is expected, what was seen, and what a person has to do. */
export function ValidationList({ orderId }: { orderId: Order['id'] }) {
  const { items, more, ...result } = usePages('listValidations', { query: { orderId } })
  const waiting = items?.filter(isForPerson).length ?? 0
  return (
    <Loaded result={result}>
      {() => (items === undefined || items.length === 0 ? null : (
        <Section title="Validation" help="The authority is told to look once the proof can be seen from outside.">
          <Stack>
            {waiting > 0 && <Alert color="violet" role="status" title="It waits for a person">{waiting === 1 ? 'One proof has' : `${waiting} proofs have`} to be placed by hand. Nothing has to be pressed afterwards: it is looked for, and the order goes on by itself.</Alert>}
            {items.toSorted((a, b) => Number(isForPerson(b)) - Number(isForPerson(a))).map((validation) => <OneValidation key={validation.id} validation={validation} />)}
            {more.hasMore && <Button variant="default" size="xs" onClick={more.load} loading={more.loading}>Show more names</Button>}
          </Stack>
        </Section>
      ))}
    </Loaded>
  )
}

const isForPerson = ({ state, instructions }: Validation) => state === 'waiting' && instructions.length > 0

function OneValidation({ validation }: { validation: Validation }) {
  const { id, name, wildcard, method, state, authorityName, reason, nextAction, deadline, error, instructions, expected, cleanup } = validation
  const check = useWrite('checkValidation')
  const mayCheck = useMay('order:write') && isOpen(validation)
  const fullName = wildcard ? `*.${name}` : name
  return (
    <Stack gap="xs" data-validation={id} role="group" aria-label={fullName} pb="sm" style={{ borderBottom: '1px solid var(--mantine-color-default-border)' }}>
      <Group justify="space-between">
        <Group gap="xs" miw={0}>
          <Title order={3} size="h6" style={{ overflowWrap: 'anywhere' }}>{fullName}</Title>
          <Badge variant="dot" color={validationLooks[state].color} data-state={state} style={{ flexShrink: 0 }}>{validationLooks[state].label}</Badge>
          <Text size="sm" c="dimmed">{validationWord(method)}, for {authorityName}</Text>
        </Group>
        {mayCheck && <Button size="xs" variant="default" aria-label={`Look now for ${fullName}`} loading={check.isPending} onClick={() => check.mutate({ params: { id } })}>Look now</Button>}
      </Group>
      <Text size="sm">{reason}{nextAction !== null && <> <b>Next:</b> {nextAction}</>}{isOpen(validation) && deadline !== null && <> Until <When at={deadline} form="both" inline />.</>}</Text>
      {check.error && <ProblemAlert error={check.error} />}
      {error && state !== 'waiting' && <ProblemNote error={error} said={reason} />}
      {isOpen(validation) && expected && <ExpectedProof expected={expected} />}
      {isOpen(validation) && instructions.length > 0 && <List type="ordered" size="sm" aria-label={`What to do for ${fullName}`}>{instructions.map((line) => <List.Item key={line} style={{ overflowWrap: 'anywhere' }}>{line}</List.Item>)}</List>}
      <LastLook validation={validation} />
      {cleanup === 'stuck' && <Text size="sm" c="orange">What was placed could not be removed yet; it is tried again.</Text>}
    </Stack>
  )
}
