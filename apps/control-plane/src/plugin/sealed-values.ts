import { CertloopError } from '@certloop/contract'
import type { FieldProblem, Values } from './values.ts'
import type { Secrets } from '../secret/secrets.ts'

/**
 * @param binding the row, such as "authority:ath_…:secrets"
 * @returns null when there is nothing to keep
 */
export const sealFor = (secrets: Secrets, binding: string, secret: Readonly<Record<string, string>>): string | null => (Object.keys(secret).length === 0 ? null : secrets.seal(JSON.stringify(secret), binding))
/** @throws CertloopError SECRET_UNREADABLE */
export const openFor = (secrets: Secrets, binding: string, sealedSecrets: string | null): Record<string, string> =>
  (sealedSecrets === null ? {} : JSON.parse(secrets.open(sealedSecrets, binding).toString()) as Record<string, string>)

/** What is kept; what can't be opened any more counts as not kept, and is asked for again where it is needed. */
export function keptValues(plain: Record<string, unknown>, open: () => Record<string, string>): Values {
  try {
    return { plain, secret: open() }
  } catch (error) {
    if (error instanceof CertloopError && error.code === 'SECRET_UNREADABLE') return { plain, secret: {} }
    throw error
  }
}

/** @param what "The authority" */
export function unfit(what: string, problems: readonly FieldProblem[]): CertloopError {
  const lines = problems.map(({ field, problem }) => `${field}: ${problem}`)
  return new CertloopError('INPUT_INVALID', `${what} does not fit: ${lines.slice(0, 5).join('; ')}.`, { fields: lines })
}

/** The names of the plain fields that differ. */
export const changedFields = (was: Readonly<Record<string, unknown>>, is: Readonly<Record<string, unknown>>): string[] =>
  [...new Set([...Object.keys(was), ...Object.keys(is)])].filter((name) => JSON.stringify(was[name]) !== JSON.stringify(is[name]))
