import { type CertificateDetail, type ConfigurationInput, proposedKeyAlgorithm, type TargetSuggestion } from '@certloop/api-client'
import { keyAlgorithms } from '../choices.ts'
import { defineCommand, type Given, type OptionSpecs } from '../command.ts'
import type { Context } from '../context.ts'
import { exitCodes, Failure, usage } from '../failure.ts'
import { findAuthority, findBot, findCertificate } from '../find.ts'
import { wholeNumber } from '../parse.ts'
import { configurationInputOf } from '../target/target-input.ts'
import { readConfigurationFile } from './configuration-file.ts'
import { showCertificate } from './show.ts'

const options = {
  'target-from-scan': { type: 'boolean', help: 'deploy to the places a scan found for it (see "certificate show")' },
  'bot': { type: 'string', value: 'BOT', help: 'of these places, only those of this bot' },
  'place': { type: 'string', value: 'TEXT', help: 'of these places, only those with this text in their title' },
  'authority': { type: 'string', value: 'NAME', help: 'who issues; default the only authority there is' },
  'name': { type: 'string', value: 'NAME', multiple: true, help: 'a name to order; repeat for more. Default those of the present version' },
  'common-name': { type: 'string', value: 'NAME', help: 'common name, one of the names; "" for none' },
  'key': { type: 'string', value: 'KIND', choices: keyAlgorithms, help: 'kind of key' },
  'reuse-key': { type: 'boolean', help: 'keep the key at renewal, for pinned keys (--no-reuse-key)' },
  'validity-days': { type: 'string', value: 'DAYS', help: 'lifetime to ask for; default what the authority gives' },
  'renew-days': { type: 'string', value: 'DAYS', help: 'renew this long before the end, 1 to 120; default 30' },
  'at': { type: 'string', value: 'HH:MM', help: 'time of day of the renewal; default 03:00' },
  'zone': { type: 'string', value: 'ZONE', help: 'time zone of that time; default that of this machine' },
  'renewal': { type: 'boolean', help: 'renew by itself (--no-renewal: never)' },
  'deploy-after-renewal': { type: 'boolean', help: 'deploy what was renewed (--no-deploy-after-renewal: only order)' },
  'rollback': { type: 'boolean', help: 'put the old certificate back when a deployment fails (--no-rollback: leave it)' },
  'approval': { type: 'string', value: 'WORD', choices: ['automatic', 'manual'], help: 'manual: every plan waits for a person' },
  'draft': { type: 'boolean', help: 'save it as a draft' },
  'file': { type: 'string', value: 'FILE', help: 'take the whole configuration from this JSON file; "-" reads standard input' },
} as const satisfies OptionSpecs
type Options = Given<Record<never, never>, typeof options>['options']

/** The saved configuration as input, or the proposal for a first one. */
function startFrom({ configuration, currentVersionId, versions }: CertificateDetail, zone: string): ConfigurationInput {
  if (configuration === null) {
    const present = versions.find(({ id }) => id === currentVersionId)?.keyAlgorithm
    return {
      complete: true, targets: [], authorityId: null, csr: { commonName: null, names: [], keyAlgorithm: proposedKeyAlgorithm(present, keyAlgorithms), keyReuse: false, validityDays: null },
      renewal: { enabled: true, daysBefore: 30, time: '03:00', zone }, deployAfterRenewal: true, rollback: true, approval: 'automatic',
    }
  }
  return configurationInputOf(configuration)
}

async function targetsFromScan(context: Context, { name, suggestions }: CertificateDetail, { bot, place }: Options): Promise<ConfigurationInput['targets']> {
  const botId = bot === undefined ? undefined : await findBot(context, bot)
  const fits = (s: TargetSuggestion) => (botId === undefined || s.botId === botId) && (place === undefined || s.title.toLowerCase().includes(place.toLowerCase()))
  const found = suggestions.filter(fits)
  if (found.length === 0) {
    throw new Failure({
      exit: exitCodes.failed, what: `No scan found a place for "${name}"${suggestions.length > 0 ? ' that fits --bot and --place' : ''}.`, code: 'SLOT_NOT_FOUND',
      why: suggestions.length > 0 ? `Found were: ${suggestions.map(({ title, botName }) => `${title} on ${botName}`).join('; ')}` : 'A place is suggested when the certificate is installed there, or a running server answers to one of its names.',
      remedy: 'Start the server and scan its host: certloop bot scan BOT --wait', where: 'certloop bot show BOT',
    })
  }
  for (const { title, botName, why } of found) context.note(`Target: ${title} on ${botName}. ${why}`)
  return found.map(({ botId: id, serverType, fields }) => ({ botId: id, serverType, reach: 'local' as const, fields }))
}

