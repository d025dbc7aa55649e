import { useRead } from '../shared/api.ts'
import { TextLink } from '../shared/link.tsx'

const known: Record<string, string> = { 'request': 'A CSR given in these pages or over the API', 'control-plane': 'This control plane itself', 'ledger': 'Found in the ledger after a restored backup' }
const of: Record<string, string> = { issuer: 'The issuer ', cross: 'Cross-certificate of ', responder: 'OCSP answers of ' }

/** What a certificate was issued for, with a link where the pages show it. */
export function IssuedFor({ reference }: { reference: string }) {
  const [kind = '', id = ''] = reference.split(':', 2)
  if (kind.startsWith('ord_')) return <TextLink to="/orders/$id" params={{ id: kind }} inherit>An order</TextLink>
  if (id.startsWith('iss_') && kind !== 'ledger') return <>{of[kind] ?? ''}<IssuerName id={id} /></>
  if (kind.startsWith('bot_')) return <TextLink to="/bots/$id" params={{ id: kind }} inherit>The identity of a bot</TextLink>
  return <span title={reference}>{known[kind] ?? reference}</span>
}

function IssuerName({ id }: { id: string }) {
  const name = useRead('listIssuers', {}).data?.items.find((issuer) => issuer.id === id)?.name
  return <TextLink to="/built-in-ca/issuers/$id" params={{ id }} inherit>{name ?? id}</TextLink>
}
