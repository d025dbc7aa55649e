import { issuedStatuses } from '../choices.ts'
import { defineCommand } from '../command.ts'
import { table } from '../format/table.ts'
import { dateAndDistance } from '../format/time.ts'
import { pageOptions, readPages, showPage } from '../page.ts'
import { findIssued, findIssuer, issuedArgument } from './find-ca.ts'
import { issuedLines, outputOptions, statusText, writeIssued } from './issued-lines.ts'

export const issuedList = defineCommand({
  noun: 'issued', verb: 'list', summary: 'What the built-in CA issued, newest first',
  args: {},
  options: {
    search: { type: 'string', value: 'TEXT', help: 'part of a name or subject, or a whole serial number' },
    status: { type: 'string', value: 'STATUS', choices: issuedStatuses, help: 'only these; held is suspended' },
    issuer: { type: 'string', value: 'ISSUER', help: 'only by this issuer' },
    ...pageOptions,
  },
  examples: ['issued list --status revoked', 'issued list --search example.com --issuer "Company Issuing CA"', 'issued list --all --json'],
  notes: ['"certloop certificate list" shows certificates under care, whoever issued them; this one shows every serial number that the built-in CA spent, also those of bots and of the control plane itself.'],
  async run(context, { options: { search, status, issuer, ...paging } }) {
    const client = await context.client()
    const issuerId = issuer === undefined ? undefined : await findIssuer(context, issuer)
    const page = await readPages(paging, (query) => client.call('listIssuedCertificates', { query: { ...query, search, status, issuerId } }))
    showPage(context, page, 'There are no such certificates.', (items) => table(
      ['NAME', 'STATUS', 'REASON', 'ENDS', 'ISSUER', 'PROFILE', 'SERIAL NUMBER', 'ID'],
      items.map((c) => [c.names[0] ?? c.subject, statusText(context, c), c.revocationReason, dateAndDistance(c.notAfter, context.world), c.issuerName, c.profile, c.serialNumber, c.id]),
    ))
  },
})

export const issuedShow = defineCommand({
  noun: 'issued', verb: 'show', summary: 'One issued certificate; writes it to files on request',
  args: issuedArgument, options: outputOptions,
  examples: ['issued show www.example.com', 'issued show server.pem', 'issued show cac_01j… --out server.pem --root-out root.pem'],
  async run(context, { args, options }) {
    const id = await findIssued(context, args.certificate)
    const found = await (await context.client()).call('getIssuedCertificate', { params: { id } })
    await writeIssued(context, found, options)
    context.show(found, (safe) => issuedLines(context, safe))
  },
})
