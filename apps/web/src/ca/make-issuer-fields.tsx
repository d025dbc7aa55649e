import { NumberInput, Radio, Select, SimpleGrid, Stack, Switch, TextInput } from '@mantine/core'
import { keyAlgorithms, type IssuanceProfile, type Issuer } from '@certloop/api-client'
import { formatDate } from '../shared/time.ts'
import { keyName } from './ca-words.ts'
import type { IssuerDraft } from './issuer-draft.ts'

interface PartProps { draft: IssuerDraft; change: (part: Partial<IssuerDraft>) => void; problems: Record<string, string> }
const columns = { base: 1, sm: 2 }

export function IdentityFields({ draft, change, problems }: PartProps) {
  return (
    <SimpleGrid cols={columns} spacing="md">
      <TextInput label="Name" description="How it is called here; unique." maxLength={100} required value={draft.name} onChange={(e) => change({ name: e.currentTarget.value })} error={problems.name} data-autofocus />
      <TextInput label="Common name" description="How it is called in certificates; empty: as here." maxLength={64} placeholder={draft.name} value={draft.commonName ?? ''} onChange={(e) => change({ commonName: e.currentTarget.value === '' ? null : e.currentTarget.value })} error={problems.commonName} />
    </SimpleGrid>
  )
}

const hashes = [{ value: 'sha256', label: 'SHA-256' }, { value: 'sha384', label: 'SHA-384' }, { value: 'sha512', label: 'SHA-512' }]

export function KeyFields({ draft, change, problems }: PartProps) {
  const { keyAlgorithm, keyPlace, pkcs11Label, hash } = draft
  const hasOwnHash = !keyAlgorithm.startsWith('rsa') && !keyAlgorithm.startsWith('ec')
  return (
    <Stack>
      <SimpleGrid cols={columns} spacing="md">
        <Select label="Kind of key" description="EC keys are understood everywhere; post-quantum ones by few clients yet." allowDeselect={false} data={keyAlgorithms.map((value) => ({ value, label: keyName(value) }))} value={keyAlgorithm} onChange={(value) => value !== null && change({ keyAlgorithm: value, hash: null })} error={problems.keyAlgorithm} />
        <Select label="Digest of its signatures" description={hasOwnHash ? 'This kind of key brings its own.' : 'Usual: as strong as the key.'} disabled={hasOwnHash} placeholder="The usual one" clearable data={hashes} value={hash} onChange={(value) => change({ hash: value as IssuerDraft['hash'] })} error={problems.hash} />
      </SimpleGrid>
      <Radio.Group label="Where the key is" value={keyPlace} onChange={(value) => change({ keyPlace: value })}>
        <Stack gap="xs" mt={6}>
          <Radio value="sealed" label="Sealed in the database" description="Encrypted under the master key of this control plane." />
          <Radio value="pkcs11" label="In the PKCS#11 token" description="It is made in the token and never leaves it. Needs CERTLOOP_PKCS11_MODULE to be set." />
        </Stack>
      </Radio.Group>
      {keyPlace === 'pkcs11' && <TextInput label="Label in the token" maw={360} required maxLength={100} value={pkcs11Label} onChange={(e) => change({ pkcs11Label: e.currentTarget.value })} error={problems.pkcs11Label ?? problems.key} />}
    </Stack>
  )
}

const profileHelp = { root: 'One of public style makes the root one of public style; nothing else of it stands in a root.', intermediate: 'What else stands in its certificate. One of public style makes it an issuer of public style.', outside: 'One of public style makes it an issuer of public style; the certificate is as the other authority makes it.' } as const

/** The profile of its certificate, and who signs that. */
export function SignerFields({ draft, change, problems, signers, profiles }: PartProps & { signers: readonly Issuer[]; profiles: readonly IssuanceProfile[] }) {
  return (
    <SimpleGrid cols={columns} spacing="md">
      <Select label="Profile" description={profileHelp[draft.what]} allowDeselect={false} data={profiles.map(({ name, rules }) => ({ value: name, label: rules.title }))} value={draft.profile} onChange={(value) => change({ profile: value ?? 'subordinate-ca' })} error={problems.profile} />
      {draft.what === 'intermediate' && <Select label="Issuer" description="Those of the profile's style that may have CAs below them." allowDeselect={false} required placeholder={signers.length === 0 ? 'There is none; make a root of this style first' : 'Choose one'} data={signers.map(({ id, name }) => ({ value: id, label: name }))} value={draft.signedBy} onChange={(signedBy) => change({ signedBy })} error={problems.signedBy} />}
    </SimpleGrid>
  )
}

export function LimitFields({ draft, change, problems, signer }: PartProps & { signer: Issuer | undefined }) {
  const { what, validityDays, pathLength } = draft
  const end = what === 'intermediate' && signer?.notAfter ? ` It never goes beyond the end of ${signer.name}, ${formatDate(signer.notAfter)}.` : ''
  const number = (given: number | string): number | '' => (typeof given === 'number' ? given : '')
  return (
    <SimpleGrid cols={columns} spacing="md">
      {what === 'outside'
        ? <TextInput label="Lifetime in days" description="The authority that signs it decides." disabled value="" placeholder="Decided outside" />
        : <NumberInput label="Lifetime in days" description={`3652 days are ten years, 1826 five.${end}`} min={1} max={9132} allowDecimal={false} required value={validityDays} onChange={(value) => change({ validityDays: number(value) })} error={problems.validityDays} />}
      <Stack gap="xs">
        <NumberInput label="CAs below it" description={what === 'root' ? 'Greatest number in a row.' : 'Greatest number in a row. 0: it signs servers, people and programs only.'} min={0} max={10} allowDecimal={false} placeholder="Not limited" disabled={what === 'root' && pathLength === ''} required={what !== 'root'} value={pathLength} onChange={(value) => change({ pathLength: number(value) })} error={problems.pathLength} />
        {what === 'root' && <Switch label="Limit it" checked={pathLength !== ''} onChange={(e) => change({ pathLength: e.currentTarget.checked ? 1 : '' })} />}
      </Stack>
    </SimpleGrid>
  )
}
