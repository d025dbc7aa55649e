import { readFile } from 'node:fs/promises'
import type { OptionSpecs } from '../command.ts'
import type { Context } from '../context.ts'
import { readPair } from '../configuration/words.ts'
import { usage } from '../failure.ts'

/** Values of typed fields, as server types, authorities and DNS providers have them. */
export const fieldOptions = {
  'field': { type: 'string', value: 'NAME=VALUE', multiple: true, help: 'a field; true and false for switches, "" to leave it out again; repeat for more. A list takes its lines one after the other' },
  'field-file': { type: 'string', value: 'NAME=FILE', multiple: true, help: 'a field of many lines, such as certificates, read from a file' },
  'secret': { type: 'string', value: 'NAME=FILE', multiple: true, help: 'a secret field, read from a file, or "-" for standard input; NAME= deletes it' },
  'ask': { type: 'string', value: 'NAME', multiple: true, help: 'a secret field that is asked for here, and not shown' },
} as const satisfies OptionSpecs

interface PropertySchema { 'type'?: string; 'x-field'?: { kind?: string; label?: string } }
export interface TypedSchema { properties?: Record<string, PropertySchema>; required?: readonly string[] }
const isSecret = (schema: PropertySchema | undefined) => schema?.['x-field']?.kind === 'secret'

/** The value as the schema of the field wants it; what fits no type is left to the API to judge. */
function valueOf({ type }: PropertySchema, texts: readonly string[]): unknown {
  const text = texts.at(-1) ?? ''
  if (type === 'array') return texts
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  return type === 'integer' && /^-?\d{1,9}$/.test(text) ? Number(text) : text
}

/** Fields after those given: "" takes one out. @throws Failure for a secret one: command lines can be read by others */
export function readFields({ properties = {} }: TypedSchema, present: Record<string, unknown>, given: readonly string[] = []): Record<string, unknown> {
  const texts = Map.groupBy(given.map((text) => readPair('field', text)), ([name]) => name)
  const fields = { ...present }
  for (const [name, pairs] of texts) {
    if (isSecret(properties[name])) throw usage(`${name} is secret, so --field does not take it: command lines can be read by others.`, `Give a file, or "-" for standard input: --secret ${name}=FILE. To delete it: --secret ${name}=`)
    const values = pairs.map(([, value]) => value)
    if (values.every((value) => value === '')) delete fields[name]
    else fields[name] = valueOf(properties[name] ?? {}, values)
  }
  return fields
}

/** The same from files. */
export async function readFieldFiles({ properties = {} }: TypedSchema, given: readonly string[] = []): Promise<Record<string, unknown>> {
  const entries: [string, string][] = []
  for (const [name, file] of given.map((text) => readPair('field-file', text))) {
    if (isSecret(properties[name])) throw usage(`${name} is secret: --secret ${name}=${file}`)
    entries.push([name, await textOf(`field ${name}`, file)])
  }
  return Object.fromEntries(entries)
}

const textOf = (what: string, file: string) => readFile(file, 'utf8').catch((error: Error) => { throw usage(`The ${what} can not be read: ${error.message}.`) })
const withoutLineEnd = (text: string) => text.replace(/\r?\n$/, '')
/** A secret in a file, or on standard input for "-"; one line end at its end is none of it. */
export async function readSecret({ world }: Context, what: string, file: string): Promise<string> {
  return withoutLineEnd(file === '-' ? await world.readInput() : await textOf(what, file))
}

/** Values by name; null deletes. */
export async function readSecretFields(context: Context, given: readonly string[] = []): Promise<Record<string, string | null>> {
  const entries: [string, string | null][] = []
  for (const [name, file] of given.map((text) => readPair('secret', text))) entries.push([name, file === '' ? null : await readSecret(context, `secret ${name}`, file)])
  return Object.fromEntries(entries)
}

/** Secrets typed at the terminal. @throws Failure where nobody can be asked */
export async function askSecrets({ world }: Context, { properties = {} }: TypedSchema, names: readonly string[] = []): Promise<Record<string, string>> {
  const entries: [string, string][] = []
  for (const name of names) {
    if (!world.canAsk) throw usage(`${name} can not be asked for, as nobody is here.`, `Give a file, or "-" for standard input: --secret ${name}=FILE`)
    entries.push([name, await world.ask(`${properties[name]?.['x-field']?.label ?? name}: `, { hidden: true })])
  }
  return Object.fromEntries(entries)
}

/** Secret fields that have to be given and were not. */
export const missingSecrets = ({ properties = {}, required = [] }: TypedSchema, given: Record<string, unknown>): string[] =>
  required.filter((name) => isSecret(properties[name]) && !(name in given))
