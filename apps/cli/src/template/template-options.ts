import type { CsrTemplateInput, CsrTemplateRules } from '@certloop/api-client'
import { keyAlgorithms } from '../choices.ts'
import type { Given, OptionSpecs } from '../command.ts'
import { readSubject, subjectPart } from '../configuration/csr-options.ts'
import { present } from '../configuration/words.ts'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'
import { nameOfFile, readBytes } from '../ca/files.ts'
import { wholeNumber } from '../parse.ts'

const keyUsages = ['digitalSignature', 'nonRepudiation', 'keyEncipherment', 'dataEncipherment', 'keyAgreement'] as const satisfies readonly CsrTemplateRules['keyUsages'][number][]
const list = 'repeat for more; these take the place of the earlier ones, "" takes them out'

export const templateOptions = {
  'description': { type: 'string', value: 'TEXT', help: 'what it is for' },
  'key': { type: 'string', value: 'KIND', choices: [...keyAlgorithms, 'any'], help: 'kind of key; any: what the configuration says' },
  'allow-key': { type: 'string', value: 'KIND', multiple: true, help: `another kind of key that may be chosen in its place; ${list}` },
  'subject': { type: 'string', value: 'PART=VALUE', multiple: true, help: 'a fixed part of the subject, e.g. "organization=Example Ltd"; "PART=" takes it out; repeat for more' },
  'require-subject': { type: 'string', value: 'PART', multiple: true, help: `a part of the subject that each configuration has to give; ${list}` },
  'least-names': { type: 'string', value: 'COUNT', help: 'so many names at least' },
  'most-names': { type: 'string', value: 'COUNT', help: 'so many names at most' },
  'domain': { type: 'string', value: 'NAME', multiple: true, help: `names have to belong to this domain; ${list} (any)` },
  'wildcards': { type: 'boolean', help: 'allow names such as *.example.com (--no-wildcards)' },
  'addresses': { type: 'boolean', help: 'allow IP addresses as names (--no-addresses)' },
  'common-name': { type: 'string', value: 'WORD', choices: ['required', 'allowed', 'none'], help: 'whether requests have a common name' },
  'key-usage': { type: 'string', value: 'USAGE', multiple: true, help: `${keyUsages.join(', ')}; ${list}` },
  'extended-key-usage': { type: 'string', value: 'USAGE', multiple: true, help: `serverAuth, clientAuth, … or a dotted OID; ${list}` },
  'must-staple': { type: 'boolean', help: 'ask for OCSP must-staple (--no-must-staple)' },
  'key-reuse': { type: 'string', value: 'WORD', choices: ['allowed', 'never'], help: 'whether a configuration may keep its key at renewal' },
  'longest-days': { type: 'string', value: 'DAYS', help: 'longest lifetime to ask for; any: no limit' },
  'file': { type: 'string', value: 'FILE', help: 'rules as JSON, as "template show --json" prints them; "-" reads standard input' },
} as const satisfies OptionSpecs
export type TemplateGiven = Given<Record<never, never>, typeof templateOptions>['options']

/** A template that asks for a server certificate and restricts nothing. */
const beginning: CsrTemplateRules = {
  keyAlgorithm: null, allowedKeyAlgorithms: [], subject: {}, requiredSubject: [],
  names: { required: 1, most: 100, allowed: [], wildcards: true, addresses: true, commonName: 'allowed' },
  keyUsages: ['digitalSignature'], extendedKeyUsages: ['serverAuth'], mustStaple: false, keyReuse: 'allowed', longestValidityDays: null,
}

const listOf = (given: readonly string[] | undefined) => given?.filter((text) => text !== '')
function oneOf<W extends string>(option: string, words: readonly W[], given: readonly string[] | undefined): W[] | undefined {
  return listOf(given)?.map((text) => words.find((word) => word.toLowerCase() === text.toLowerCase()) ?? fail(usage(`--${option} takes ${words.join(', ')}, not "${text}".`)))
}
function fail(error: Error): never {
  throw error
}

/** The list of those allowed names the template's own kind as well. */
function keysAfter(o: Pick<TemplateGiven, 'key' | 'allow-key'>, before: CsrTemplateRules): Pick<CsrTemplateRules, 'keyAlgorithm' | 'allowedKeyAlgorithms'> {
  const keyAlgorithm = o.key === 'any' ? null : o.key ?? before.keyAlgorithm
  const allowed = oneOf('allow-key', keyAlgorithms, o['allow-key']) ?? before.allowedKeyAlgorithms.filter((kind) => kind !== before.keyAlgorithm)
  return { keyAlgorithm, allowedKeyAlgorithms: allowed.length === 0 || keyAlgorithm === null ? allowed : [...new Set([keyAlgorithm, ...allowed])] }
}

function rulesAfter(o: Omit<TemplateGiven, 'description' | 'file'>, before: CsrTemplateRules): CsrTemplateRules {
  return {
    ...before,
    ...keysAfter(o, before),
    ...present({
      subject: o.subject && readSubject(before.subject, o.subject),
      requiredSubject: listOf(o['require-subject'])?.map((text) => subjectPart('require-subject', text)), keyUsages: oneOf('key-usage', keyUsages, o['key-usage']), extendedKeyUsages: listOf(o['extended-key-usage']),
      mustStaple: o['must-staple'], keyReuse: o['key-reuse'], longestValidityDays: o['longest-days'] === 'any' ? null : wholeNumber('longest-days', o['longest-days'], 1, 3650),
    }),
    names: {
      ...before.names,
      ...present({
        required: wholeNumber('least-names', o['least-names'], 0, 1000), most: wholeNumber('most-names', o['most-names'], 1, 1000), allowed: listOf(o.domain), wildcards: o.wildcards, addresses: o.addresses, commonName: o['common-name'],
      }),
    },
  }
}

interface TemplateFile { rules: CsrTemplateRules; description?: string; version?: number }
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

/** What "template show --json" prints, what the API takes, or the rules alone. The API judges them field by field. */
async function readFile(context: Context, file: string): Promise<TemplateFile> {
  const bytes = await readBytes(context, 'CSR template', file)
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw usage(`${nameOfFile(file)} is not JSON: ${(error as Error).message}.`)
  }
  if (!isObject(value)) throw usage(`${nameOfFile(file)} holds no CSR template: it has to be a JSON object.`, 'A file to begin with: certloop template show NAME --json')
  const whole = isObject(value['template']) ? value['template'] : value
  const { rules = whole, description, version } = whole
  return { rules: rules as CsrTemplateRules, ...(typeof description === 'string' ? { description } : {}), ...(typeof version === 'number' ? { version } : {}) }
}

export type Meant = Omit<CsrTemplateInput, 'name'> & { /** As it was read into the file, when the file says so. */ version?: number }

/** The template that the words on the line mean. @throws Failure */
export async function meantTemplate(context: Context, { file, description, ...o }: TemplateGiven, before: Omit<CsrTemplateInput, 'name'> = { description: '', rules: beginning }): Promise<Meant> {
  const others = Object.keys(o)
  if (file === undefined) return { description: description ?? before.description, rules: rulesAfter(o, before.rules) }
  if (others.length > 0) throw usage(`--file brings all the rules; it does not go with --${others.join(', --')}.`)
  const read = await readFile(context, file)
  return { rules: read.rules, description: description ?? read.description ?? before.description, ...(read.version === undefined ? {} : { version: read.version }) }
}
