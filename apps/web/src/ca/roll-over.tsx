import { useState, type FormEvent } from 'react'
import { Button, Group, Modal, NumberInput, Radio, Select, Stack, Text } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { keyAlgorithms, type Issuer, type KeyAlgorithm } from '@certloop/api-client'
import { useWrite } from '../shared/api.ts'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { fieldProblems } from '../shared/problem.ts'
import { keyName } from './ca-words.ts'

/** Replaces an intermediate by a new one, now or later. */
export function RollOverDialogue({ issuer: { id, name, slot, keyAlgorithm, certificates, certificateId }, onClose }: { issuer: Issuer; onClose: () => void }) {
  const navigate = useNavigate()
  const [key, setKey] = useState<KeyAlgorithm | null>(null)
  const [days, setDays] = useState<number | ''>('')
  const [later, setLater] = useState(slot === null)
  const rollOver = useWrite('rollOverIssuer', (made) => { onClose(); void navigate({ to: '/built-in-ca/issuers/$id', params: { id: made.id } }) })
  const problems = fieldProblems(rollOver.error)
  const isOutside = certificates.find((one) => one.id === certificateId)?.signedBy === null
  const submit = (event: FormEvent) => {
    event.preventDefault()
    rollOver.mutate({ params: { id }, body: { later, ...(key === null ? {} : { keyAlgorithm: key }), ...(days === '' ? {} : { validityDays: days }) } })
  }
  return (
    <Modal opened onClose={onClose} title={`Roll over ${name}`} size="lg">
      <form onSubmit={submit}>
        <Stack>
          <Text size="sm">A new intermediate with a new key is made {isOutside ? 'and waits for a certificate from the same authority outside' : 'under the same issuer'}. Both stay valid side by side: what {name} signed stays good, and its lists and OCSP answers go on.{slot === null && ` ${name} goes on signing what names it until you retire it.`}</Text>
          {rollOver.error && <ProblemAlert error={rollOver.error} />}
          {slot !== null && !isOutside && (
            <Radio.Group label="When does the new one sign?" value={later ? 'later' : 'now'} onChange={(value) => setLater(value === 'later')}>
              <Stack gap="xs" mt={6}>
                <Radio value="now" label="At once" description={`${name} retires and signs nothing new.`} />
                <Radio value="later" label="Later, when I activate it" description="Until then the old one goes on. For handing the new one to clients first." />
              </Stack>
            </Radio.Group>
          )}
          <Select label="Key" description="Made anew." clearable placeholder={`As now: ${keyName(keyAlgorithm)}`} data={keyAlgorithms.map((value) => ({ value, label: keyName(value) }))} value={key} onChange={(value) => setKey(value)} error={problems.keyAlgorithm} />
          <NumberInput label="Lifetime in days" description="Empty: as long as the old one was made for. It never goes beyond the end of its signer." min={1} max={9132} allowDecimal={false} value={days} onChange={(value) => setDays(typeof value === 'number' ? value : '')} error={problems.validityDays} />
          <Group justify="flex-end"><Button variant="default" onClick={onClose}>Cancel</Button><Button type="submit" loading={rollOver.isPending}>Roll over</Button></Group>
        </Stack>
      </form>
    </Modal>
  )
}
