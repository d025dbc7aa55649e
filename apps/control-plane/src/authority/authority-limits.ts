import { CertloopError, subjectPartNames, subjectTypes, type AuthorityId, type SubjectPartName } from '@certloop/contract'
import { fromJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import { getProfile } from '../local-ca/profile-store.ts'
import { findAuthority, type AuthorityRow } from './authority-store.ts'

/** What is known of an authority without asking it. */
export interface AuthorityLimits { subjectParts: readonly SubjectPartName[]; defaultValidityDays: number; longestValidityDays: number }

/** The issuance profile of the built-in CA that requests go by: the one asked for, that of the authority, or that of TLS servers. */
export const profileOf = ({ settings }: Pick<AuthorityRow, 'settings'>, asked: string | null): string => asked ?? fromJson<{ profile?: string }>(settings).profile ?? 'server'

/** Undefined when there is no such authority or profile, or nothing is known of it. */
export async function authorityLimits(db: Db | Tx, id: AuthorityId | null, asked: string | null): Promise<AuthorityLimits | undefined> {
  const row = id === null ? undefined : await findAuthority(db, id)
  if (row?.kind !== 'local-ca') return undefined
  try {
    const { rules } = await getProfile(db, profileOf(row, asked))
    return { subjectParts: subjectPartNames.filter((name) => rules.subjectAttributes.includes(subjectTypes[name])), defaultValidityDays: rules.defaultValidityDays, longestValidityDays: rules.maximumValidityDays }
  } catch (error) {
    if (error instanceof CertloopError && error.code === 'NOT_FOUND') return undefined
    throw error
  }
}
