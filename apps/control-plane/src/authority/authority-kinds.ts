import { authorityTypes } from '@certloop/authorities'
import type { SubjectPartName } from '@certloop/contract'
import { registry, type AuthorityConnector, type AuthorityContext, type AuthorityManifest } from '@certloop/plugin-kit'
import type { Db, Tx } from '../database/database.ts'
import { localCaKind } from '../local-ca/local-ca-kind.ts'
import type { LocalCa } from '../local-ca/local-ca.ts'

/** What is known of an authority without asking it. */
export interface AuthorityLimits { subjectParts: readonly SubjectPartName[]; defaultValidityDays: number; longestValidityDays: number }
/** The values of its fields, by their names. */
export type FieldValues = Readonly<Record<string, unknown>>

/** What a kind that is part of this process is made from; the others need none of it. */
export interface Inside {
  localCa: LocalCa
  /** Of the transaction under way, where there is one. */
  db: Db | Tx
}

/** One kind of authority: a plug-in, and what a kind that is part of this process says besides. */
export interface AuthorityKind {
  manifest: AuthorityManifest
  /** There is one of it, made by itself. */
  single?: true
  connect(context: AuthorityContext, inside: Inside): Promise<AuthorityConnector>
  /** What only the database can tell of the values of its fields. */
  problems?(db: Db | Tx, fields: FieldValues): Promise<{ field: string; problem: string }[]>
  /** undefined: nothing is known of such a profile. */
  limits?(db: Db | Tx, fields: FieldValues, profile: string | null): Promise<AuthorityLimits | undefined>
  /** Issuing certificate first, root last. */
  chain?(inside: Inside): Promise<string[]>
}

/** The order is the order in forms. */
export const authorityKinds = registry<AuthorityKind>('authority', [
  ...authorityTypes.all.map(({ manifest, connector }): AuthorityKind => ({ manifest, connect: async (context) => (await connector())(context) })),
  localCaKind,
])
