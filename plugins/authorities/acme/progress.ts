import { CertloopError, toCertloopError } from '@certloop/contract'
import { readCsr } from '@certloop/pki'
import type { Call, IssueRequest, Progress } from '@certloop/plugin-kit'
import type { Account, Accounts } from './account.ts'
import { isOver, proofsOf, readAuthorizations, type Authorization } from './authorization.ts'
import { download } from './certificate.ts'
import type { AcmeFields } from './fields.ts'
import { asHandle, type OrderHandle } from './handle.ts'
import { findOrder, readOrder, type AcmeOrder } from './order.ts'
import { errorOfProblem } from './problem.ts'
import type { Wire } from './wire.ts'

export interface Progressing { name: string; fields: AcmeFields; accounts: Accounts; wire: Wire; now: () => Date }
interface Step { request: IssueRequest; account: Account; handle: OrderHandle; order: AcmeOrder; call: Call }

const expired = (name: string, why: string) => new CertloopError('ORDER_EXPIRED', `The order ran out at ${name} before it was completed: ${why}. Nothing was issued for it.`)

/** Seconds until it is asked again: what the authority says, else slower with each look. */
function waitFor(retryAfter: Date | undefined, now: Date, usual: number): number {
  if (retryAfter === undefined) return usual
  return Math.min(Math.max(Math.ceil((retryAfter.getTime() - now.getTime()) / 1000), 1), 3600)
}
const patience = (looks: number) => Math.min(2 ** Math.min(looks, 8), 300)

/** Reads where the order stands, and does the next thing. */
export async function goOn(acme: Progressing, handle: OrderHandle, request: IssueRequest, call: Call): Promise<Progress> {
  const { name, accounts } = acme
  const account = await accounts.use(call)
  const order = handle.account === account.url ? await findOrder(acme, handle.order, call) : undefined
  if (order) return progressOf(acme, { request, account, handle, order, call })
  const why = handle.account === account.url ? `${name} does not know ${handle.order} any more` : `it belongs to the account ${handle.account}, and ${account.url} is used now`
  if (handle.finalized) throw new CertloopError('ORDER_UNCERTAIN', `The order was handed in for issuance and can not be found again: ${why}. A certificate may have been issued for it.`)
  throw expired(name, why)
}

export async function progressOf(acme: Progressing, step: Step): Promise<Progress> {
  const { name, now } = acme
  const { order, handle } = step
  const isOpen = order.status === 'pending' || order.status === 'ready'
  if (isOpen && order.expires && order.expires <= now()) throw expired(name, `it was open until ${order.expires.toISOString()}`)
  switch (order.status) {
    case 'pending': return prove(acme, step)
    case 'ready': return finalize(acme, step)
    case 'processing': {
      const looks = (handle.looks ?? 0) + 1
      return { state: 'waiting', handle: asHandle({ ...handle, looks }), reason: `${name} has what it needs and is issuing.`, pollSeconds: waitFor(order.retryAfter, now(), patience(looks)) }
    }
    case 'valid': return issued(acme, step)
    case 'invalid': return refused(acme, step)
  }
}

async function prove(acme: Progressing, step: Step): Promise<Progress> {
  const { name, now } = acme
  const { order, handle, call } = step
  const authorizations = await readAuthorizations(acme, order, call)
  const over = authorizations.find(isOver)
  if (over) throw expired(name, `the proof of ${over.identifier.value} is ${over.status} there`)
  if (authorizations.every(({ status }) => status === 'valid')) return { state: 'waiting', handle: asHandle(handle), reason: `Every name is proven; ${name} is making the order ready.`, pollSeconds: waitFor(order.retryAfter, now(), 2) }
  return proving(acme, step, authorizations)
}

function proving({ name, fields, now }: Progressing, { account, handle, order }: Step, authorizations: readonly Authorization[]): Progress {
  const proofs = proofsOf(name, fields, account, authorizations)
  const unusable = proofs.find(({ state, ways }) => state === 'wanted' && ways.length === 0)
  if (unusable) throw new CertloopError('VALIDATION_METHOD_UNAVAILABLE', `${name} offers no way to prove ${unusable.name} that is known here.`, { names: unusable.name })
  const retryAfter = [order, ...authorizations].flatMap(({ retryAfter: at }) => at ?? []).toSorted((a, b) => a.getTime() - b.getTime())[0]
  const ends = [order, ...authorizations.filter(({ status }) => status === 'pending')].flatMap(({ expires }) => expires ?? []).toSorted((a, b) => a.getTime() - b.getTime())
  return { state: 'proving', handle: asHandle(handle), proofs, expires: ends[0] ?? null, pollSeconds: waitFor(retryAfter, now(), 5) }
}

/** Handed in once: the state was read a moment ago, and that it may have arrived is kept first. */
async function finalize(acme: Progressing, step: Step): Promise<Progress> {
  const { name, accounts, wire, now } = acme
  const { order, request, call } = step
  const handle = { ...step.handle, finalized: true }
  await call.keep(asHandle(handle))
  const answer = await accounts.post(order.finalize, { csr: Buffer.from(readCsr(request.csrPem).der).toString('base64url') }, call)
  if (answer.problem?.type === 'orderNotReady') return { state: 'waiting', handle: asHandle(handle), reason: `${name} is not ready to issue yet.`, pollSeconds: waitFor(answer.retryAfter, now(), 2) }
  if (!answer.ok) throw wire.refusal(answer, 'finalize', { names: request.names })
  call.note(`Handed the certificate request in to ${name}.`)
  const after = readOrder(name, order.url, answer)
  // Some say "ready" or nothing new here and work on it all the same: the next look tells.
  return after.status === 'valid' ? issued(acme, { ...step, handle, order: after }) : { state: 'waiting', handle: asHandle({ ...handle, looks: 0 }), reason: `${name} has what it needs and is issuing.`, pollSeconds: waitFor(after.retryAfter, now(), 1) }
}

async function issued(acme: Progressing, { order, request, call }: Step): Promise<Progress> {
  const { name, fields } = acme
  if (order.certificate === undefined) throw new CertloopError('AUTHORITY_ANSWER_INVALID', `${name} says that the order is complete and not where the certificate is.`)
  const chainPem = await download({ ...acme, preferredChain: fields.preferredChain }, order.certificate, request.csrPem, call)
  call.note(`Fetched the certificate from ${name}: ${order.certificate}`)
  return { state: 'issued', chainPem }
}

/** Which names could not be proven, or why it issued nothing. */
async function refused(acme: Progressing, step: Step): Promise<Progress> {
  const { name } = acme
  const { order, request, call } = step
  const authorizations = await readAuthorizations(acme, order, call).catch((error: unknown) => {
    // An authority may throw them away with the order, whose own error is left then.
    if (toCertloopError(error).spec.retry === 'later') throw error
    return []
  })
  if (authorizations.some(({ status }) => status === 'invalid')) return proving(acme, step, authorizations)
  const error = order.error ? errorOfProblem(order.error, { authority: name, doing: 'finalize', names: request.names }) : expired(name, 'it was made invalid without a reason')
  // What passes by itself does not bring this order back.
  throw error.spec.retry === 'later' ? expired(name, error.message.replace(/\.$/, '')) : error
}
