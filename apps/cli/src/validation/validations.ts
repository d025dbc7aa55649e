import type { Validation, ValidationState } from '@certloop/api-client'
import { validationStates } from '../choices.ts'
import { type Command, defineCommand } from '../command.ts'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'
import { findCertificate, findOrder, isIdOf } from '../find.ts'
import { paintState } from '../format/paint.ts'
import { facts, headed, table } from '../format/table.ts'
import { moment } from '../format/time.ts'
import { pageOptions, readPages, showPage } from '../page.ts'

const ended: readonly ValidationState[] = ['valid', 'failed', 'cancelled']
export const isOpen = ({ state }: Pick<Validation, 'state'>): boolean => !ended.includes(state)
export const nameText = ({ name, wildcard }: Pick<Validation, 'name' | 'wildcard'>): string => (wildcard ? `*.${name}` : name)

/** What has to be seen, a line each. */
function expectedLines({ expected }: Validation): string[] {
  if (expected === null) return []
  switch (expected.kind) {
    case 'http': return facts([['Address', expected.url], ['File', expected.path], ['Content', expected.content]])
    case 'dns': return facts([['Record', expected.recordName], ['Type', expected.recordType], ['Value', expected.value]])
    case 'tls-alpn': return facts([['Handshake', `${expected.name} port ${expected.port}, protocol acme-tls/1`], ['Digest', expected.digest]])
  }
}

function lookLines({ paint, world }: Context, { lastLook }: Validation): string[] {
  if (lastLook === null) return []
  const rows = lastLook.findings.map(({ ok, title, seen, error }) => [ok ? paint('green', 'ok') : paint('red', 'not yet'), title, error === null ? seen : `${seen} (${error.code})`])
  return [`${moment(lastLook.at, world)}: ${lastLook.visible ? paint('green', 'it is visible') : paint('yellow', 'it is not visible')}`, ...(rows.length === 0 ? [] : table(['', 'WHERE', 'SEEN'], rows))]
}

function validationLines(context: Context, v: Validation, remedy: string | undefined): string[] {
  const { paint, world } = context
  return [
    ...facts([
      ['Validation', v.id], ['Name', paint('bold', nameText(v))], ['Certificate', v.certificateName], ['Authority', v.authorityName], ['Order', v.orderId], ['Way', v.method], ['State', paintState(paint, v.state)], ['Reason', v.reason],
      ['Next', v.nextAction], ['Deadline', moment(v.deadline, world)], ['Error', v.error && `${v.error.message} (${v.error.code})`], ['What to do', remedy], ['Bot', v.botId], ['DNS provider', v.dnsProviderId], ['Left behind', v.cleanup === 'nothing' ? null : v.cleanup],
    ]),
    ...headed('To be seen from outside', expectedLines(v)),
    ...headed('What to place', isOpen(v) ? v.instructions.map((step, i) => `${i + 1}. ${step}`) : []),
    ...headed('Last look from outside', lookLines(context, v)),
  ]
}

async function showValidation(context: Context, validation: Validation): Promise<void> {
  const { errorSpecs } = await context.api()
  const remedy = validation.error && validation.error.code in errorSpecs ? errorSpecs[validation.error.code].remedy : undefined
  context.show(validation, (safe) => validationLines(context, safe, remedy))
}

/** A validation by its id, or the one of a certificate that has not ended. */
async function findValidation(context: Context, text: string): Promise<Validation['id']> {
  if (isIdOf('val', text)) return text as Validation['id']
  const certificateId = await findCertificate(context, text)
  const { items } = await (await context.client()).call('listValidations', { query: { certificateId, limit: 200 } })
  const open = items.filter(isOpen)
  const [only, ...more] = open.length > 0 ? open : items.slice(0, 1)
  if (!only) throw usage(`"${text}" has no validation.`, `See what there is: certloop validation list --certificate ${text}`)
  if (more.length > 0) throw usage(`"${text}" has ${open.length} validations that have not ended; use the id of one:\n${open.map((one) => `  ${one.id}  ${nameText(one)}  ${one.state}`).join('\n')}`)
  return only.id
}

/** What a list of them shows. */
export const validationTable = ({ paint, world }: Context, items: readonly Validation[]): string[] => table(
  ['NAME', 'WAY', 'STATE', 'AUTHORITY', 'DEADLINE', 'REASON', 'ID'],
  items.map((v) => [nameText(v), v.method, paintState(paint, v.state), v.authorityName, isOpen(v) ? moment(v.deadline, world) : null, v.reason, v.id]),
)

const list = defineCommand({
  noun: 'validation', verb: 'list', summary: 'Names that are to be proven to an authority, newest first',
  args: {},
  options: {
    state: { type: 'string', value: 'STATE', choices: validationStates, help: 'only in this state; waiting: a person is to place something' },
    certificate: { type: 'string', value: 'NAME', help: 'only of this certificate' },
    order: { type: 'string', value: 'ORDER', help: 'only of this order' },
    ...pageOptions,
  },
  examples: ['validation list --state waiting', 'validation list --certificate www.example.com --json'],
  async run(context, { options: { state, certificate, order, ...paging } }) {
    const client = await context.client()
    const [certificateId, orderId] = [certificate === undefined ? undefined : await findCertificate(context, certificate), order === undefined ? undefined : await findOrder(context, order)]
    const page = await readPages(paging, (query) => client.call('listValidations', { query: { ...query, state, certificateId, orderId } }))
    showPage(context, page, 'There are no such validations.', (items) => validationTable(context, items))
  },
})

const argument = { validation: { help: 'id; or a certificate\'s name when one of its validations has not ended' } } as const

const show = defineCommand({
  noun: 'validation', verb: 'show', summary: 'One validation: what to place, what is expected, what was seen from outside',
  args: argument, options: {}, examples: ['validation show www.example.com', 'validation show val_01j… --json'],
  async run(context, { args }) {
    const id = await findValidation(context, args.validation)
    await showValidation(context, await (await context.client()).call('getValidation', { params: { id } }))
  },
})

const check = defineCommand({
  noun: 'validation', verb: 'check', summary: 'Look from outside now; it goes on by itself once the proof is visible',
  args: argument, options: {}, examples: ['validation check www.example.com'],
  async run(context, { args }) {
    const id = await findValidation(context, args.validation)
    await showValidation(context, await (await context.client()).call('checkValidation', { params: { id } }))
  },
})

export const validationCommands: readonly Command[] = [list, show, check]
