import { Alert, Stack, Text } from '@mantine/core'
import { getRouteApi } from '@tanstack/react-router'
import type { Issuer } from '@certloop/api-client'
import { useRead } from '../shared/api.ts'
import { Facts } from '../shared/facts.tsx'
import { ButtonLink, TextLink } from '../shared/link.tsx'
import { Loaded } from '../shared/loaded.tsx'
import { Page, Section } from '../shared/page.tsx'
import { StateBadge } from '../shared/state-badge.tsx'
import { When } from '../shared/when.tsx'
import { keyName, keyPlaces, issuerStatusMeaning, purposeOf } from './ca-words.ts'
import { IssuerActions } from './issuer-actions.tsx'
import { IssuerAddresses } from './issuer-addresses.tsx'
import { IssuerCertificates } from './issuer-certificates.tsx'
import { IssuerLists } from './issuer-lists.tsx'
import { IssuerSettings } from './issuer-settings.tsx'
import { PendingIssuer } from './install-certificate.tsx'
import { caFreshMs } from './issuers-page.tsx'

const route = getRouteApi('/built-in-ca/issuers/$id')

export function IssuerPage() {
  const { id } = route.useParams()
  const result = useRead('getIssuer', { params: { id: id as Issuer['id'] } }, { everyMs: caFreshMs })
  const all = useRead('listIssuers', {})
  return <Loaded result={result}>{(issuer) => <IssuerView key={issuer.id} issuer={issuer} all={all.data?.items ?? [issuer]} />}</Loaded>
}

function IssuerView({ issuer, all }: { issuer: Issuer; all: readonly Issuer[] }) {
  return (
    <Page
      title={issuer.name} beside={<StateBadge state={issuer.status} reason={issuerStatusMeaning[issuer.status]} size="lg" />} above={<TextLink to="/built-in-ca" fz="sm">Built-in CA</TextLink>}
      summary={`${issuer.kind === 'root' ? 'Root' : 'Intermediate'}. ${purposeOf(issuer)}.`} toolbar={<IssuerActions issuer={issuer} all={all} />}
    >
      <StatusNote issuer={issuer} all={all} />
      {issuer.status === 'pending' && <PendingIssuer issuer={issuer} />}
      <Section title="Issuer" actions={<ButtonLink to="/built-in-ca/certificates" search={{ issuerId: issuer.id }} size="compact-sm" variant="default">What it issued</ButtonLink>}><IssuerFacts issuer={issuer} /></Section>
      {issuer.certificates.length > 0 && <IssuerCertificates issuer={issuer} all={all} />}
      <IssuerAddresses issuer={issuer} />
      <IssuerLists issuer={issuer} />
      <IssuerSettings key={JSON.stringify([issuer.crlShards, issuer.crlHours, issuer.deltaCrl, issuer.ocspMinutes])} issuer={issuer} />
      <Section title="Name constraints" help="What its certificate lets it certify; clients enforce it, and so does signing here."><Constraints issuer={issuer} /></Section>
    </Page>
  )
}

function StatusNote({ issuer: { status, successorId, retiredAt }, all }: { issuer: Issuer; all: readonly Issuer[] }) {
  const successor = all.find(({ id }) => id === successorId)
  const link = successor && <TextLink to="/built-in-ca/issuers/$id" params={{ id: successor.id }}>{successor.name}</TextLink>
  if (status === 'revoked') return <Alert color="red" title="It is revoked">{issuerStatusMeaning.revoked}</Alert>
  if (status === 'retired') return <Alert color="gray" title={<>Retired{retiredAt !== null && <> <When at={retiredAt} form="relative" /></>}</>}>{issuerStatusMeaning.retired}{link && <> {link} signs in its place.</>}</Alert>
  if (link) return <Alert color="blue" title="Its successor is ready">{link} waits to take over. Until it is activated, this one goes on signing.</Alert>
  return null
}

function IssuerFacts({ issuer }: { issuer: Issuer }) {
  const { subject, keyAlgorithm, keySource, pathLength, notAfter, createdAt, retiredAt } = issuer
  return (
    <Facts of={{
      'Subject': subject,
      'Key': `${keyName(keyAlgorithm)}, ${keyPlaces[keySource]}`,
      'Style': issuer.style === 'public' ? 'Public: it signs by profiles of public style alone, and publishes and revokes as the CA/Browser Forum demands of public authorities' : 'Private: as the profiles say',
      'CAs below it': pathLength === null ? 'Not limited' : pathLength === 0 ? 'None: it signs certificates of servers and people only' : `Up to ${pathLength} in a row`,
      'Ends': notAfter === null ? 'It has no certificate yet' : <When at={notAfter} form="both" inline />,
      'Made': <When at={createdAt} form="both" inline />,
      'Retired': retiredAt === null ? null : <When at={retiredAt} form="both" inline />,
    }} />
  )
}

const typeWords = { dns: 'DNS', ip: 'IP', email: 'E-mail', uri: 'URI' } as const

function Constraints({ issuer: { nameConstraints } }: { issuer: Issuer }) {
  const lines = (list: NonNullable<Issuer['nameConstraints']>['permitted']) => (list.length === 0 ? null : (
    <Stack gap={0}>{list.map(({ type, value }) => <Text key={type + value} size="sm">{typeWords[type]}: {value === '' ? 'all' : value}</Text>)}</Stack>
  ))
  if (nameConstraints === null || nameConstraints.permitted.length + nameConstraints.excluded.length === 0) return <Text size="sm" c="dimmed">None: it may certify any name.</Text>
  return <Facts of={{ 'Only': lines(nameConstraints.permitted), 'Never': lines(nameConstraints.excluded) }} />
}
