import { CertloopError, field } from '@certloop/contract'
import { dnsProviders } from '@certloop/dns-providers'
import type { DnsProviderEntry, DnsProviderManifest } from '@certloop/plugin-kit'
import { Type, type TObject } from 'typebox'

/** The values of its fields, by their names. */
export type FieldValues = Readonly<Record<string, unknown>>

/** A kind of DNS provider: the plug-in, and the fields that all kinds share beside its own. */
export interface DnsProviderKind {
  manifest: DnsProviderManifest
  fields: TObject
  check: (fields: Record<string, unknown>) => { field: string; problem: string }[]
  connector: DnsProviderEntry['connector']
}

const targets = 'delegationTargets'
const delegationTargets = field.optional(field.lines({
  label: 'Delegation targets',
  help: 'Names, a line each, that CNAME records of _acme-challenge lead to, e.g. acme.example.net for all names below it. Records are written at names with the label _acme-challenge or _validation-persist, and below these; nowhere else. Names that begin with _acme-challenge need no entry.',
}))

const nameForm = /^(?=.{3,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)+$/
const plain = (name: string) => name.trim().replace(/\.$/, '').toLowerCase()

function targetProblems(fields: FieldValues): { field: string; problem: string }[] {
  const bad = targetsOf(fields).filter((name) => !nameForm.test(name))
  return bad.length === 0 ? [] : [{ field: targets, problem: `"${bad[0]}" is not a name with two labels or more, as in acme.example.net` }]
}
/** Names that a CNAME record may lead to, and all below them. */
export const targetsOf = (fields: FieldValues): string[] => (Array.isArray(fields[targets]) ? fields[targets].map((each) => plain(String(each))) : [])
/** What the plug-in itself knows of. */
export const ownFields = (fields: FieldValues): FieldValues => Object.fromEntries(Object.entries(fields).filter(([name]) => name !== targets))

function kindFrom({ manifest, connector }: DnsProviderEntry): DnsProviderKind {
  // One that is made for delegation alone has no other names.
  const shared = manifest.delegationOnly ? {} : { [targets]: delegationTargets }
  return {
    manifest, connector, fields: Type.Object({ ...manifest.fields.properties, ...shared }, { additionalProperties: false }),
    check: (fields) => [...manifest.check?.(ownFields(fields)) ?? [], ...targetProblems(fields)],
  }
}
/** The order is the order in forms. */
export const dnsProviderKinds: readonly DnsProviderKind[] = dnsProviders.all.map(kindFrom)
export const findKind = (id: string): DnsProviderKind | undefined => dnsProviderKinds.find(({ manifest }) => manifest.id === id)
/** @throws CertloopError CONFIGURATION_INCOMPLETE: it was made by a release that knew more kinds */
export function kindOf({ kind }: { kind: string }): DnsProviderKind {
  const found = findKind(kind)
  if (!found) throw new CertloopError('CONFIGURATION_INCOMPLETE', `There is no DNS provider of kind "${kind}".`, { kind })
  return found
}
