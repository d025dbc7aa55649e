import { CertloopError, checkShape, type Static } from '@certloop/contract'
import { XMLParser } from 'fast-xml-parser'
import { Type } from 'typebox'

const lists = new Set(['HostedZone', 'ResourceRecordSet', 'ResourceRecord'])
const parser = new XMLParser({ ignoreAttributes: true, parseTagValue: false, htmlEntities: true, isArray: (name) => lists.has(name) })

/** An element without content is read as an empty text. */
const orEmpty = <T extends Parameters<typeof Type.Object>[0]>(fields: T) => Type.Union([Type.Literal(''), Type.Object(fields)])
export const Zone = Type.Object({ Id: Type.String(), Name: Type.String(), Config: Type.Optional(orEmpty({ PrivateZone: Type.Optional(Type.String()) })) })
export const ZoneList = Type.Object({
  ListHostedZonesByNameResponse: Type.Object({
    HostedZones: orEmpty({ HostedZone: Type.Array(Zone) }), IsTruncated: Type.String(), NextDNSName: Type.Optional(Type.String()), NextHostedZoneId: Type.Optional(Type.String()),
  }),
})
export const OneZone = Type.Object({ GetHostedZoneResponse: Type.Object({ HostedZone: Type.Array(Zone, { minItems: 1 }) }) })
const RecordSet = Type.Object({
  Name: Type.String(), Type: Type.String(), TTL: Type.Optional(Type.String()), SetIdentifier: Type.Optional(Type.String()),
  ResourceRecords: Type.Optional(Type.Object({ ResourceRecord: Type.Array(Type.Object({ Value: Type.String() })) })),
})
export type RecordSet = Static<typeof RecordSet>
export const RecordSets = Type.Object({ ListResourceRecordSetsResponse: Type.Object({ ResourceRecordSets: orEmpty({ ResourceRecordSet: Type.Array(RecordSet) }) }) })
const ChangeInfo = Type.Object({ ChangeInfo: Type.Object({ Id: Type.String(), Status: Type.String() }) })
export const Changed = Type.Object({ ChangeResourceRecordSetsResponse: ChangeInfo })
export const ChangeRead = Type.Object({ GetChangeResponse: ChangeInfo })

/** An answer of this form. @throws CertloopError DNS_PROVIDER_UNREACHABLE: something else answered */
export function readXml<S extends typeof ZoneList | typeof OneZone | typeof RecordSets | typeof Changed | typeof ChangeRead>(form: S, text: string): Static<S> {
  let value: unknown
  try {
    value = parser.parse(text)
  } catch (error) {
    throw new CertloopError('DNS_PROVIDER_UNREACHABLE', 'What answers in the place of Route 53 does not speak its language: no XML.', {}, error)
  }
  return checkShape(form, value, { what: 'What answers in the place of Route 53', code: 'DNS_PROVIDER_UNREACHABLE' })
}

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
export interface Change { action: 'CREATE' | 'DELETE'; name: string; ttl: string; values: readonly string[] }

/** Changes of TXT sets: all of them are made, or none. The order of the elements is prescribed. */
export function changeBatch(changes: readonly Change[]): string {
  const each = ({ action, name, ttl, values }: Change) =>
    `<Change><Action>${action}</Action><ResourceRecordSet><Name>${escaped(name)}</Name><Type>TXT</Type><TTL>${escaped(ttl)}</TTL><ResourceRecords>${values.map((value) => `<ResourceRecord><Value>${escaped(value)}</Value></ResourceRecord>`).join('')}</ResourceRecords></ResourceRecordSet></Change>`
  return `<?xml version="1.0" encoding="UTF-8"?><ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeBatch><Changes>${changes.map(each).join('')}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>`
}

/** Code and words of an error, in both of the forms that Route 53 has for them. */
export function errorOf(text: string): { code: string; message: string } {
  const inElement = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? ''
  const messages = [...text.matchAll(/<Message>([^<]*)<\/Message>/g)].map(([, message]) => message)
  return { code: inElement('Code') || (text.includes('<InvalidChangeBatch') ? 'InvalidChangeBatch' : ''), message: messages.join('; ').replaceAll('&apos;', "'").replaceAll('&quot;', '"') }
}
