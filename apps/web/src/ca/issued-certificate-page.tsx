import { Alert, Group, Stack, Text } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import type { IssuedCertificateDetail, Issuer } from '@certloop/api-client'
import { useRead } from '../shared/api.ts'
import { CopyBlock, Fingerprint } from '../shared/copy.tsx'
import { Facts } from '../shared/facts.tsx'
import { TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { Page, Section } from '../shared/page.tsx'
import { StateBadge } from '../shared/state-badge.tsx'
import { When } from '../shared/when.tsx'
import { issuedMeaning, issuedState, reasonLabel, reasonWords, type Reason } from './ca-words.ts'
import { CertificateDownloads } from './download-buttons.tsx'
import { caFreshMs } from './issuers-page.tsx'
import { titleOf } from './issued-page.tsx'
import { IssuedFor } from './issued-for.tsx'
import { RevocationActions } from './revocation-actions.tsx'

const route = getRouteApi('/built-in-ca/certificates/$id')

export function IssuedCertificatePage() {
  const { id } = route.useParams()
  const result = useRead('getIssuedCertificate', { params: { id: id as IssuedCertificateDetail['id'] } }, { everyMs: caFreshMs })
  return <Loaded result={result}>{(issued) => <IssuedView issued={issued} />}</Loaded>
}

function IssuedView({ issued }: { issued: IssuedCertificateDetail }) {
  const state = issuedState(issued)
  const title = titleOf(issued)
  return (
    <Page
      title={title} beside={<StateBadge state={state} reason={issuedMeaning[state]} size="lg" />} above={<TextLink to="/built-in-ca/certificates" search={{}} fz="sm">Issued certificates</TextLink>}
      summary={<>{state === 'expired' ? 'Ended' : 'Ends'} <When at={issued.notAfter} form="both" inline />. Issued by {issued.issuerName}.</>} toolbar={<RevocationActions issued={issued} name={title} />}
    >
      <StatusNote issued={issued} />
      <Section title="Certificate" actions={issued.certificatePem !== null && <CertificateDownloads name={title} certificatePem={issued.certificatePem} chainPem={issued.chainPem} rootPem={issued.rootPem} />}><IssuedFacts issued={issued} /></Section>
      {issued.chainPem.length > 0 && <Chain issued={issued} />}
      {issued.certificatePem !== null && <Section title="Certificate and chain as text"><CopyBlock text={issued.chainPem.map((pem) => pem.trim()).join('\n')} label="Certificate and chain" /></Section>}
    </Page>
  )
}

function StatusNote({ issued: { status, revokedAt, revocationReason: reason, invalidityDate } }: { issued: IssuedCertificateDetail }) {
  if (status === 'intended') return <Alert color="gray" title="It was never handed out">Signing it was begun and not finished, so nobody has it. Its number is spent all the same, and it can be revoked to be on the safe side.</Alert>
  if (revokedAt === null) return null
  if (status === 'held') return <Alert color="orange" title={<>Suspended <When at={revokedAt} form="both" inline /></>}>Clients that check refuse it until it is resumed, or revoked for good.</Alert>
  return (
    <Alert color="red" title={<>Revoked <When at={revokedAt} form="both" inline /></>}>
      {reason !== null && <>Reason: <b>{reasonLabel(reason)}</b>. {reasonWords[reason as Reason]?.means} </>}
      {invalidityDate !== null && <>Its key is in other hands since <When at={invalidityDate} form="dateTime" />. </>}
      This is for ever.
    </Alert>
  )
}

function IssuedFacts({ issued }: { issued: IssuedCertificateDetail }) {
  const { names, subject, serialNumber, fingerprint, notBefore, notAfter, issuerId, issuerName, profile, reference, createdAt } = issued
  return (
    <Facts of={{
      'Names': names.length === 0 ? null : <Stack gap={0}>{names.map((name) => <Text key={name} size="sm">{name}</Text>)}</Stack>,
      'Subject': subject === '' ? 'Empty: the names say it all' : subject,
      'Serial number': serialNumber,
      'SHA-256': fingerprint === null ? null : <Fingerprint value={fingerprint} digits={32} />,
      'Valid from': <When at={notBefore} form="both" inline />,
      'Valid until': <When at={notAfter} form="both" inline />,
      'Issuer': <TextLink to="/built-in-ca/issuers/$id" params={{ id: issuerId }} inherit>{issuerName}</TextLink>,
      'Profile': <TextLink to="/built-in-ca/profiles/$name" params={{ name: profile }} search={{}} inherit>{profile}</TextLink>,
      'Issued for': <IssuedFor reference={reference} />,
      'Issued': <When at={createdAt} form="both" inline />,
    }} />
  )
}

/** From the certificate up to its root. */
function Chain({ issued }: { issued: IssuedCertificateDetail }) {
  const issuers = useRead('listIssuers', {}).data?.items ?? []
  const whose = (pem: string): Issuer | undefined => issuers.find(({ certificates }) => certificates.some(({ certificatePem }) => certificatePem.trim() === pem.trim()))
  const all = [...issued.chainPem.slice(1), ...(issued.rootPem === null ? [] : [issued.rootPem])]
  return (
    <Section title="Chain" help="Servers send the certificate and what is between; the root has to be on the clients already.">
      <Stack gap="sm">
        <Text size="sm" fw={600}>{titleOf(issued)}</Text>
        {all.map((pem, at) => {
          const issuer = whose(pem)
          const name = issuer?.name ?? 'A CA outside'
          const isRoot = issued.rootPem !== null && at === all.length - 1
          return (
            <Group key={pem} justify="space-between" gap="xs" pl={(at + 1) * 18}>
              <Text size="sm">{isRoot ? 'up to the root ' : 'signed by '}{issuer ? <TextLink to="/built-in-ca/issuers/$id" params={{ id: issuer.id }} inherit>{name}</TextLink> : name}</Text>
              <CertificateDownloads name={name} certificatePem={pem} />
            </Group>
          )
        })}
      </Stack>
    </Section>
  )
}
