import type { Call, IssueRequest } from '@certloop/plugin-kit'
import type { Account } from './account.ts'
import { findOrder, identifierOf, sameIdentifiers, type AcmeOrder } from './order.ts'
import type { Progressing } from './progress.ts'
import { isUrl } from './reading.ts'

/** A long list is not worth reading: an order that is not found is ordered again, and the one left over runs out by itself. */
const [mostPages, mostOrders] = [30, 100]

/**
 * An order of the account that waits for just these names: one that was made right before a crash. Where the authority
 * keeps no list (RFC 8555, 7.1.2.1; Let's Encrypt has none) there is none, and that is safe: an order whose address was
 * not kept was never finalized, so nothing was issued for it.
 */
export async function openOrder(acme: Progressing, account: Account, request: IssueRequest, call: Call): Promise<AcmeOrder | undefined> {
  const about = await acme.accounts.post(account.url, '', call)
  if (!about.ok) return undefined
  const { orders } = about.json()
  let page: string | undefined = isUrl(orders) ? orders : undefined
  const wanted = request.names.map(identifierOf)
  const profile = request.profile ?? acme.fields.profile
  for (let pages = 0, looked = 0; page !== undefined && pages < mostPages; pages++) {
    const answer = await acme.accounts.post(page, '', call)
    if (!answer.ok) return undefined
    const { orders: urls } = answer.json()
    for (const url of Array.isArray(urls) ? urls.filter(isUrl) : []) {
      if (++looked > mostOrders) return undefined
      const order = await findOrder(acme, url, call)
      const isOpen = order && ['pending', 'ready'].includes(order.status) && !(order.expires && order.expires <= acme.now())
      if (isOpen && sameIdentifiers(order.identifiers, wanted) && (order.profile === undefined || profile === undefined || profile === null || order.profile === profile)) return order
    }
    page = answer.links('next')[0]
  }
  return undefined
}
