import { useState } from 'react'
import { Button, Tooltip } from '@mantine/core'
import type { Issuer } from '@certloop/api-client'
import { useWrite } from '../shared/api.ts'
import { ConfirmButton } from '../shared/confirm-button.tsx'
import { ButtonLink } from '../shared/link.tsx'
import { tell } from '../shared/notify.ts'
import { canSign, signersOf } from './ca-words.ts'
import { CrossSignDialogue } from './cross-sign.tsx'
import { useForbidden } from './may.ts'
import { RollOverDialogue } from './roll-over.tsx'

interface Props { issuer: Issuer; all: readonly Issuer[] }

/** Everything that can be done with an issuer. What can't be done now says why. */
export function IssuerActions({ issuer, all }: Props) {
  const { id, name, slot, kind, status, keySource, certificates } = issuer
  const forbidden = useForbidden('ca:write')
  const mayNotPublish = useForbidden('ca:revoke')
  const activate = useWrite('activateIssuer', () => tell(`${name} signs from now on.`))
  const retire = useWrite('retireIssuer', () => tell(`${name} is retired.`))
  const publish = useWrite('publishCrl', () => tell('The revocation lists are made anew.'))
  const before = all.find((one) => one.slot === 'intermediate' && one.id !== id)
  const first = (...reasons: (string | null | false)[]): string | null => reasons.find((reason) => typeof reason === 'string') || null
  const noKey = keySource === 'outside' && 'Its key is not here.'
  const ended = (status === 'retired' || status === 'revoked') && `It is ${status}.`
  const waiting = status === 'pending' && 'It waits for its certificate.'

  return (
    <>
      {kind === 'intermediate' && slot === null && (
        <ConfirmButton
          label="Activate" size="xs" variant="filled" whyNot={first(forbidden, waiting, ended, noKey, issuer.style === 'public' && 'It is of public style; the one in use also certifies bots and this control plane, which public style does not allow.')} hint="Makes it the intermediate in use."
          question={`Let ${name} sign from now on?`} explanation={<>What names no other issuer is signed by it.{before && <> {before.name}, which does that now, retires: it signs nothing new; its lists, OCSP answers and all it signed stay good.</>}</>}
          run={() => activate.mutateAsync({ params: { id } })}
        />
      )}
      {kind === 'intermediate' && <DialogueButton label="Roll over" whyNot={first(forbidden, waiting, status === 'revoked' && 'It is revoked.', noKey, issuer.successorId !== null && 'It has a successor already.')} hint="Replaces it by a new one with a new key; both stay valid side by side.">{(close) => <RollOverDialogue issuer={issuer} onClose={close} />}</DialogueButton>}
      <DialogueButton label="Cross-sign" whyNot={first(forbidden, waiting, ended, noKey, signersOf(issuer, all).length === 0 && 'There is no other issuer here of its style that may have CAs below it.')} hint="Lets another issuer certify its key, so that clients which trust only that one accept it.">{(close) => <CrossSignDialogue issuer={issuer} all={all} onClose={close} />}</DialogueButton>
      {forbidden === null && canSign(issuer) && <ButtonLink to="/built-in-ca/make" search={{ what: 'intermediate', under: id }} size="xs" variant="default">Make an intermediate below it</ButtonLink>}
      <ConfirmButton label="Publish lists now" size="xs" variant="default" whyNot={first(mayNotPublish, waiting, noKey)} hint="Makes its revocation lists anew, without waiting for their time." run={() => publish.mutateAsync({ params: { id } })} />
      <ConfirmButton
        label="Retire" size="xs" color="red" variant="light" whyNot={first(forbidden, ended, slot !== null && 'It is in use. Put another one in its place first: roll it over, or activate another.')} hint="It signs nothing new from then on."
        question={`Retire ${name}?`} explanation={certificates.length === 0 ? 'It has no certificate yet and will not get one. Its name stays taken. This can not be taken back.' : 'It signs nothing new, for ever; this can not be taken back. What it signed stays good, and its revocation lists and OCSP answers go on until all of that has ended.'}
        run={() => retire.mutateAsync({ params: { id } })}
      />
    </>
  )
}

function DialogueButton({ label, whyNot, hint, children }: { label: string; whyNot: string | null; hint: string; children: (close: () => void) => React.ReactNode }) {
  const [open, setOpen] = useState(false)
  const blocked = whyNot !== null
  return (
    <>
      <Tooltip label={whyNot ?? hint} multiline maw={320} events={{ hover: true, focus: true, touch: true }}>
        <Button size="xs" variant="default" onClick={() => !blocked && setOpen(true)} {...(blocked ? { 'data-disabled': true, 'aria-disabled': true } : {})}>{label}</Button>
      </Tooltip>
      {open && children(() => setOpen(false))}
    </>
  )
}
