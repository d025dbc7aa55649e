import type { ConfigurationInput, CsrTemplate, SubjectAttributes } from '@certloop/api-client'
import { certificateTypes, csrModes, keyAlgorithms, signatureDigests } from '../choices.ts'
import type { Given, OptionSpecs } from '../command.ts'
import type { Context } from '../context.ts'
import { usage } from '../failure.ts'
import { findNamed } from '../find.ts'
import { wholeNumber } from '../parse.ts'
import { present, readPair } from './words.ts'

export type CsrInput = ConfigurationInput['csr']

/** What may be the same for many certificates. */
export const csrOptions = {
  'csr-mode': { type: 'string', value: 'MODE', choices: csrModes, help: 'existing: as the present certificate; partial: the same, except for what is said here; full: from a template' },
  'template': { type: 'string', value: 'NAME', help: 'the request follows this CSR template, as --csr-mode full; "" for none' },
  'template-version': { type: 'string', value: 'NUMBER', help: 'stay with this version of the template; "newest": follow its changes' },
  'key': { type: 'string', value: 'KIND', choices: keyAlgorithms, help: 'kind of key' },
  'reuse-key': { type: 'boolean', help: 'keep the key at renewal, for pinned keys (--no-reuse-key)' },
  'signature': { type: 'string', value: 'DIGEST', choices: [...signatureDigests, 'automatic'], help: 'digest that the request is signed with' },
  'subject': { type: 'string', value: 'PART=VALUE', multiple: true, help: 'a part of the subject, e.g. country=DE or "organization=Example Ltd"; "PART=" takes it out; repeat for more' },
  'type': { type: 'string', value: 'TYPE', choices: certificateTypes, help: 'kind of certificate to ask for; existing: as the present one' },
  'profile': { type: 'string', value: 'NAME', help: 'profile that the authority is to issue by; "" for the one it issues by otherwise' },
  'validity-days': { type: 'string', value: 'DAYS', help: 'lifetime to ask for; "default": what the authority gives' },
} as const satisfies OptionSpecs
export type CsrGiven = Given<Record<never, never>, typeof csrOptions>['options']

/** What only one certificate can have. */
export const nameOptions = {
  'name': { type: 'string', value: 'NAME', multiple: true, help: 'a name to order; repeat for more. Default those of the present version' },
  'common-name': { type: 'string', value: 'NAME', help: 'common name, one of the names; "" for none' },
} as const satisfies OptionSpecs
type NamesGiven = Given<Record<never, never>, typeof nameOptions>['options']

export async function findTemplate(context: Context, text: string): Promise<CsrTemplate['id']> {
  const client = await context.client()
  return findNamed<CsrTemplate>('tpl', 'CSR template', 'certloop template list', text, () => client.call('listCsrTemplates'), ({ name, version }) => `${name}  version ${version}`)
}

export const subjectParts = ['organization', 'organizationalUnit', 'country', 'stateOrProvince', 'locality', 'street', 'postalCode', 'serialNumber', 'emailAddress'] as const satisfies readonly (keyof SubjectAttributes)[]
const shortParts: Record<string, keyof SubjectAttributes> = { o: 'organization', ou: 'organizationalUnit', c: 'country', st: 'stateOrProvince', l: 'locality', emailaddress: 'emailAddress' }

/** The long name of a part: "O" and "organization" mean the same. @throws Failure */
export function subjectPart(option: string, text: string): keyof SubjectAttributes {
  const lower = text.toLowerCase()
  const found = subjectParts.find((part) => part.toLowerCase() === lower) ?? shortParts[lower]
  if (lower === 'cn' || lower === 'commonname') throw usage(`The common name is no part of --${option}: it is given with --common-name.`)
  if (found === undefined) throw usage(`--${option} knows no part "${text}": ${subjectParts.join(', ')}.`)
  return found
}

/** The parts after those given; an empty value takes one out. @throws Failure */
export function readSubject(before: SubjectAttributes, given: readonly string[]): SubjectAttributes {
  const changes = given.map((text) => readPair('subject', text)).map(([part, value]) => [subjectPart('subject', part), value] as const)
  return Object.fromEntries(Object.entries({ ...before, ...Object.fromEntries(changes) }).filter(([, value]) => value !== ''))
}

function templateVersion(text: string | undefined): number | null | undefined {
  return text === 'newest' ? null : wholeNumber('template-version', text, 1, 1_000_000)
}

async function templatePart(context: Context, o: CsrGiven): Promise<Pick<CsrInput, 'mode' | 'templateId' | 'templateVersion'>> {
  const version = templateVersion(o['template-version'])
  if (o.template === undefined) return present({ mode: o['csr-mode'], templateVersion: version })
  if (o.template === '') return { templateId: null, templateVersion: null, mode: o['csr-mode'] ?? 'partial' }
  return { templateId: await findTemplate(context, o.template), templateVersion: version ?? null, mode: o['csr-mode'] ?? 'full' }
}

const validityDays = (text: string | undefined) => (text === 'default' ? null : wholeNumber('validity-days', text, 1, 3650))

/** What the options say about the request, and nothing else. @param before the subject that is changed */
export async function csrPart(context: Context, o: CsrGiven, before: SubjectAttributes = {}): Promise<Partial<Omit<CsrInput, 'names' | 'commonName'>>> {
  return {
    ...await templatePart(context, o),
    ...present({
      keyAlgorithm: o.key, keyReuse: o['reuse-key'], signatureAlgorithm: o.signature === 'automatic' ? null : o.signature, subject: o.subject && readSubject(before, o.subject),
      certificateType: o.type, profile: o.profile === undefined ? undefined : o.profile || null, validityDays: validityDays(o['validity-days']),
    }),
  }
}

export const namesPart = (o: NamesGiven): Partial<Pick<CsrInput, 'names' | 'commonName'>> =>
  present({ names: o.name, commonName: o['common-name'] === undefined ? undefined : o['common-name'] || null })
