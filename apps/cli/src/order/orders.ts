import type { Order } from '@certloop/api-client'
import { errorLines } from '../certificate/follow-action.ts'
import { orderStates } from '../choices.ts'
import { defineCommand } from '../command.ts'
import type { Context } from '../context.ts'
import { findCertificate, findOrder } from '../find.ts'
import { paintState } from '../format/paint.ts'
import { facts, table } from '../format/table.ts'
import { moment } from '../format/time.ts'
import { pageOptions, readPages, showPage } from '../page.ts'
import { timelineLines } from '../timeline.ts'

export const orderList = defineCommand({
  noun: 'order', verb: 'list', summary: 'Orders, newest first',
  args: {},
  options: {
    search: { type: 'string', value: 'TEXT', help: 'part of a certificate\'s name' },
    state: { type: 'string', value: 'STATE', choices: orderStates, help: 'only in this state' },
    certificate: { type: 'string', value: 'NAME', help: 'only of this certificate' },
    ...pageOptions,
  },
  examples: ['order list', 'order list --state failed', 'order list --certificate www.example.com --json'],
  async run(context, { options: { search, state, certificate, ...paging } }) {
    const client = await context.client()
    const certificateId = certificate === undefined ? undefined : await findCertificate(context, certificate)
    const page = await readPages(paging, (query) => client.call('listOrders', { query: { ...query, search, state, certificateId } }))
    showPage(context, page, 'There are no such orders.', (items) => table(
      ['CERTIFICATE', 'STATE', 'AUTHORITY', 'WHEN', 'BY', 'REASON', 'ID'],
      items.map((o) => [o.certificateName, paintState(context.paint, o.state), o.authorityName, moment(o.createdAt, context.world), o.requester, o.reason, o.id]),
    ))
  },
})

function orderLines({ paint, world }: Context, order: Order): string[] {
  return facts([
    ['Order', order.id], ['Certificate', order.certificateName], ['State', paintState(paint, order.state)], ['Reason', order.reason], ['Next', order.nextAction], ['Deadline', moment(order.deadline, world)],
    ['Authority', order.authorityName], ['Names', order.names.join(', ')], ['Key', `${order.keyAlgorithm}, kept by ${order.custody}`], ['Bot', order.botId], ['By', order.requester], ['Version', order.versionId],
  ])
}

export const orderShow = defineCommand({
  noun: 'order', verb: 'show', summary: 'One order with its timeline',
  args: { order: { help: 'id; or a certificate\'s name for its newest' } }, options: {},
  examples: ['order show ord_01j…', 'order show www.example.com'],
  async run(context, { args }) {
    const id = await findOrder(context, args.order)
    const answer = await (await context.client()).call('getOrder', { params: { id } })
    const failure = await errorLines(context, answer.order)
    context.show(answer, ({ order, timeline }) => [...orderLines(context, order), ...failure, '', ...timelineLines(context, timeline)])
  },
})

export const orderCancel = defineCommand({
  noun: 'order', verb: 'cancel', summary: 'Cancel an order that was not submitted yet or is uncertain',
  args: { order: { help: 'id; or a certificate\'s name when it has one such order' } }, options: {},
  examples: ['order cancel www.example.com'],
  async run(context, { args }) {
    const id = await findOrder(context, args.order, ['pending', 'processing', 'uncertain'])
    const order = await (await context.client()).call('cancelOrder', { params: { id } })
    context.show(order, (safe) => orderLines(context, safe))
  },
})
