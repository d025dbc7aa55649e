import { Type, type Static } from 'typebox'
import { Check } from 'typebox/value'
import { withoutDot } from '../shared/names.ts'

const text = Type.String({ minLength: 1, maxLength: 300 })
const Account = Type.Object({ username: text, password: text, fulldomain: text, subdomain: text })
/** What acme-dns answers to a registration. */
export type Account = Static<typeof Account>

/** One account, a list of them, or by name. @returns in words what is wrong with the text, without repeating it */
export function readAccounts(given: string): Account[] | string {
  let value: unknown
  try {
    value = JSON.parse(given)
  } catch {
    return 'must be JSON, as acme-dns answers to a registration'
  }
  const found: unknown[] = Check(Account, value) ? [value] : typeof value === 'object' && value !== null ? Object.values(value) : []
  if (found.length === 0) return 'must hold at least one account with username, password, fulldomain and subdomain'
  const bad = found.findIndex((each) => !Check(Account, each))
  if (bad >= 0) return `account ${bad + 1} of ${found.length} needs username, password, fulldomain and subdomain`
  return (found as Account[]).map((account) => ({ ...account, fulldomain: withoutDot(account.fulldomain) }))
}
