import { toCertloopError, type Authority as AuthorityResource, type AuthorityType } from '@certloop/contract'
import { readCertificate } from '@certloop/pki'
import type { AuthorityConnector } from '@certloop/plugin-kit'
import { fromJson } from '../database/columns.ts'
import type { Database } from '../database/database.ts'
import type { LocalCa } from '../local-ca/local-ca.ts'
import type { Secrets } from '../secret/secrets.ts'
import { abilitiesOf, abilitiesOfConnector } from './abilities.ts'
import type { AuthorityOf } from './authority.ts'
import { authorityKinds, type FieldValues } from './authority-kinds.ts'
import type { AuthorityRow } from './authority-store.ts'
import { limitsOf } from './budget.ts'
import { healthOf } from '../plugin/health.ts'
import { openValues } from './sealed-secrets.ts'

export interface ViewDeps { database: Database; secrets: Secrets; localCa: LocalCa; authorityOf: AuthorityOf }

export const showKinds = (): AuthorityType[] => authorityKinds.all.map(({ manifest, single }) => ({
  kind: manifest.id, title: manifest.title, summary: manifest.summary, fields: manifest.fields, presets: structuredClone([...manifest.presets]), abilities: [...manifest.abilities], validationMethods: [...manifest.validationMethods], single: single === true,
}))

type Told = Pick<AuthorityConnector, 'keyAlgorithms' | 'validationMethods' | 'certificateTypes' | 'isPublic'>
/** Of a kind that this release does not know. */
const nothing: Told = { keyAlgorithms: [], validationMethods: [], certificateTypes: [] }

/** What can be told of the connector; of one that can't be made, that which its manifest says. */
async function told({ database, authorityOf }: ViewDeps, row: AuthorityRow): Promise<{ connector: Told; abilities: AuthorityResource['abilities']; facts: Record<string, string> }> {
  try {
    const connector = await authorityOf(database.db, row.id)
    return { connector, abilities: abilitiesOfConnector(row.kind, connector), facts: { ...await connector.facts?.() } }
  } catch (error) {
    return { connector: authorityKinds.find(row.kind)?.manifest ?? nothing, abilities: [...abilitiesOf(row.kind)], facts: { problem: toCertloopError(error).message } }
  }
}

function secretsSet(secrets: Secrets, row: AuthorityRow): string[] {
  try {
    return Object.keys(openValues(secrets, row)).toSorted()
  } catch {
    return [] // they can't be opened any more: the test says so, and they have to be entered again
  }
}

/** The certificates it issues with, where they are known beforehand. */
async function issuerOf({ localCa, database: { db } }: ViewDeps, row: AuthorityRow): Promise<Pick<AuthorityResource, 'issuerSubject' | 'issuerNotAfter' | 'chainPem'>> {
  const chainPem = await authorityKinds.find(row.kind)?.chain?.({ localCa, db }) ?? []
  const issuer = chainPem[0] === undefined ? undefined : readCertificate(chainPem[0])
  return { issuerSubject: issuer?.subject ?? null, issuerNotAfter: issuer?.notAfter.toISOString() ?? null, chainPem }
}

/** An authority as the API shows it. Nothing is asked of it. */
export async function showAuthority(deps: ViewDeps, row: AuthorityRow): Promise<AuthorityResource> {
  const { id, name, kind, concurrency, createdAt } = row
  const manifest = authorityKinds.find(kind)?.manifest
  const { connector, abilities, facts } = await told(deps, row)
  const preset = manifest?.presets.find((each) => each.id === row.preset)
  const { workFailedAt: _failed, profiles: _profiles, ...health } = healthOf(row)
  return {
    id, name, kind, title: preset?.title ?? manifest?.title ?? kind, preset: row.preset, isPublic: connector.isPublic ?? preset?.isPublic ?? false,
    fields: { ...fromJson<FieldValues>(row.settings) }, secretsSet: secretsSet(deps.secrets, row), abilities, keyAlgorithms: [...connector.keyAlgorithms], validationMethods: [...connector.validationMethods], certificateTypes: [...connector.certificateTypes],
    limits: limitsOf(row), concurrency, health, facts, ...await issuerOf(deps, row), createdAt, updatedAt: row.updatedAt ?? createdAt,
  }
}
