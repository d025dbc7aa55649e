import type { ConfigurationCheck } from '@certloop/api-client'
import { defineCommand } from '../command.ts'
import { checkTogether, configurationOptions, meantConfiguration } from '../configuration/meant.ts'
import { runLines } from '../configuration/lines.ts'
import type { Context } from '../context.ts'
import { exitCodes } from '../failure.ts'
import { findCertificate } from '../find.ts'
import { headed } from '../format/table.ts'
import { showCertificate } from './show.ts'

const certificate = { certificate: { help: 'id or name' } } as const

export const certificateConfigure = defineCommand({
  noun: 'certificate', verb: 'configure', summary: 'Save where it is deployed, who issues what, and when it is renewed',
  args: certificate, options: { ...configurationOptions, draft: { type: 'boolean', help: 'save it as a draft' } },
  examples: [
    'certificate configure www.example.com --target-from-scan',
    'certificate configure www.example.com --target-from-scan --bot web1 --authority "Built-in CA" --key ec-256 --renew-days 30 --at 03:00 --zone Europe/Berlin',
    'certificate configure www.example.com --deploy "weekly sat 02:00 +4h" --freeze "2026-12-20 to 2027-01-04: end of the year" --deploy-before-expiry 3',
    'certificate configure www.example.com --canary 1 --wave 25% --wave berlin --soak 10m --check-url https://{host}/health --on-stop undo',
    'certificate configure www.example.com --template servers --subject country=DE --renew-by regenerate --check "weekly sat 03:00"',
    'certificate configure www.example.com --approval manual --no-rollback',
    'certificate export www.example.com > config.json',
    'certificate configure www.example.com --file config.json',
  ],
  notes: [
    'What is not given stays as it was saved, or takes its default the first time.',
    'See beforehand what does not fit, and when it would run: certloop certificate check-configuration, with the same options.',
    'Targets on other machines, their secrets, scripts and labels: certloop target set --help. In a file secrets may stand as "secrets" of a target; left out, they stay as they are.',
  ],
  async run(context, { args, options: given }) {
    checkTogether(given)
    const id = await findCertificate(context, args.certificate)
    const body = await meantConfiguration(context, id, given)
    await showCertificate(context, await (await context.client()).call('setConfiguration', { params: { id }, body }))
    if (body.targets.length === 0) context.warn('No target is named: it can be ordered with an uploaded request (--csr), but not deployed. Add --target-from-scan, or a target by hand: certloop target set --help')
  },
})

const problemLines = (problems: readonly { field: string; problem: string }[]) => problems.map(({ field, problem }) => `${field}: ${problem}`)

function checkLines(context: Context, { complete, steps, warnings, nextRuns }: ConfigurationCheck): string[] {
  return [
    complete ? context.paint('green', 'The configuration is complete.') : context.paint('red', 'The configuration is not complete.'),
    ...steps.flatMap(({ step, problems }) => headed(`Step "${step}"`, problemLines(problems))),
    ...headed('Worth a second look', problemLines(warnings)),
    ...headed('Next runs', runLines(context, nextRuns)),
  ]
}

export const certificateCheckConfiguration = defineCommand({
  noun: 'certificate', verb: 'check-configuration', summary: 'What is wrong with a configuration, step by step, and when it would run; nothing is saved',
  args: certificate, options: configurationOptions,
  examples: ['certificate check-configuration www.example.com', 'certificate check-configuration www.example.com --deploy "weekly sat 02:00 +4h" --zone Europe/Berlin', 'certificate check-configuration www.example.com --file config.json --json'],
  notes: ['Without options it looks at what is saved; with them, at what "certificate configure" would save. Exit code 0: complete; 1: something is missing or does not fit.'],
  async run(context, { args, options: given }) {
    checkTogether(given)
    const id = await findCertificate(context, args.certificate)
    const body = { ...await meantConfiguration(context, id, { ...given, draft: given.file === undefined ? true : undefined }), complete: true }
    const check = await (await context.client()).call('checkConfiguration', { params: { id }, body })
    context.show(check, (safe) => checkLines(context, safe))
    return check.complete ? exitCodes.done : exitCodes.failed
  },
})