async function chooseAuthority(context: Context, { authority, draft }: Options, present: ConfigurationInput['authorityId']): Promise<ConfigurationInput['authorityId']> {
  if (authority !== undefined) return findAuthority(context, authority)
  if (present !== null) return present
  const { items } = await (await context.client()).call('listAuthorities')
  const [only, ...more] = items
  if (only && more.length === 0) return only.id
  if (draft) return null
  throw usage(`Choose who issues with --authority: ${items.map(({ name }) => name).join(', ') || 'there is none yet'}.`)
}

const csrOf = (o: Options, csr: ConfigurationInput['csr']): ConfigurationInput['csr'] => ({
  names: o.name ?? csr.names, keyAlgorithm: o.key ?? csr.keyAlgorithm, keyReuse: o['reuse-key'] ?? csr.keyReuse,
  commonName: o['common-name'] === undefined ? csr.commonName : o['common-name'] || null,
  validityDays: wholeNumber('validity-days', o['validity-days'], 1, 3650) ?? csr.validityDays,
})

function renewalOf(o: Options, renewal: ConfigurationInput['renewal']): ConfigurationInput['renewal'] {
  if (o.at !== undefined && !/^([01][0-9]|2[0-3]):[0-5][0-9]$/.test(o.at)) throw usage(`--at takes a time of day such as 03:00, not "${o.at}".`)
  return { enabled: o.renewal ?? renewal.enabled, daysBefore: wholeNumber('renew-days', o['renew-days'], 1, 120) ?? renewal.daysBefore, time: o.at ?? renewal.time, zone: o.zone ?? renewal.zone }
}

async function fromOptions(context: Context, certificate: CertificateDetail, given: Options): Promise<ConfigurationInput> {
  const base = startFrom(certificate, context.world.zone)
  return {
    complete: !given.draft,
    csr: csrOf(given, base.csr),
    renewal: renewalOf(given, base.renewal),
    targets: given['target-from-scan'] ? await targetsFromScan(context, certificate, given) : base.targets,
    authorityId: await chooseAuthority(context, given, base.authorityId),
    deployAfterRenewal: given['deploy-after-renewal'] ?? base.deployAfterRenewal, rollback: given.rollback ?? base.rollback, approval: given.approval ?? base.approval,
  }
}

function checkTogether(given: Options): void {
  const others = Object.keys(given).filter((name) => name !== 'file' && name !== 'draft')
  if (given.file !== undefined && others.length > 0) throw usage(`--file brings the whole configuration; it does not go with --${others.join(', --')}.`)
  if (!given['target-from-scan'] && (given.bot ?? given.place) !== undefined) throw usage('--bot and --place choose among the places of a scan: add --target-from-scan.')
}

export const certificateConfigure = defineCommand({
  noun: 'certificate', verb: 'configure', summary: 'Save where it is deployed, who issues it and when it is renewed',
  args: { certificate: { help: 'id or name' } }, options,
  examples: [
    'certificate configure www.example.com --target-from-scan',
    'certificate configure www.example.com --target-from-scan --bot web1 --authority "Built-in CA" --key ec-256 --renew-days 30 --at 03:00 --zone Europe/Berlin',
    'certificate configure www.example.com --approval manual --no-rollback',
    'certificate export www.example.com > config.json',
    'certificate configure www.example.com --file config.json',
  ],
  notes: ['What is not given stays as it was saved, or takes its default the first time.', 'Targets on other machines, their secrets and scripts: certloop target set --help. In a file secrets may stand as "secrets" of a target; left out, they stay as they are.'],
  async run(context, { args, options: given }) {
    checkTogether(given)
    const id = await findCertificate(context, args.certificate)
    const client = await context.client()
    const body = given.file !== undefined
      ? { ...await readConfigurationFile(context, given.file), ...(given.draft === undefined ? {} : { complete: !given.draft }) }
      : await fromOptions(context, await client.call('getCertificate', { params: { id } }), given)
    await showCertificate(context, await client.call('setConfiguration', { params: { id }, body }))
    if (body.targets.length === 0) context.warn('No target is named: it can be ordered with an uploaded request (--csr), but not deployed. Add --target-from-scan.')
  },
})
