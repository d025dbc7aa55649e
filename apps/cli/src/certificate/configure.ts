import type { CertificateDetail, ConfigurationCheck, ConfigurationInput } from '@certloop/api-client'
import { defineCommand } from '../command.ts'
import { optionOfField } from '../configuration/field-options.ts'
import { checkTogether, configurationOptions, meantConfiguration } from '../configuration/meant.ts'
import { runLines } from '../configuration/lines.ts'
import { endedPeriods } from '../configuration/schedule-options.ts'
import { dayAndTimeText } from '../configuration/words.ts'
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
    'It is complete with that, unless --draft says otherwise: alone it finishes a draft that lacks nothing.',
    'See beforehand what does not fit, and when it would run: certloop certificate check-configuration, with the same options.',
    'Targets on other machines, their secrets, scripts and labels: certloop target set --help. In a file secrets may stand as "secrets" of a target; left out, they stay as they are.',
  ],
  async run(context, { args, options: given }) {
    checkTogether(given)
    const id = await findCertificate(context, args.certificate)
    const body = await meantConfiguration(context, id, given)
    const client = await context.client()
    await showCertificate(context, await client.call('setConfiguration', { params: { id }, body }))
    const { warnings } = await client.call('checkConfiguration', { params: { id }, body })
    for (const { field, problem } of warnings) context.warn(`${optionOfField(field, configurationOptions) ?? field}: ${problem}`)
    warnOfEnded(context, given, body)
    if (body.targets.length === 0) context.warn('No target is named: it can be ordered with an uploaded request (--csr), but not deployed. Add --target-from-scan, or a target by hand: certloop target set --help')
  },
})

/** Periods that were given just now and are over: most likely a wrong year. */
function warnOfEnded({ world, warn }: Context, { freeze }: { freeze?: string[] | undefined }, { deployment }: ConfigurationInput): void {
  if (freeze === undefined || !deployment) return
  for (const { from, to } of endedPeriods(deployment.freezes, deployment.zone, world.now())) warn(`--freeze: the period from ${dayAndTimeText(from)} to ${dayAndTimeText(to)} has passed; it holds nothing up.`)
}

const problemLines = (problems: readonly { field: string; problem: string }[]) => problems.map(({ field, problem }) => `${field}: ${problem}`)

async function isSavedAsDraft(context: Context, id: CertificateDetail['id']): Promise<boolean> {
  const { configuration } = await (await context.client()).call('getCertificate', { params: { id } })
  return configuration?.complete === false
}

/** @param draft how a draft that lacks nothing is called */
function checkLines(context: Context, { complete, steps, warnings, nextRuns }: ConfigurationCheck, draft: string | undefined): string[] {
  return [
    draft !== undefined ? context.paint('yellow', `Nothing is missing, but it is a draft. Finish it: certloop certificate configure ${draft}`) : complete ? context.paint('green', 'The configuration is complete.') : context.paint('red', 'The configuration is not complete.'),
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
    const isDraft = check.complete && Object.keys(given).length === 0 && await isSavedAsDraft(context, id)
    context.show(check, (safe) => checkLines(context, safe, isDraft ? args.certificate : undefined))
    warnOfEnded(context, given, body)
    return check.complete ? exitCodes.done : exitCodes.failed
  },
})
