import type { Order, OrderAttempt, Validation } from '@certloop/api-client'
import { errorLines } from '../certificate/follow-action.ts'
import { orderStates } from '../choices.ts'
import { defineCommand } from '../command.ts'
import type { Context } from '../context.ts'
import { findCertificate, findOrder } from '../find.ts'
import { paintState } from '../format/paint.ts'
import { facts, headed, table } from '../format/table.ts'
import { moment } from '../format/time.ts'
import { pageOptions, readPages, showPage } from '../page.ts'
import { timelineLines } from '../timeline.ts'
import { isOpen, nameText, validationTable } from '../validation/validations.ts'

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

/** Which authorities were asked, one after the other. */
const attemptLines = ({ paint, world }: Context, attempts: readonly OrderAttempt[]): string[] => table(
  ['AUTHORITY', 'STATE', 'FROM', 'UNTIL', 'REASON'],
  attempts.map((a) => [a.authorityName, paintState(paint, a.state), moment(a.startedAt, world), moment(a.endedAt, world), a.error ? `${a.reason} (${a.error.code})` : a.reason]),
)

/** What a person can do for it to go on, beyond what the order says of itself. */
function nextLines(order: Order, validations: readonly Validation[]): string[] {
  const open = validations.filter(isOpen)
  const waiting = open.filter(({ state }) => state === 'waiting').map((v) => `Place what proves ${nameText(v)}: certloop validation show ${v.id}. Then: certloop validation check ${v.id}`)
  const unseen = open.filter(({ state, lastLook }) => state === 'checking' && lastLook?.visible === false).map((v) => `See why the proof of ${nameText(v)} is not visible: certloop validation show ${v.id}`)
  return [...waiting, ...unseen, ...(order.state === 'uncertain' ? [`Have the authority asked again: certloop order look-again ${order.id}`, `Or look there yourself whether it issued. If it did not: certloop order cancel ${order.id}`] : [])]
}

async function readAll(context: Context, orderId: Order['id']): Promise<Validation[]> {
  const client = await context.client()
  return (await readPages({ limit: undefined, all: true, cursor: undefined }, (query) => client.call('listValidations', { query: { ...query, orderId } }))).items
}

export const orderShow = defineCommand({
  noun: 'order', verb: 'show', summary: 'One order: authorities asked, validations, what to do next, timeline',
  args: { order: { help: 'id; or a certificate\'s name for its newest' } }, options: {},
  examples: ['order show ord_01j…', 'order show www.example.com'],
  async run(context, { args }) {
    const id = await findOrder(context, args.order)
    const client = await context.client()
    const [answer, attempts, validations] = [await client.call('getOrder', { params: { id } }), await client.call('listOrderAttempts', { params: { id } }), await readAll(context, id)]
    const failure = await errorLines(context, answer.order)
    context.show({ ...answer, attempts: attempts.items, validations }, (safe) => [
      ...orderLines(context, safe.order), ...failure,
      ...headed('What to do', nextLines(safe.order, safe.validations)),
      ...headed('Authorities asked', safe.attempts.length === 0 ? [] : attemptLines(context, safe.attempts)),
      ...headed('Validations', safe.validations.length === 0 ? [] : validationTable(context, safe.validations)),
      '', ...timelineLines(context, safe.timeline),
    ])
  },
})

export const orderCancel = defineCommand({
  noun: 'order', verb: 'cancel', summary: 'Cancel an order that was not submitted yet, waits for names to be proven, or is uncertain',
  args: { order: { help: 'id; or a certificate\'s name when it has one such order' } }, options: {},
  examples: ['order cancel www.example.com'],
  async run(context, { args }) {
    const id = await findOrder(context, args.order, ['pending', 'processing', 'uncertain'])
    const order = await (await context.client()).call('cancelOrder', { params: { id } })
    context.show(order, (safe) => orderLines(context, safe))
  },
})

export const orderLookAgain = defineCommand({
  noun: 'order', verb: 'look-again', summary: 'Have the authority asked what became of an uncertain order',
  args: { order: { help: 'id; or a certificate\'s name when it has one such order' } }, options: {},
  examples: ['order look-again www.example.com'],
  async run(context, { args }) {
    const id = await findOrder(context, args.order, ['uncertain'])
    const order = await (await context.client()).call('lookAgainOrder', { params: { id } })
    context.show(order, (safe) => orderLines(context, safe))
  },
})
