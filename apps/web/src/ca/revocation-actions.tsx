import { useState, type FormEvent } from 'react'
import { Alert, Button, Group, Modal, Radio, Stack, TextInput, Tooltip } from '@mantine/core'
import type { IssuedCertificate, Issuer } from '@certloop/api-client'
import { useRead, useWrite } from '../shared/api.ts'
import { ConfirmButton } from '../shared/confirm-button.tsx'
import { tell } from '../shared/notify.ts'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { fieldProblems } from '../shared/problem.ts'
import { userZone } from '../shared/time.ts'
import { reasonLabel, reasonsFor, reasonWords, type Reason } from './ca-words.ts'
import { useForbidden } from './may.ts'

interface Props { issued: IssuedCertificate; /** As people call it. */ name: string; size?: 'xs' | 'compact-sm' }

interface Kind { isCa: boolean; /** Of its issuer. */ style: Issuer['style'] }

/** Revoke, suspend and resume. What can't be done says why. */
export function RevocationActions({ issued, name, size = 'xs' }: Props) {
  const forbidden = useForbidden('ca:revoke')
  const suspend = useWrite('suspendCertificate', () => tell(`${name} is suspended.`))
  const resume = useWrite('resumeCertificate', () => tell(`${name} is good again.`))
  const { id, status, isExpired } = issued
  const why = forbidden ?? (isExpired ? 'It has ended; revoking has no effect any more.' : null)
  const final = status === 'revoked' ? 'It is revoked; that is for ever.' : null
  const isCa = useIsCa(issued)
  const style = useRead('listIssuers', {}).data?.items.find((issuer) => issuer.id === issued.issuerId)?.style ?? 'private'
  const unsuspendable = isCa ? 'It is the certificate of a CA: all below it would fall and rise with it. A CA can only be revoked, for ever.' : style === 'public' ? 'Certificates of public style can not be suspended, only revoked.' : null
  const whyNotSuspend = why ?? final ?? unsuspendable
  return (
    <>
      <RevokeButton issued={issued} name={name} size={size} isCa={isCa} style={style} whyNot={why ?? (status === 'revoked' && issued.revocationReason === 'keyCompromise' ? final : null)} />
      {status === 'held'
        ? <ConfirmButton key="resume" label="Resume" size={size} variant="default" whyNot={why} hint="Takes the suspension back." question={`Resume ${name}?`} explanation="OCSP answers good again at once; it leaves the revocation list with the next one. Clients that kept an older list or answer refuse it until that has ended." run={() => resume.mutateAsync({ params: { id } })} />
        : <ConfirmButton key="suspend" label="Suspend" size={size} variant="default" whyNot={whyNotSuspend} hint="Revokes it for the time being; it can be resumed." question={`Suspend ${name}?`} explanation="Clients that check refuse it, as if it were revoked, until you resume it. Public authorities may not do this; in your own PKI it helps while a suspicion is looked into." run={() => suspend.mutateAsync({ params: { id } })} />}
    </>
  )
}

/** Of an issuer here, or issued by a profile for CAs. */
function useIsCa({ reference, profile }: IssuedCertificate): boolean {
  const profiles = useRead('listProfiles', {}).data?.items
  return /^(issuer|cross):/.test(reference) || profiles?.find(({ name }) => name === profile)?.rules.kind === 'ca'
}

function RevokeButton({ issued, name, size, whyNot, isCa, style }: Required<Props> & Kind & { whyNot: string | null }) {
  const [open, setOpen] = useState(false)
  const again = issued.status === 'revoked'
  const button = <Button size={size} color="red" variant="light" onClick={() => whyNot === null && setOpen(true)} {...(whyNot === null ? {} : { 'data-disabled': true, 'aria-disabled': true })}>{again ? 'Add key compromise' : 'Revoke'}</Button>
  return (
    <>
      <Tooltip label={whyNot ?? (again ? 'It is known now that the key is in other hands.' : 'For ever.')} multiline maw={320} events={{ hover: true, focus: true, touch: true }}>{button}</Tooltip>
      <Modal opened={open} onClose={() => setOpen(false)} title={again ? `Say that the key of ${name} is compromised` : `Revoke ${name}?`} size="lg"><RevokeForm issued={issued} name={name} isCa={isCa} style={style} onClose={() => setOpen(false)} /></Modal>
    </>
  )
}

function RevokeForm({ issued: { id, status, revocationReason }, name, isCa, style, onClose }: Required<Omit<Props, 'size'>> & Kind & { onClose: () => void }) {
  const again = status === 'revoked'
  const [reason, setReason] = useState<Reason | null>(again ? 'keyCompromise' : null)
  const [since, setSince] = useState('')
  const revoke = useWrite('revokeCertificate', () => { tell(`${name} is revoked.`); onClose() })
  const problems = fieldProblems(revoke.error)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (reason !== null) revoke.mutate({ params: { id }, body: { reason, ...(since === '' ? {} : { invalidityDate: new Date(since).toISOString() }) } })
  }
  return (
    <form onSubmit={submit}>
      <Stack>
        <Alert color="red" title="This is for ever">
          {again ? `It was revoked before (${reasonLabel(revocationReason ?? '')}). The reason changes; the time of the revocation stays.` : 'Clients that check will refuse it from now on: OCSP answers at once, the list follows. It can not be taken back. If you only suspect something, suspend it. Replace it on the servers first, or they stop working for such clients.'}
          {isCa && !again && ' It is the certificate of a CA: everything below it is refused with it, and the CA signs nothing more.'}
        </Alert>
        {revoke.error && <ProblemAlert error={revoke.error} />}
        {!again && (
          <Radio.Group label="Why" required value={reason} onChange={(value) => setReason(value)} error={problems.reason}>
            <Stack gap="xs" mt={6}>
              {reasonsFor(style, isCa).map((value) => <Radio key={value} value={value} label={reasonWords[value].label} description={reasonWords[value].means} />)}
            </Stack>
          </Radio.Group>
        )}
        <TextInput type="datetime-local" label="The key is in other hands since" description={`If you know it: signatures from then on are in doubt, those before are not. Your time (${userZone}).`} maw={320} value={since} onChange={(event) => setSince(event.currentTarget.value)} error={problems.invalidityDate} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>Cancel</Button>
          <Button type="submit" color="red" disabled={reason === null} loading={revoke.isPending}>Revoke for ever</Button>
        </Group>
      </Stack>
    </form>
  )
}
