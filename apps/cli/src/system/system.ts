import { defineCommand } from '../command.ts'
import { facts, table } from '../format/table.ts'
import { dateAndDistance, moment } from '../format/time.ts'

export const authorityList = defineCommand({
  noun: 'authority', verb: 'list', summary: 'Authorities that can issue',
  args: {}, options: {}, examples: ['authority list', 'authority list --json | jq -r ".items[0].chainPem[-1]" > root.pem'],
  async run(context) {
    const answer = await (await context.client()).call('listAuthorities')
    context.show(answer, ({ items }) => (items.length === 0 ? ['There is no authority yet.'] : table(
      ['NAME', 'KIND', 'ISSUER', 'ISSUER ENDS', 'KEYS', 'ID'],
      items.map((a) => [a.name, a.title, a.issuerSubject, dateAndDistance(a.issuerNotAfter, context.world), a.keyAlgorithms.join(' '), a.id]),
    )))
  },
})

export const systemShow = defineCommand({
  noun: 'system', verb: 'show', summary: 'Version, database and address of the control plane',
  args: {}, options: {}, examples: ['system show'],
  async run(context) {
    const answer = await (await context.client()).call('getSystem')
    context.show(answer, (s) => facts([['Version', s.version], ['Database', s.database], ['Address', s.publicUrl], ['Started', moment(s.startedAt, context.world)]]))
  },
})
