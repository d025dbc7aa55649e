import type { Issuer } from '@certloop/api-client'
import { keyAlgorithms } from '../choices.ts'
import { defineCommand } from '../command.ts'
import { confirm, yesOption } from '../confirm.ts'
import { exitCodes, Failure, usage } from '../failure.ts'
import { wholeNumber } from '../parse.ts'
import { readCertificates } from './files.ts'
import { findIssuer, issuerArgument, readIssuer } from './find-ca.ts'
import { showIssuer, word } from './issuer-lines.ts'

export const issuerInstallCertificate = defineCommand({
  noun: 'issuer', verb: 'install-certificate', summary: 'Install a certificate that somebody signed for it',
  args: { ...issuerArgument, file: { help: 'its certificate, and those above it up to the root; PEM or DER', many: true } }, options: {},
  examples: ['issuer install-certificate "Company Issuing CA" issuing.pem root.pem'],
  notes: ['Its first certificate, a renewed one, or a cross-certificate. Certificates of issuers that are here need not be given.'],
  async run(context, { args }) {
    const before = await readIssuer(context, args.issuer)
    const certificatesPem = await readCertificates(context, args.file)
    const after = await (await context.client()).call('installIssuerCertificate', { params: { id: before.id }, body: { certificatesPem } })
    await showIssuer(context, after, installed(before, after))
  },
})

function installed(before: Issuer, after: Issuer): string {
  const name = word(after.name)
  if (before.status === 'pending') return `The certificate is installed; "${after.name}" can sign now.${after.kind === 'intermediate' && after.slot === null ? ` To make it the one in use: certloop issuer activate ${name}` : ''}`
  return `The certificate is installed beside the others. The one marked * goes on going into chains; to change that: certloop issuer prefer ${name} CERTIFICATE`
}

export const issuerPrefer = defineCommand({
  noun: 'issuer', verb: 'prefer', summary: 'Choose which of its certificates goes into chains',
  args: { ...issuerArgument, certificate: { help: 'id or serial number of one of its certificates' } }, options: {},
  examples: ['issuer prefer "Company Issuing CA" icc_01j…'],
  async run(context, { args }) {
    const issuer = await readIssuer(context, args.issuer)
    const wanted = args.certificate.replaceAll(':', '').toLowerCase()
    const certificate = issuer.certificates.find((one) => one.id === wanted || one.serialNumber === wanted)
    if (!certificate) {
      throw new Failure({ exit: exitCodes.failed, what: `"${issuer.name}" has no certificate ${args.certificate}.`, remedy: `It has: ${issuer.certificates.map((one) => `${one.id} (signed by ${one.issuer})`).join('; ') || 'none yet'}.`, code: 'NOT_FOUND' })
    }
    const after = await (await context.client()).call('preferIssuerCertificate', { params: { id: issuer.id }, body: { certificateId: certificate.id } })
    await showIssuer(context, after, `Chains go over ${certificate.issuer} from now on. Servers get the new chain with their next deployment.`)
  },
})

export const issuerRollOver = defineCommand({
  noun: 'issuer', verb: 'roll-over', summary: 'Replace an intermediate by a new one with a new key',
  args: issuerArgument,
  options: {
    'later': { type: 'boolean', help: 'the old one goes on signing until "issuer activate"' },
    'key': { type: 'string', value: 'KIND', choices: keyAlgorithms, help: 'kind of the new key, as before unless given' },
    'validity-days': { type: 'string', value: 'DAYS', help: 'lifetime of the new one, 1 to 9132; default as before' },
    ...yesOption,
  },
  examples: ['issuer roll-over "Certloop Issuing CA 1a2b3c4d" --later', 'issuer roll-over "Company Issuing CA" --key ec-384 --yes'],
  notes: ['Both stay valid side by side: what the old one signed stays good, and its lists and OCSP answers go on. One that was signed outside gets a successor that waits with a CSR. A root has no roll-over: make a new root and cross-sign it.'],
  async run(context, { args, options: o }) {
    const validityDays = wholeNumber('validity-days', o['validity-days'], 1, 9132)
    const old = await readIssuer(context, args.issuer)
    const isAtOnce = !o.later && old.slot === 'intermediate'
    if (isAtOnce) await confirm(context, `Retire "${old.name}" and sign with a new issuer from now on?`, o.yes)
    const made = await (await context.client()).call('rollOverIssuer', { params: { id: old.id }, body: { ...(o.later ? { later: true } : {}), ...(o.key === undefined ? {} : { keyAlgorithm: o.key }), ...(validityDays === undefined ? {} : { validityDays }) } })
    await showIssuer(context, made, made.slot === 'intermediate' ? `"${made.name}" signs from now on; "${old.name}" is retired.` : `"${made.name}" is made; "${old.name}" is as it was.`)
  },
})

