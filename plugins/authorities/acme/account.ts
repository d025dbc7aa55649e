import { CertloopError } from '@certloop/contract'
import { generateKey } from '@certloop/pki'
import type { AuthorityContext } from '@certloop/plugin-kit'
import { accountMemory, type AccountMemory, type KeptAccount } from './account-memory.ts'
import type { Directory, ReadDirectory } from './directory.ts'
import type { AcmeFields } from './fields.ts'
import { accountKeyOf, externalBinding, sha256, type AccountKey, type Payload } from './jws.ts'
import { contactsOf } from './contacts.ts'
import type { Answer, Asking, Wire } from './wire.ts'

export interface Account { url: string; key: AccountKey }
export interface AskingNoted extends Asking { note?: (message: string) => void }
/** The account at one directory: made on first use, found again, its requests signed. */
export interface Accounts {
  /** Makes it where there is none. @throws CertloopError AUTHORITY_TERMS_NOT_AGREED, AUTHORITY_ACCOUNT_REFUSED */
  use(asking?: AskingNoted): Promise<Account>
  /** Signed by the account. A refusal is an answer. */
  post(url: string, payload: Payload, asking?: AskingNoted): Promise<Answer>
  /** The address that is known of it, without asking. */
  knownUrl(): Promise<string | undefined>
  /** The address of the account of a key; undefined: it has none. */
  lookUp(key: AccountKey, asking?: Asking): Promise<string | undefined>
  memory: AccountMemory
  /** What was read is to be read anew: somebody changed it. */
  forget(): void
}
interface AccountsOptions { context: AuthorityContext<AcmeFields>; wire: Wire; directory: ReadDirectory }

/** Another key for the external account is another account; so is another imported key. */
function slotOf({ directoryUrl, eabKeyId, accountKey }: AcmeFields): string {
  return ['account', directoryUrl, eabKeyId ?? '', accountKey ? sha256(accountKey.trim()).toString('hex').slice(0, 16) : ''].join(' ').trim()
}

/** What a person has to do before an account can be made. */
function refuseEarly(name: string, { eabKeyId, eabHmacKey, termsAgreed }: AcmeFields, { termsOfService, externalAccountRequired }: Directory): void {
  if (termsOfService && !termsAgreed) throw new CertloopError('AUTHORITY_TERMS_NOT_AGREED', `${name} wants its terms of service to be agreed to before it makes an account. The terms: ${termsOfService}`, { termsUrl: termsOfService, field: 'termsAgreed' })
  if (externalAccountRequired && !(eabKeyId && eabHmacKey)) throw new CertloopError('AUTHORITY_ACCOUNT_REFUSED', `${name} makes an account only for its customers: enter key id and HMAC key of the external account, as its customer page shows them.`, { field: eabKeyId ? 'eabHmacKey' : 'eabKeyId' })
}

async function newAccount({ eabKeyId: keyId, eabHmacKey: hmacKey, termsAgreed, contact: addresses }: AcmeFields, key: AccountKey, url: string): Promise<Record<string, unknown>> {
  const contact = contactsOf(addresses)
  return {
    ...(termsAgreed ? { termsOfServiceAgreed: true } : {}), ...(contact.length > 0 ? { contact } : {}),
    ...(keyId && hmacKey ? { externalAccountBinding: await externalBinding({ key, keyId, hmacKey, url }) } : {}),
  }
}

async function lookUpAccount({ wire, directory, fields: { eabKeyId: keyId, eabHmacKey: hmacKey } }: { wire: Wire; directory: ReadDirectory; fields: AcmeFields }, key: AccountKey, asking?: Asking): Promise<string | undefined> {
  const { newAccount: url } = await directory(asking)
  const answer = await wire.post(url, { onlyReturnExisting: true }, { key }, asking)
  if (answer.ok && answer.location) return answer.location
  // Some want to see the external account before they look for the key.
  if (answer.problem?.type === 'externalAccountRequired' && keyId && hmacKey) {
    const bound = await wire.post(url, { onlyReturnExisting: true, externalAccountBinding: await externalBinding({ key, keyId, hmacKey, url }) }, { key }, asking)
    return bound.ok ? bound.location : undefined
  }
  if (answer.problem?.type === 'accountDoesNotExist' || answer.problem?.type === 'externalAccountRequired') return undefined
  throw wire.refusal(answer, 'account')
}

