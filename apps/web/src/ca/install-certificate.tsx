import { useState, type FormEvent } from 'react'
import { Alert, Button, Group, List, Stack } from '@mantine/core'
import type { Issuer } from '@certloop/api-client'
import { useWrite } from '../shared/api.ts'
import { CopyBlock } from '../shared/copy.tsx'
import { tell } from '../shared/notify.ts'
import { Section } from '../shared/page.tsx'
import { ProblemAlert } from '../shared/problem-alert.tsx'
import { fieldProblems, problemAt } from '../shared/problem.ts'
import { fileName, saveFile } from './download.ts'
import { SaveButton } from './download-buttons.tsx'
import { FileText } from './file-text.tsx'
import { useForbidden } from './may.ts'

/** An issuer that waits: its request to take away, and the answer to bring back. */
export function PendingIssuer({ issuer }: { issuer: Issuer }) {
  const forbidden = useForbidden('ca:write')
  if (issuer.csrPem === null) return <Alert color="blue" title="It is being made">Its certificate will be here in a moment.</Alert>
  return (
    <Section title="Have it signed" help={(
      <List type="ordered" size="sm">
        <List.Item>Give this request to the authority that signs it, as one for a subordinate CA.</List.Item>
        <List.Item>Install here what comes back, with the certificates above it up to the root.</List.Item>
      </List>
    )}>
      <Stack>
        <CopyBlock text={issuer.csrPem} label="Request" />
        <Group><SaveButton label="Download the request" title="Download the request" save={() => saveFile(`${fileName(issuer.name)}.csr`, issuer.csrPem ?? '', 'application/pkcs10')} /></Group>
        {forbidden === null ? <InstallForm issuer={issuer} /> : <Alert color="gray" title="Somebody else has to install the certificate">{forbidden}</Alert>}
      </Stack>
    </Section>
  )
}

/** Takes a certificate that somebody signed for the issuer's key. */
export function InstallForm({ issuer: { id, name }, onDone }: { issuer: Issuer; onDone?: () => void }) {
  const [text, setText] = useState('')
  const install = useWrite('installIssuerCertificate', () => { setText(''); tell(`The certificate of ${name} is installed.`); onDone?.() })
  const problems = fieldProblems(install.error)
  const submit = (event: FormEvent) => { event.preventDefault(); install.mutate({ params: { id }, body: { certificatesPem: text } }) }
  return (
    <form onSubmit={submit}>
      <Stack>
        {install.error && <ProblemAlert error={install.error} />}
        <FileText label="Its certificate and those above it" description="In any order; they are sorted and checked: key, name, CA flag, signatures." placeholder={'-----BEGIN CERTIFICATE-----\n…'} pemLabel="CERTIFICATE" maxBytes={400_000} value={text} onChange={setText} error={problemAt(problems, 'certificatesPem') ?? problemAt(problems, 'certificatePem')} required />
        <Group><Button type="submit" disabled={text.trim() === ''} loading={install.isPending}>Install</Button></Group>
      </Stack>
    </form>
  )
}
