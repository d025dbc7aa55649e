import type { IssueInput } from '@certloop/api-client'
import { defineCommand, type Given, type OptionSpecs } from '../command.ts'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'
import { facts } from '../format/table.ts'
import { momentInZone } from '../format/time.ts'
import { wholeNumber } from '../parse.ts'
import { readCsr } from './files.ts'
import { findIssuer } from './find-ca.ts'
import { fullChain, outputOptions, writeIssued } from './issued-lines.ts'
import { readSubject, subjectOption } from './subject.ts'

const wishes = {
  'profile': { type: 'string', value: 'NAME', help: 'issuance profile, e.g. server; see "profile list"' },
  'issuer': { type: 'string', value: 'ISSUER', help: 'who signs; default the intermediate in use' },
  'name': { type: 'string', value: 'NAME', multiple: true, help: 'a DNS name or IP address; repeat for all. Default those of the CSR' },
  'email': { type: 'string', value: 'ADDRESS', multiple: true, help: 'an e-mail address as name; repeat for more' },
  'uri': { type: 'string', value: 'URI', multiple: true, help: 'a URI as name; repeat for more' },
  'upn': { type: 'string', value: 'NAME', multiple: true, help: 'a user principal name (Microsoft); repeat for more' },
  'common-name': { type: 'string', value: 'NAME', help: 'common name; "" for none. Default that of the CSR' },
  ...subjectOption,
  'validity-days': { type: 'string', value: 'DAYS', help: 'lifetime; default what the profile says' },
  'must-staple': { type: 'boolean', help: 'ask for the TLS feature "must staple"' },
} as const satisfies OptionSpecs
const options = { ...wishes, ...outputOptions } as const
type Options = Given<Record<never, never>, typeof wishes>['options']

function otherNames({ email, uri, upn }: Options): Pick<IssueInput, 'otherNames'> {
  if (email === undefined && uri === undefined && upn === undefined) return {}
  const of = <T extends string>(type: T, values: readonly string[] = []) => values.map((value) => ({ type, value }))
  return { otherNames: [...of('email', email), ...of('uri', uri), ...of('upn', upn)] }
}

async function inputOf(context: Context, file: string, o: Options): Promise<IssueInput> {
  if (o.profile === undefined) throw usage('Choose a profile with --profile, e.g. --profile server.', 'See what there is: certloop profile list')
  const days = wholeNumber('validity-days', o['validity-days'], 1, 9132)
  const subject = readSubject(o.subject)
  const csrPem = await readCsr(context, file)
  return {
    csrPem, profile: o.profile, ...otherNames(o), ...(o.name === undefined ? {} : { names: o.name }), ...(subject === undefined ? {} : { subject }), ...(days === undefined ? {} : { validityDays: days }),
    ...(o['common-name'] === undefined ? {} : { commonName: o['common-name'] || null }), ...(o['must-staple'] === undefined ? {} : { mustStaple: o['must-staple'] }),
    ...(o.issuer === undefined ? {} : { issuerId: await findIssuer(context, o.issuer) }),
  }
}

export const issuedIssue = defineCommand({
  noun: 'issued', verb: 'issue', summary: 'Issue a certificate for a CSR',
  args: { csr: { help: 'file with the certificate request, PEM or DER; "-" reads PEM from standard input' } }, options,
  examples: ['issued issue request.pem --profile server --out server.pem', 'issued issue request.pem --profile server --validity-days 30 > server.pem', 'issued issue - --profile client --issuer "Company Issuing CA" --certificate-out ada.pem --chain-out chain.pem < ada.csr'],
  notes: [
    'Without an option for a file, certificate and chain go to standard output. What is not given is taken from the CSR; what is given has to be what the CSR says. Usages and lifetime come from the profile.',
    'This certificate is nobody\'s concern but yours: it is neither deployed nor renewed. For that, take it under care: certloop certificate add.',
  ],
  async run(context, { args, options: o }) {
    const body = await inputOf(context, args.csr, o)
    const made = await (await context.client()).call('issueCertificate', { body })
    context.note(facts([
      ['Issued', made.id], ['Names', made.names.join(', ') || made.subject], ['By', `${made.issuerName}, profile ${made.profile}`], ['Serial number', made.serialNumber], ['Until', momentInZone(made.notAfter, context.world)],
    ]).join('\n'))
    const isWritten = await writeIssued(context, made, o)
    if (!isWritten || context.json) context.show(made, (safe) => [fullChain(safe).trimEnd()])
  },
})
