import { useState } from 'react'
import { Button, Select, Stack } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { revocationReasonsToGive, type ActionAvailability, type ActionKind, type CertificateDetail, type RevocationReasonToGive } from '@certloop/api-client'
import { reasonLabel } from '../ca/ca-words.ts'
import { useWrite } from '../shared/api.ts'
import { ConfirmButton } from '../shared/confirm-button.tsx'
import { actionWords } from './action-words.ts'

const strong: ActionKind[] = ['rotate']
/** Shown at once; the others come with "More". */
const usual: readonly string[] = ['initiate', 'order', 'deploy', 'rotate', 'renew', 'recheck-pinning']

/** All actions of a certificate. What can't be done now says why. */
export function CertificateActions({ certificate }: { certificate: CertificateDetail }) {
  const [all, setAll] = useState(false)
  const { actions, nextAction } = certificate
  const shown = actions.filter(({ action }) => all || usual.includes(action) || action === nextAction)
  return (
    <>
      {shown.map((availability) => <ActionButton key={availability.action} certificate={certificate} {...availability} />)}
      <Button size="xs" variant="subtle" aria-expanded={all} onClick={() => setAll(!all)}>{all ? 'Fewer actions' : 'More actions'}</Button>
    </>
  )
}

function ActionButton({ certificate: { id, name, nextAction }, action, possible, why }: { certificate: CertificateDetail } & ActionAvailability) {
  const navigate = useNavigate()
  const start = useWrite('startAction')
  const remove = useWrite('deleteCertificate', () => void navigate({ to: '/certificates', search: {} }))
  const [reason, setReason] = useState<RevocationReasonToGive>('unspecified')
  const whyNot = possible ? null : why ?? 'Not possible now.'
  if (action === 'delete') {
    return (
      <ConfirmButton
        label="Delete" color="red" variant="light" size="xs" whyNot={whyNot} hint="Stops tracking it. The servers are left alone." run={() => remove.mutateAsync({ params: { id } })}
        question={`Stop tracking ${name}?`} explanation="Its history goes from these pages. What the servers serve is left alone; it will expire there unless somebody renews it."
      />
    )
  }
  const { label, hint, question, explanation } = actionWords[action]
  const isWanted = strong.includes(action) || action === nextAction
  return (
    <ConfirmButton
      label={label} size="xs" variant={isWanted ? 'filled' : 'default'} whyNot={whyNot} hint={hint} {...(question === undefined ? {} : { question })} {...(action === 'revoke' ? { color: 'red', variant: 'light' } : {})}
      explanation={action === 'revoke' ? <Stack gap="sm"><span>{explanation}</span><ReasonField value={reason} onChange={setReason} /></Stack> : explanation}
      run={() => start.mutateAsync({ params: { id, action }, body: action === 'revoke' ? { reason } : {} })}
    />
  )
}

const ReasonField = ({ value, onChange }: { value: RevocationReasonToGive; onChange: (value: RevocationReasonToGive) => void }) =>
  <Select label="Reason" allowDeselect={false} data={revocationReasonsToGive.map((reason) => ({ value: reason, label: reasonLabel(reason) }))} value={value} onChange={(next) => next !== null && onChange(next)} comboboxProps={{ withinPortal: true }} />
