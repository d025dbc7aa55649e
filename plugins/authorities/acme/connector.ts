import { CertloopError, type KeyAlgorithm } from '@certloop/contract'
import type { AuthorityConnector, AuthorityContext, Call, IssueRequest, Progress } from '@certloop/plugin-kit'
import { createAccounts } from './account.ts'
import { askToLook, giveUp } from './authorization.ts'
import { testConnection } from './connection-test.ts'
import { directoryReader, type ReadDirectory } from './directory.ts'
import type { AcmeFields } from './fields.ts'
import { openOrder } from './find.ts'
import { asHandle, readHandle } from './handle.ts'
import { rollAccountKey } from './key-rollover.ts'
import { manifest } from './manifest.ts'
import { findOrder, newOrder, type AcmeOrder } from './order.ts'
import { presetOf } from './presets.ts'
import { goOn, progressOf, type Progressing } from './progress.ts'
import { renewalWindow } from './renewal-info.ts'
import { reviewRequest } from './review.ts'
import { revoke } from './revocation.ts'
import { beforehand, createWire, type Wire } from './wire.ts'

/** What authorities for everybody sign. */
const publicKeys: readonly KeyAlgorithm[] = ['rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-256', 'ec-384']

/** One configured ACME directory. */
export function acmeConnector(context: AuthorityContext<AcmeFields>): AuthorityConnector {
  const { name, fields, now } = context
  const { isPublic = false, limits = [], certificateTypes = ['dv'] } = presetOf(fields.directoryUrl) ?? {}
  let wire: Wire | undefined
  const directory: ReadDirectory = directoryReader({ url: fields.directoryUrl, wire: () => theWire(), now })
  // Made on first use: trust anchors that can't be read are to fail a call, not the whole list of authorities.
  const theWire = (): Wire => wire ??= createWire({ authority: name, httpsOnly: fields.directoryUrl.startsWith('https://'), outbound: context.outbound(fields.trustPem ? { trustPem: fields.trustPem } : {}), now, newNonce: async (asking) => (await directory(asking)).newNonce })
  const lazyWire: Wire = { get: (...call) => theWire().get(...call), post: (...call) => theWire().post(...call), refusal: (...call) => theWire().refusal(...call) }
  const accounts = createAccounts({ context, wire: lazyWire, directory })
  const acme: Progressing = { name, fields, accounts, wire: lazyWire, now }

  /** Its address is kept before anything is done with it. */
  async function begin(request: IssueRequest, order: AcmeOrder, call: Call, how: string): Promise<Progress> {
    const account = await accounts.use(call)
    const handle = { order: order.url, account: account.url }
    await call.keep(asHandle(handle), { issues: false })
    call.note(`${how} ${order.url}, open until ${order.expires?.toISOString() ?? 'some time that the authority does not tell'}.`)
    return progressOf(acme, { request, account, handle, order, call })
  }

  return {
    kind: manifest.id,
    keepsFirst: true,
    keyAlgorithms: isPublic ? publicKeys : manifest.keyAlgorithms,
    validationMethods: manifest.validationMethods,
    certificateTypes,
    isPublic,
    limits,
    caa: async () => ({ identities: (await directory()).caaIdentities, accountUri: await accounts.knownUrl() ?? null }),
    facts: async () => {
      const url = await accounts.knownUrl()
      return { Directory: fields.directoryUrl, ...(url === undefined ? {} : { 'ACME account': url }) }
    },
    review: async (request) => reviewRequest({ fields, isPublic }, request),
    async submit(request, call) {
      const known = await beforehand(async () => {
        await accounts.use(call)
        return directory(call)
      })
      return begin(request, await newOrder(acme, known, request, call), call, `Ordered at ${name}:`)
    },
    proceed: async (request, handle, call) => goOn(acme, readHandle(handle), request, call),
    async find(request, call) {
      if (await accounts.knownUrl() === undefined) return undefined
      const order = await openOrder(acme, await accounts.use(call), request, call)
      return order && begin(request, order, call, `Found the order that was made at ${name} before:`)
    },
    async prove(_handle, { wayId }, call) {
      await askToLook(acme, wayId, call)
    },
    async abandon(handle, call) {
      const { order: url, account } = readHandle(handle)
      if ((await accounts.use(call)).url !== account) return
      const order = await findOrder(acme, url, call)
      if (order?.status !== 'pending') return
      const count = await giveUp(acme, order, call)
      call.note(`Gave ${url} up at ${name}: ${count} names are not to be proven any more.`)
    },
    revoke: async ({ certificatePem }, reason) => revoke(acme, await directory(), certificatePem, reason),
    renewalWindow: async ({ certificatePem }) => renewalWindow(acme, await directory(), certificatePem),
    templates: async () => [...(await directory()).profiles].map(([profile, description]) => ({ name: profile, description })),
    rollAccountKey: (call) => rollAccountKey({ name, fields, accounts, wire: lazyWire, directory }, call),
    async test(steps) {
      if (!URL.canParse(fields.directoryUrl)) throw new CertloopError('INPUT_INVALID', `"${fields.directoryUrl}" is not an address.`, { fields: ['directoryUrl: is not an address'] })
      await testConnection({ name, fields, accounts, wire: lazyWire, directory }, steps)
    },
  }
}
