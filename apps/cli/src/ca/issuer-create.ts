import type { IssuerInput } from '@certloop/api-client'
import { keyAlgorithms } from '../choices.ts'
import { defineCommand, type Given, type OptionSpecs } from '../command.ts'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'
import { wholeNumber } from '../parse.ts'
import { writeOutput } from './files.ts'
import { findIssuer } from './find-ca.ts'
import { showIssuer, word } from './issuer-lines.ts'
import { publishingOf, publishingOptions } from './issuer-publishing.ts'
import { readSubject, subjectOption } from './subject.ts'

const options = {
  'signed-by': { type: 'string', value: 'WHO', help: '"self" makes a root; "outside" makes a key and a CSR for an authority elsewhere; or the id or name of an issuer here' },
  'common-name': { type: 'string', value: 'TEXT', help: 'common name in its certificate; default its name here' },
  ...subjectOption,
  'key': { type: 'string', value: 'KIND', choices: keyAlgorithms, help: 'kind of key, ec-384 unless given' },
  'pkcs11-label': { type: 'string', value: 'LABEL', help: 'make the key in the PKCS#11 token of the control plane, under this label; default sealed in its database' },
  'hash': { type: 'string', value: 'DIGEST', choices: ['sha256', 'sha384', 'sha512'], help: 'digest it signs with for RSA and EC keys, as strong as the key unless given' },
  'validity-days': { type: 'string', value: 'DAYS', help: 'lifetime, 1 to 9132; default 3652 for a root, else 1826. One signed outside gets what is given there' },
  'profile': { type: 'string', value: 'NAME', help: 'profile of kind ca that its certificate follows; default subordinate-ca. One of public style makes an issuer, also a root, of public style' },
  'path-length': { type: 'string', value: 'COUNT', help: 'how many CAs may be below it, 0 to 10; default 0, and no limit for a root' },
  'permit': { type: 'string', value: 'NAME', multiple: true, help: 'name constraint: only such names, e.g. dns:example.com, ip:10.0.0.0/8, email:example.com, uri:example.com; repeat for more' },
  'exclude': { type: 'string', value: 'NAME', multiple: true, help: 'name constraint: no such names; repeat for more' },
  ...publishingOptions,
  'csr-out': { type: 'string', value: 'FILE', help: 'with --signed-by outside: write the CSR there' },
} as const satisfies OptionSpecs
type Options = Given<Record<never, never>, typeof options>['options']
type Constraints = NonNullable<IssuerInput['nameConstraints']>

const nameKinds = ['dns', 'ip', 'email', 'uri'] as const

function constrained(option: string, texts: readonly string[] = []): Constraints['permitted'] {
  return texts.map((text) => {
    const [kind, ...rest] = text.split(':')
    const type = nameKinds.find((one) => one === kind)
    if (type === undefined || rest.length === 0) throw usage(`--${option} takes a kind and a value such as dns:example.com or ip:10.0.0.0/8, not "${text}".`)
    return { type, value: rest.join(':') }
  })
}

function constraintsOf({ permit, exclude }: Options): { nameConstraints?: Constraints } {
  if (permit === undefined && exclude === undefined) return {}
  return { nameConstraints: { permitted: constrained('permit', permit), excluded: constrained('exclude', exclude) } }
}

/** Drops what was not given, so that the control plane takes its own default. */
const given = <T extends Record<string, unknown>>(values: T) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> }

async function inputOf(context: Context, name: string, o: Options): Promise<IssuerInput> {
  const who = o['signed-by']
  if (who === undefined) throw usage('Say who signs it with --signed-by: self, outside, or an issuer here.', 'See "certloop issuer list" for those here.')
  if (o['csr-out'] !== undefined && who !== 'outside') throw usage('--csr-out goes with --signed-by outside: only then there is a CSR to take away.')
  const validityDays = wholeNumber('validity-days', o['validity-days'], 1, 9132) ?? (who === 'self' ? 3652 : 1826)
  const pathLength = wholeNumber('path-length', o['path-length'], 0, 10)
  const subject = readSubject(o.subject)
  return {
    name, commonName: o['common-name'] ?? name, keyAlgorithm: o.key ?? 'ec-384', validityDays, signedBy: who === 'self' || who === 'outside' ? who : await findIssuer(context, who),
    ...given({ subject, hash: o.hash, pkcs11Label: o['pkcs11-label'], profile: o.profile, pathLength }), ...constraintsOf(o), ...publishingOf(o),
  }
}

function happened(signedBy: string, name: string): string {
  if (signedBy === 'self') return `The root is made. Its certificate, for those who shall trust it: certloop issuer show ${word(name)} --certificate-out root.pem`
  if (signedBy === 'outside') return 'Key and CSR are made; it can not sign yet.'
  return `The intermediate is made. It signs what names it; to make it the one in use: certloop issuer activate ${word(name)}`
}

export const issuerCreate = defineCommand({
  noun: 'issuer', verb: 'create', summary: 'Make a root, an intermediate, or one to be signed elsewhere',
  args: { name: { help: 'what to call it here; unique' } }, options,
  examples: [
    'issuer create "Company Issuing CA" --signed-by outside --key rsa-3072 --subject O=Company --subject C=DE --csr-out issuing.csr',
    'issuer create "Company Root" --signed-by self --pkcs11-label company-root --validity-days 7305',
    'issuer create "Branch CA" --signed-by "Company Root" --permit dns:branch.example.com --permit ip:10.1.0.0/16',
  ],
  notes: ['Its private key never leaves the control plane or its token. A new issuer signs only what names it; "certloop issuer activate" makes an intermediate the one in use.'],
  async run(context, { args, options: o }) {
    const body = await inputOf(context, args.name, o)
    const made = await (await context.client()).call('createIssuer', { body })
    const file = o['csr-out']
    if (file !== undefined && made.csrPem !== null) await writeOutput(context, file, made.csrPem, `certloop issuer csr ${word(made.name)} --out FILE`)
    await showIssuer(context, made, happened(body.signedBy, made.name), file)
  },
})
