import { managements } from '../choices.ts'
import { defineCommand } from '../command.ts'
import { confirm, yesOption } from '../confirm.ts'
import { usage } from '../failure.ts'
import { findCertificate } from '../find.ts'
import { nearest } from '../nearest.ts'
import { pageOptions, readPages, showPage } from '../page.ts'
import { timelineLines } from '../timeline.ts'
import { showCertificate, wordFor } from './show.ts'

const certificate = { certificate: { help: 'id or name' } } as const

export const certificateAdd = defineCommand({
  noun: 'certificate', verb: 'add', summary: 'Take a new identity under care',
  args: { name: { help: 'DNS names and IP addresses, the most important first', many: true } },
  options: { label: { type: 'string', value: 'TEXT', help: 'what to call it; default its first name' } },
  examples: ['certificate add www.example.com example.com', 'certificate add 10.0.0.7 --label "printer, second floor"'],
  async run(context, { args, options: { label } }) {
    const client = await context.client()
    const made = await client.call('createCertificate', { body: { names: args.name, ...(label === undefined ? {} : { name: label }) } })
    await showCertificate(context, made)
    context.note(`Next: certloop certificate configure ${await wordFor(context, made)} --target-from-scan`)
  },
})

export const certificateDelete = defineCommand({
  noun: 'certificate', verb: 'delete', summary: 'Stop tracking; the servers are left alone',
  args: certificate, options: yesOption,
  examples: ['certificate delete old.example.com'],
  async run(context, { args, options }) {
    const id = await findCertificate(context, args.certificate)
    await confirm(context, `Stop tracking "${args.certificate}" and forget its history? The servers are left alone.`, options.yes)
    await (await context.client()).call('deleteCertificate', { params: { id } })
    context.show(null, () => [`"${args.certificate}" is no longer tracked; the servers were left alone.`])
  },
})

export const certificateTimeline = defineCommand({
  noun: 'certificate', verb: 'timeline', summary: 'What happened to it, newest first',
  args: certificate, options: pageOptions,
  examples: ['certificate timeline www.example.com --limit 20'],
  async run(context, { args, options }) {
    const id = await findCertificate(context, args.certificate)
    const client = await context.client()
    const page = await readPages(options, (query) => client.call('getTimeline', { params: { id }, query }))
    showPage(context, page, 'Nothing has happened yet.', (items) => timelineLines(context, items))
  },
})

export const certificateManage = defineCommand({
  noun: 'certificate', verb: 'manage', summary: 'Make it managed, monitored or ignored',
  args: { ...certificate, management: { help: managements.join(', ') } }, options: {},
  examples: ['certificate manage www.example.com monitored', 'certificate manage test.example.com ignored'],
  async run(context, { args }) {
    const management = managements.find((one) => one === args.management)
    const near = nearest(args.management, managements)
    if (management === undefined) throw usage(`A certificate is ${managements.join(', ')}; not "${args.management}".${near ? ` Did you mean "${near}"?` : ''}`)
    const id = await findCertificate(context, args.certificate)
    await showCertificate(context, await (await context.client()).call('setManagement', { params: { id }, body: { management } }))
  },
})
