import { defineCommand } from '../command.ts'
import { facts } from '../format/table.ts'

export const sessionShow = defineCommand({
  noun: 'session', verb: 'show', summary: 'Who you are signed in as, where, and what you may do',
  args: {}, options: {}, examples: ['session show'],
  async run(context) {
    const client = await context.client()
    const answer = await client.call('getSession')
    context.show(answer, (s) => facts([['Control plane', client.baseUrl], ['Who', s.who], ['Name', s.name], ['Role', s.role], ['May', s.permissions.join(', ')]]))
  },
})