/** What a stale key or address leads to: another process changed the key, or the authority lost the account. */
const mayBeStale = new Set(['accountDoesNotExist', 'unauthorized', 'malformed'])

export function createAccounts({ context, wire, directory }: AccountsOptions): Accounts {
  const { fields, name } = context
  const memory = accountMemory(context.memory, slotOf(fields))
  let using: Promise<Account> | undefined

  async function begin(): Promise<KeptAccount> {
    // Kept before the authority hears of it: a crash in between finds the same account again.
    const key = fields.accountKey ? (await accountKeyOf(fields.accountKey)).pem : await generateKey(fields.accountKeyAlgorithm ?? 'ec-256')
    const kept = await memory.change((present) => present ?? { key, ...(fields.accountKey ? { isImported: true } : {}) })
    if (!kept) throw new CertloopError('INTERNAL', 'The key of the ACME account could not be kept.')
    return kept
  }

  const lookUp = (key: AccountKey, asking?: Asking) => lookUpAccount({ wire, directory, fields }, key, asking)

  async function make(key: AccountKey, { note, ...asking }: AskingNoted): Promise<string> {
    const known = await directory(asking)
    refuseEarly(name, fields, known)
    const answer = await wire.post(known.newAccount, await newAccount(fields, key, known.newAccount), { key }, asking)
    if (!answer.ok) throw wire.refusal(answer, 'account')
    if (!answer.location) throw new CertloopError('AUTHORITY_ANSWER_INVALID', `${name} made an account and did not say where it is.`)
    note?.(`${answer.status === 201 ? 'Made the account' : 'Found the account'} ${answer.location}.`)
    return answer.location
  }

  /** After a crash during a change of the key: whichever of both the authority knows. */
  async function settle(kept: KeptAccount, asking: Asking): Promise<KeptAccount> {
    const { nextKey } = kept
    if (nextKey === undefined) return kept
    const url = await lookUp(await accountKeyOf(nextKey), asking)
    // Where it is not known there, it stays for the next change: a request under way may still arrive.
    if (url === undefined) return kept
    return await memory.change((present) => (present?.nextKey === nextKey ? { key: nextKey, url } : present)) ?? kept
  }

  async function open(asking: AskingNoted): Promise<Account> {
    const kept = await settle(await memory.read() ?? await begin(), asking)
    const key = await accountKeyOf(kept.key)
    if (kept.url !== undefined) return { url: kept.url, key }
    const found = kept.isImported ? await lookUp(key, asking) : undefined
    const url = found ?? await make(key, asking)
    await memory.change((present) => (present?.key === kept.key ? { ...present, url } : present))
    return { url, key }
  }

  const use = (asking: AskingNoted = {}): Promise<Account> => using ??= open(asking).catch((error: unknown) => {
    using = undefined
    throw error
  })

  /** undefined: what is known is what was used. */
  async function renewed(used: Account, refusal: string, asking: AskingNoted): Promise<Account | undefined> {
    if (!mayBeStale.has(refusal)) return undefined
    using = undefined
    if (refusal === 'accountDoesNotExist') await memory.change((present) => (present?.url === used.url ? withoutUrl(present) : present))
    const now = await use(asking)
    return now.url === used.url && now.key.thumbprint === used.key.thumbprint ? undefined : now
  }

  return {
    use, lookUp, memory,
    async post(url, payload, asking = {}) {
      const account = await use(asking)
      const { note: _note, ...plain } = asking
      const answer = await wire.post(url, payload, { key: account.key, accountUrl: account.url }, plain)
      const other = answer.problem ? await renewed(account, answer.problem.type, asking) : undefined
      return other ? wire.post(url, payload, { key: other.key, accountUrl: other.url }, plain) : answer
    },
    knownUrl: async () => (await memory.read())?.url,
    forget: () => { using = undefined },
  }
}

const withoutUrl = ({ url: _url, ...rest }: KeptAccount): KeptAccount => rest
