import { CertloopError, type Authority as AuthorityResource } from '@certloop/contract'
import { readCertificate } from '@certloop/pki'
import { serverTypes } from '@certloop/server-types'
import type { Database } from '../database/database.ts'
import { implement, type App } from '../http/index.ts'
import { reachesOf } from '../provisioning/reach-problems.ts'
import type { AuthorityOf } from './authority.ts'
import { abilitiesOf } from './abilities.ts'
import { listAuthorities, type AuthorityRow } from './authority-store.ts'

export interface AuthorityRouteDeps {
  database: Database
  authorityOf: AuthorityOf
  /** Issuing certificate first, root last. */
  chainOf(id: AuthorityRow['id']): Promise<string[]>
}

export function registerAuthorityRoutes(app: App, { database, authorityOf, chainOf }: AuthorityRouteDeps): void {
  const show = async (row: AuthorityRow): Promise<AuthorityResource> => {
    const [authority, chainPem] = [await authorityOf(database.db, row.id), await chainOf(row.id)]
    const [issuer] = chainPem
    if (!issuer) throw new CertloopError('INTERNAL', `The authority "${row.name}" has no issuing certificate.`)
    const { subject, notAfter } = readCertificate(issuer)
    return { id: row.id, name: row.name, kind: row.kind, title: 'Built-in CA', preset: null, isPublic: false, fields: {}, secretsSet: [], abilities: [...abilitiesOf(row.kind)], keyAlgorithms: [...authority.keyAlgorithms], validationMethods: [...authority.validationMethods], certificateTypes: [...authority.certificateTypes], limits: [], concurrency: row.concurrency, health: { state: 'unknown', since: null, lastReport: null, nextCheckAt: null }, facts: {}, issuerSubject: subject, issuerNotAfter: notAfter.toISOString(), chainPem, createdAt: row.createdAt, updatedAt: row.updatedAt ?? row.createdAt }
  }
  implement(app, 'listAuthorities', async () => ({ items: await Promise.all((await listAuthorities(database.db)).map(show)) }))
  implement(app, 'listServerTypes', async () => ({
    items: serverTypes.all.map(({ manifest }) => ({ id: manifest.id, title: manifest.title, category: manifest.category, summary: manifest.summary, capabilities: [...manifest.capabilities], reaches: [...reachesOf(manifest)], fields: manifest.fields })),
  }))
}
