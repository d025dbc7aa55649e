import { defineCommand } from '../command.ts'
import { facts } from '../format/table.ts'
import { moment } from '../format/time.ts'

export const systemShow = defineCommand({
  noun: 'system', verb: 'show', summary: 'Version, database and address of the control plane',
  args: {}, options: {}, examples: ['system show'],
  async run(context) {
    const answer = await (await context.client()).call('getSystem')
    context.show(answer, (s) => facts([['Version', s.version], ['Database', s.database], ['Address', s.publicUrl], ['Started', moment(s.startedAt, context.world)]]))
  },
})
