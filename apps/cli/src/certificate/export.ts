import { defineCommand } from '../command.ts'
import { findCertificate } from '../find.ts'
import { configurationInputOf, savedConfiguration } from '../target/target-input.ts'

export const certificateExport = defineCommand({
  noun: 'certificate', verb: 'export', summary: 'Print the configuration as JSON, to be kept or given to "certificate configure --file"',
  args: { certificate: { help: 'id or name' } }, options: {},
  examples: ['certificate export www.example.com > config.json', 'certificate configure www.example.com --file config.json'],
  notes: ['Passwords and keys are never given out. Taken in again for the same certificate they stay as they are; elsewhere they have to be given: certloop target set --help.'],
  async run(context, { args }) {
    const id = await findCertificate(context, args.certificate)
    const configuration = savedConfiguration(await (await context.client()).call('getCertificate', { params: { id } }))
    context.world.out(`${JSON.stringify(configurationInputOf(configuration), null, 2)}\n`)
    for (const { title, secretsSet } of configuration.targets) if (secretsSet.length > 0) context.warn(`The secrets of ${title} are left out: ${secretsSet.join(', ')}.`)
  },
})