export const issuerCrossSign = defineCommand({
  noun: 'issuer', verb: 'cross-sign', summary: 'Let another issuer here certify its key',
  args: issuerArgument,
  options: {
    'by': { type: 'string', value: 'ISSUER', help: 'who signs' },
    'validity-days': { type: 'string', value: 'DAYS', help: 'lifetime of the cross-certificate, 1 to 9132; default 1826, and never beyond that of who signs' },
  },
  examples: ['issuer cross-sign "Company Root 2" --by "Company Root"'],
  notes: ['Clients that trust only the other one accept it then. Chains stay as they are until "issuer prefer" chooses the new certificate.'],
  async run(context, { args, options: o }) {
    if (o.by === undefined) throw usage('Say who signs with --by.', 'See "certloop issuer list".')
    const validityDays = wholeNumber('validity-days', o['validity-days'], 1, 9132) ?? 1826
    const [id, signedBy] = [await findIssuer(context, args.issuer), await findIssuer(context, o.by)]
    const after = await (await context.client()).call('crossSignIssuer', { params: { id }, body: { signedBy, validityDays } })
    const newest = after.certificates.findLast((one) => one.signedBy === signedBy)
    await showIssuer(context, after, `The cross-certificate is made. To put it into chains: certloop issuer prefer ${word(after.name)} ${newest?.id ?? 'CERTIFICATE'}`)
  },
})

export const issuerActivate = defineCommand({
  noun: 'issuer', verb: 'activate', summary: 'Make an intermediate the one in use; the one before retires',
  args: issuerArgument, options: yesOption, examples: ['issuer activate "Company Issuing CA"'],
  notes: ['What names no issuer is signed by it from now on: orders, bots, the control plane. The one before is retired for good: it signs nothing new, and its revocations go on.'],
  async run(context, { args, options }) {
    const { items } = await (await context.client()).call('listIssuers')
    const id = await findIssuer(context, args.issuer)
    const before = items.find(({ slot }) => slot === 'intermediate')
    if (before && before.id !== id) await confirm(context, `Retire "${before.name}" for good and sign with this one from now on?`, options.yes)
    const after = await (await context.client()).call('activateIssuer', { params: { id } })
    await showIssuer(context, after, before && before.id !== id ? `It signs what names no issuer; "${before.name}" is retired.` : 'It is the one in use already.')
  },
})

export const issuerRetire = defineCommand({
  noun: 'issuer', verb: 'retire', summary: 'Sign nothing new with it, for good',
  args: issuerArgument, options: yesOption, examples: ['issuer retire "Old CA" --yes'],
  notes: ['What it signed stays valid and can be revoked; its lists and OCSP answers go on. To end that too, revoke its certificate: certloop issued revoke.'],
  async run(context, { args, options }) {
    const issuer = await readIssuer(context, args.issuer)
    await confirm(context, `Retire "${issuer.name}" for good?`, options.yes)
    await showIssuer(context, await (await context.client()).call('retireIssuer', { params: { id: issuer.id } }), 'It signs nothing new from now on.')
  },
})
