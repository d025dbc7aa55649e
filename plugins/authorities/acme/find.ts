import type { Call, IssueRequest } from '@certloop/plugin-kit'
import type { Account } from './account.ts'
import { findOrder, identifierOf, sameIdentifiers, type AcmeOrder } from './order.ts'
import type { Progressing } from './progress.ts'
import { isUrl, partsOf } from './reading.ts'

/** A long list is not worth reading: an order that is not found is ordered again, and the one left over runs out by itself. */
const [mostPages, mostOrders] = [30, 100]

/**
 * An order of the account that waits for just these names: one that was made right before a crash. Where the authority
 * keeps no list (RFC 8555, 7.1.2.1; Let's Encrypt has none) there is none, and that is safe: an order whose address was
 * not kept was never finalized, so nothing was issued for it.
 */
export async function openOrder(acme: Progressing, account: Account, request: IssueRequest, call: Call): Promise<AcmeOrder | undefined> {
  let looked = 0
  for await (const url of listedOrders(acme, account, call)) {
    if (++looked > mostOrders) return undefined
    const order = await findOrder(acme, url, call)
    if (order && isWanted(acme, order, request)) return order
  }
  return undefined
}

/** Addresses of the orders of the account, page by page. */
async function* listedOrders({ accounts }: Progressing, account: Account, call: Call): AsyncGenerator<string, void> {
  const about = await accounts.post(account.url, '', call)
  let page = about.ok ? about.json()['orders'] : undefined
  for (let pages = 0; isUrl(page) && pages < mostPages; pages++) {
    const answer = await accounts.post(page, '', call)
    if (!answer.ok) return
    // step-ca and Caddy give the bare list.
    const orders = Array.isArray(answer.value) ? answer.value as unknown[] : partsOf(answer.value)['orders']
    yield* Array.isArray(orders) ? orders.filter(isUrl) : []
    page = answer.links('next')[0]
  }
}

function isWanted({ fields, now }: Progressing, { status, expires, identifiers, profile }: AcmeOrder, request: IssueRequest): boolean {
  const isOpen = (status === 'pending' || status === 'ready') && !(expires && expires <= now())
  const wanted = request.profile ?? fields.profile
  return isOpen && sameIdentifiers(identifiers, request.names.map(identifierOf)) && (profile === undefined || wanted === undefined || profile === wanted)
}
