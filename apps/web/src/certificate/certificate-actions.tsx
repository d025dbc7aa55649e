import { useState } from 'react'
import { Button, Select, Stack } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { revocationReasonsToGive, type ActionAvailability, type ActionKind, type CertificateDetail, type RevocationReasonToGive } from '@certloop/api-client'
import { reasonLabel } from '../ca/ca-words.ts'
import { useWrite } from '../shared/api.ts'
import { ConfirmButton } from '../shared/confirm-button.tsx'

interface Words { label: string; hint: string; question?: string; explanation?: string }

export const actionWords: Record<ActionKind, Words> = {
  'initiate': { label: 'Initiate', hint: 'Prepares the configuration from what was found. Replaces nothing.' },
  'order': { label: 'Order', hint: 'Has a new version issued, without deploying it.' },
  'deploy': { label: 'Deploy', hint: 'Installs the newest version on all targets.', question: 'Deploy the newest version?', explanation: 'It is put onto every target of the configuration and proven to be served there. If a step fails, what the configuration says about rollback applies.' },
  'rotate': { label: 'Rotate', hint: 'Orders a new version and deploys it.', question: 'Rotate this certificate?', explanation: 'A new version is ordered and then deployed to every target of the configuration. The servers go on serving meanwhile.' },
  'rekey': { label: 'Rekey', hint: 'Rotates with a new private key.', question: 'Rekey this certificate?', explanation: 'A new version with a new private key is ordered and deployed. Clients that pin the present key will refuse the new one.' },
  'renew': { label: 'Renew', hint: 'Orders the same identity again and deploys it when the schedule says so.', question: 'Renew this certificate now?', explanation: 'A new version with the same names is ordered, with the same key where the configuration keeps it. It is deployed when the configuration says so.' },
  'regenerate': { label: 'Regenerate', hint: 'Renews with a new private key.', question: 'Regenerate this certificate?', explanation: 'A new version with the same names and a new private key is ordered. It is deployed when the configuration says so. Clients that pin the present key will refuse the new one.' },
  're-enrol': { label: 'Re-enrol', hint: 'Makes a new certificate from the configuration, which takes the targets over.', question: 'Enrol this certificate again?', explanation: 'A new request is made from the configuration, and the new certificate takes the targets over once it is issued. This one is no longer renewed by itself from then on.' },
  'revoke': { label: 'Revoke', hint: 'Makes the newest version invalid at its authority, for ever.', question: 'Revoke the newest version?', explanation: 'Clients that look at revocation lists or OCSP refuse it from then on. This can not be taken back.' },
  'suspend': { label: 'Suspend', hint: 'Makes the newest version invalid at its authority for a time.', question: 'Suspend the newest version?', explanation: 'Clients that look at revocation lists or OCSP refuse it until it is resumed.' },
  'resume': { label: 'Resume', hint: 'Takes a suspension back.' },
  'recheck-pinning': { label: 'Re-check', hint: 'Looks at every target again: what is installed, and what is served.' },
}

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
