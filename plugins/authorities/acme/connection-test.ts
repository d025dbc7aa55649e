import { CertloopError } from '@certloop/contract'
import type { TestSteps } from '@certloop/plugin-kit'
import type { Accounts } from './account.ts'
import { contactsOf } from './contacts.ts'
import type { Directory, ReadDirectory } from './directory.ts'
import type { AcmeFields } from './fields.ts'
import type { Wire } from './wire.ts'

interface Testing { name: string; fields: AcmeFields; accounts: Accounts; wire: Wire; directory: ReadDirectory }

function offered({ profiles, renewalInfo, externalAccountRequired }: Directory): string {
  const parts = [
    renewalInfo ? 'says when to renew' : 'does not say when to renew',
    profiles.size > 0 ? `profiles: ${[...profiles.keys()].join(', ')}` : 'no profiles to choose from',
    ...(externalAccountRequired ? ['makes accounts only for its customers (EAB)'] : []),
  ]
  return `All addresses are there; ${parts.join('; ')}.`
}

/** Directory, trust, terms and account; the account is made where there is none. */
export async function testConnection({ name, fields, accounts, wire, directory }: Testing, { step }: TestSteps): Promise<void> {
  const trusted = fields.trustPem ? 'the trust anchor given' : 'the roots of the system'
  await step('Address and TLS certificate', async () => {
    const answer = await wire.get(fields.directoryUrl)
    if (!answer.ok) throw new CertloopError('AUTHORITY_ANSWER_INVALID', `${fields.directoryUrl} answered ${answer.status}.`)
    return answer
  }, ({ status }) => `${new URL(fields.directoryUrl).host} answered ${status}${fields.directoryUrl.startsWith('https:') ? `; its TLS certificate is trusted by ${trusted}` : ''}.`)
  const known = await step('Directory', () => directory(), offered)
  await step('Terms of service', async () => {
    if (!known.termsOfService) return 'The directory names none.'
    if (fields.termsAgreed) return `Agreed to: ${known.termsOfService}`
    // An account that is there already agreed when it was made.
    if (await accounts.knownUrl() !== undefined || fields.accountKey) return `Not agreed to in the fields; the account was made elsewhere or before. The terms: ${known.termsOfService}`
    throw new CertloopError('AUTHORITY_TERMS_NOT_AGREED', `The terms are not agreed to yet: ${known.termsOfService}`, { termsUrl: known.termsOfService, field: 'termsAgreed' })
  }, (seen) => seen)
  await step('Account', async () => {
    const account = await accounts.use()
    const url = await accounts.lookUp(account.key)
    if (url === undefined) throw new CertloopError('AUTHORITY_ACCOUNT_REFUSED', `${name} does not know the account ${account.url} any more. It is made anew with the next order.`)
    const contact = contactsOf(fields.contact)
    const answer = await accounts.post(account.url, contact.length > 0 ? { contact } : '')
    if (!answer.ok) throw wire.refusal(answer, 'account')
    const { status } = answer.json()
    if (typeof status === 'string' && status !== 'valid') throw new CertloopError('AUTHORITY_ACCOUNT_REFUSED', `The account ${account.url} is ${status} at ${name}.`)
    return account
  }, ({ url, key }) => `${url} is valid; its key is ${key.algorithm}.`)
}
