import { certificateStatuses, managements } from '../choices.ts'
import { defineCommand } from '../command.ts'
import { paintState } from '../format/paint.ts'
import { table } from '../format/table.ts'
import { dateAndDistance } from '../format/time.ts'
import { pageOptions, readPages, showPage } from '../page.ts'

export const certificateList = defineCommand({
  noun: 'certificate', verb: 'list', summary: 'Certificates under care',
  args: {},
  options: {
    search: { type: 'string', value: 'TEXT', help: 'part of a name' },
    status: { type: 'string', value: 'STATUS', choices: certificateStatuses, help: 'only with this status' },
    management: { type: 'string', value: 'WORD', choices: managements, help: 'only these' },
    sort: { type: 'string', value: 'ORDER', choices: ['name', 'notAfter', '-notAfter', '-createdAt'], help: 'order; "-" as in --sort=-notAfter begins at the end' },
    ...pageOptions,
  },
  examples: ['certificate list', 'certificate list --status expiring --sort notAfter', 'certificate list --search example.com --json'],
  async run(context, { options: { search, status, management, sort, ...paging } }) {
    const client = await context.client()
    const page = await readPages(paging, (query) => client.call('listCertificates', { query: { ...query, search, status, management, sort } }))
    showPage(context, page, 'There are no such certificates.', (items) => table(
      ['NAME', 'STATUS', 'ENDS', 'PLACES', 'MANAGEMENT', 'ID'],
      items.map((c) => [c.name, paintState(context.paint, c.status), dateAndDistance(c.notAfter, context.world), c.installationCount, c.management, c.id]),
    ))
  },
})
