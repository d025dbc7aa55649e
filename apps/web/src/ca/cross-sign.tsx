import { useState, type FormEvent } from 'react'
import { Button, Group, Modal, NumberInput, Select, Stack, Text } from '@mantine/core'
import type { Issuer } from '@certloop/api-client'
import { useWrite } from '../shared/api.ts'
import { tell } from '../shared/notify.ts'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { fieldProblems } from '../shared/problem.ts'
import { signersOf } from './ca-words.ts'

/** Lets another issuer here certify the key of this one. */
export function CrossSignDialogue({ issuer: { id, name, style }, all, onClose }: { issuer: Issuer; all: readonly Issuer[]; onClose: () => void }) {
  const signers = signersOf({ id, style }, all)
  const [signer, setSigner] = useState<string | null>(signers[0]?.id ?? null)
  const [days, setDays] = useState<number | ''>(1826)
  const cross = useWrite('crossSignIssuer', () => { tell(`${name} has a cross-certificate.`); onClose() })
  const problems = fieldProblems(cross.error)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (signer !== null && days !== '') cross.mutate({ params: { id }, body: { signedBy: signer as Issuer['id'], validityDays: days } })
  }
  return (
    <Modal opened onClose={onClose} title={`Cross-sign ${name}`} size="lg">
      <form onSubmit={submit}>
        <Stack>
          <Text size="sm">The issuer you choose certifies the key of {name}. Clients that trust only that issuer then accept what {name} signs, when they get the cross-certificate with it. The certificate it has stays the preferred one until you prefer the new one.</Text>
          {cross.error && <ProblemAlert error={cross.error} />}
          <Select label="Signed by" allowDeselect={false} data={signers.map((one) => ({ value: one.id, label: one.name }))} value={signer} onChange={setSigner} error={problems.signedBy ?? problems.pathLength} />
          <NumberInput label="Lifetime in days" min={1} max={9132} allowDecimal={false} required value={days} onChange={(value) => setDays(typeof value === 'number' ? value : '')} error={problems.validityDays} />
          <Group justify="flex-end"><Button variant="default" onClick={onClose}>Cancel</Button><Button type="submit" loading={cross.isPending}>Cross-sign</Button></Group>
        </Stack>
      </form>
    </Modal>
  )
}
