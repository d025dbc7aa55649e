import { CertloopError } from '@certloop/contract'
import { generateKey } from '@certloop/pki'
import type { Accounts, AskingNoted } from './account.ts'
import type { ReadDirectory } from './directory.ts'
import type { AcmeFields } from './fields.ts'
import { accountKeyOf, signed, type AccountKey } from './jws.ts'
import type { Wire } from './wire.ts'

interface RolloverOptions { name: string; fields: AcmeFields; accounts: Accounts; wire: Wire; directory: ReadDirectory }

/**
 * Replaces the key of the account (RFC 8555, 7.3.5). The new key is kept before the authority hears of it, and both stay
 * until it is known which one counts: the next use of the account looks, and another change goes on with the same new key.
 */
export async function rollAccountKey({ name, fields, accounts, wire, directory }: RolloverOptions, asking: AskingNoted): Promise<void> {
  const { keyChange } = await directory(asking)
  if (keyChange === undefined) throw new CertloopError('ACTION_NOT_POSSIBLE', `${name} does not change keys of accounts.`)
  const account = await accounts.use(asking)
  const fresh = await generateKey(fields.accountKeyAlgorithm ?? 'ec-256')
  const kept = await accounts.memory.change((present) => present && { ...present, nextKey: present.nextKey ?? fresh })
  const next = await accountKeyOf(kept?.nextKey ?? fresh)
  const inner = await signed({ account: account.url, oldKey: account.key.jwk }, { key: next, url: keyChange })
  const answer = await accounts.post(keyChange, inner, asking)
  if (answer.ok) return takeOver(accounts, next, account.url, asking)
  if (answer.status === 409 && answer.location !== undefined && answer.location !== account.url) {
    // Somebody else's by now; with it the account could never change its key.
    await accounts.memory.change((present) => (present?.nextKey === next.pem ? withoutNext(present) : present))
    throw new CertloopError('AUTHORITY_ACCOUNT_REFUSED', `${name} knows the new key as that of another account, ${answer.location}. Change the key once more: a new one is made.`)
  }
  // An earlier change may have arrived although its answer did not.
  if (await accounts.lookUp(next, asking) === account.url) return takeOver(accounts, next, account.url, asking)
  throw wire.refusal(answer, 'account')
}

async function takeOver(accounts: Accounts, next: AccountKey, url: string, { note }: AskingNoted): Promise<void> {
  await accounts.memory.change((present) => (present?.nextKey === next.pem ? { key: next.pem, url } : present))
  accounts.forget()
  note?.(`The account ${url} has a new key.`)
}
const withoutNext = <T extends { nextKey?: string }>({ nextKey: _next, ...rest }: T): Omit<T, 'nextKey'> => rest
