import { useState, type FormEvent } from 'react'
import { Alert, Button, FileInput, Group, PasswordInput, Radio, SegmentedControl, Stack, Switch, TextInput } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { useWrite } from '../shared/api.ts'
import { ButtonLink, TextLink } from '../shared/link.tsx'
import { tell } from '../shared/notify.ts'
import { Page, Section } from '../shared/page.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { fieldProblems } from '../shared/problem.ts'
import { base64Of } from './download.ts'
import { FileText } from './file-text.tsx'
import { useFirstWrongField } from './make-issuer-page.tsx'
import { useForbidden } from './may.ts'

/** The API takes a million characters of base64. */
const maxKeystoreBytes = 740_000

export function ImportIssuerPage() {
  const forbidden = useForbidden('ca:write')
  return (
    <Page title="Import a CA" above={<TextLink to="/built-in-ca" fz="sm">Built-in CA</TextLink>} summary="Takes over a CA made elsewhere, so that it signs and revokes here; or, without its key, only to be trusted and shown.">
      {forbidden === null ? <ImportForm /> : <Alert color="gray" title="You can not import one">{forbidden}</Alert>}
    </Page>
  )
}

function ImportForm() {
  const navigate = useNavigate()
  const [form, setForm] = useState<'pem' | 'keystore'>('pem')
  const [name, setName] = useState('')
  const [certificatesPem, setCertificates] = useState('')
  const [keyPem, setKey] = useState('')
  const [file, setFile] = useState<File | null>(null)
  const [password, setPassword] = useState('')
  const [style, setStyle] = useState<'private' | 'public'>('private')
  const [isEmpty, setIsEmpty] = useState(false)
  const [alias, setAlias] = useState('')
  const take = useWrite('importIssuer', (made) => { tell(`${made.name} is imported.`); void navigate({ to: '/built-in-ca/issuers/$id', params: { id: made.id } }) })
  const problems = fieldProblems(take.error)
  const code = take.error && 'code' in take.error ? take.error.code : null
  useFirstWrongField(take.error)
  const tooLarge = file !== null && file.size > maxKeystoreBytes
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    const common = { name: name.trim(), style }
    const secret = password === '' && !isEmpty ? {} : { password }
    if (form === 'pem') take.mutate({ body: { ...common, certificatesPem, ...(keyPem.trim() === '' ? {} : { keyPem, ...secret }) } })
    else if (file !== null && !tooLarge) take.mutate({ body: { ...common, keystore: base64Of(new Uint8Array(await file.arrayBuffer())), ...secret, ...(alias === '' ? {} : { alias }) } })
  }
  const passwordError = problems.password ?? (code === 'PASSWORD_WRONG' || code === 'PASSWORD_NEEDED' ? take.error?.message : undefined)
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack>
        {take.error && <ProblemAlert error={take.error} />}
        <Section title="Name"><TextInput label="Name" description="How it is called here; unique." maw={420} maxLength={100} required value={name} onChange={(e) => setName(e.currentTarget.value)} error={problems.name} data-autofocus /></Section>
        <Section title="Style">
          <Radio.Group aria-label="Style" value={style} onChange={setStyle} error={problems.style}>
            <Stack gap="xs">
              <Radio value="private" label="Private" description="It signs by your own rules." />
              <Radio value="public" label="As public authorities" description="Its certificate is as the CA/Browser Forum demands, and it shall sign by profiles of public style alone." />
            </Stack>
          </Radio.Group>
        </Section>
        <Section title="What you have" actions={<SegmentedControl aria-label="What you have" value={form} onChange={setForm} data={[{ value: 'pem', label: 'PEM texts' }, { value: 'keystore', label: 'A keystore file' }]} />}>
          {form === 'pem' ? (
            <Stack>
              <FileText label="Certificates" description="That of the CA, and those above it up to the root, in any order." placeholder={'-----BEGIN CERTIFICATE-----\n…'} pemLabel="CERTIFICATE" maxBytes={400_000} value={certificatesPem} onChange={setCertificates} error={problems.certificatesPem ?? problems.certificatePem} required />
              <FileText label="Private key" description="Empty: its key stays elsewhere, and it can sign nothing here. It is sealed as soon as it arrives and can not be read out again." placeholder={'-----BEGIN PRIVATE KEY-----\n…'} pemLabel="PRIVATE KEY" value={keyPem} onChange={setKey} error={problems.keyPem} minRows={4} />
              {keyPem.trim() !== '' && <PasswordInput label="Password of the key" description="Only for an encrypted key." maw={420} autoComplete="off" maxLength={1000} value={password} onChange={(e) => setPassword(e.currentTarget.value)} error={passwordError} aria-invalid={passwordError !== undefined} />}
            </Stack>
          ) : (
            <Stack maw={420}>
              <FileInput label="Keystore" description="PKCS#12 (.p12, .pfx), JKS, JCEKS or a PEM file with everything." placeholder="Choose a file" clearable required value={file} onChange={setFile} error={tooLarge ? `It has ${Math.round(file.size / 1000)} kB; at most ${Math.round(maxKeystoreBytes / 1000)} kB are taken.` : problems.keystore} fileInputProps={{ 'aria-label': 'Keystore file' }} />
              <PasswordInput label="Password" description="Of the keystore and its key." autoComplete="off" maxLength={1000} value={password} onChange={(e) => setPassword(e.currentTarget.value)} error={passwordError} aria-invalid={passwordError !== undefined} />
              {(code === 'PASSWORD_NEEDED' || isEmpty) && password === '' && <Switch label="It has a password, and that is empty" checked={isEmpty} onChange={(e) => setIsEmpty(e.currentTarget.checked)} />}
              <TextInput label="Name of the entry" description="Needed only when the keystore has several keys." maxLength={200} value={alias} onChange={(e) => setAlias(e.currentTarget.value)} error={problems.alias ?? (code === 'ENTRY_NOT_FOUND' ? take.error?.message : undefined)} />
            </Stack>
          )}
        </Section>
        <Group><Button type="submit" loading={take.isPending}>Import</Button><ButtonLink to="/built-in-ca" variant="default">Cancel</ButtonLink></Group>
      </Stack>
    </form>
  )
}
