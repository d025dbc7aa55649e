import { secretFields, type FieldNotes } from '@certloop/contract'
import type { TObject } from 'typebox'
import { fieldProblems } from '../provisioning/place.ts'

export interface FieldProblem { field: string; problem: string }
/** The fields of a plug-in, of whatever kind. */
export interface Fields { fields: TObject; check?: ((fields: Record<string, unknown>) => FieldProblem[]) | undefined }
export interface Values { plain: Record<string, unknown>; secret: Record<string, string> }
/** As they come in: secrets apart or among the fields; null deletes one, and what is left out stays. */
export interface GivenValues { fields: Readonly<Record<string, unknown>>; secrets?: Readonly<Record<string, string | null>> | undefined }

const notesOf = ({ fields }: Fields, name: string) => (fields.properties as Record<string, { 'x-field'?: FieldNotes; default?: unknown } | undefined>)[name]

/** What the fields hold where nothing is given. */
function defaultsOf({ fields }: Fields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields.properties as Record<string, { default?: unknown }>).flatMap(([name, schema]) => (schema.default === undefined ? [] : [[name, schema.default]])))
}

/** Whom a secret is given to, as these fields have it. */
const sentTo = (plugin: Fields, name: string, plain: Readonly<Record<string, unknown>>): string => JSON.stringify(notesOf(plugin, name)?.['x-field']?.sentTo?.map((other) => plain[other] ?? null) ?? [])

const again = 'has to be entered again: where it is sent to is no longer the same'

/** One secret as it is kept from now on; a text says why that can't be told. */
function secretFor(given: unknown, kept: string | undefined, staysThere: boolean): { value?: string; problem?: string } {
  if (given === null || (given === undefined && kept === undefined)) return {}
  if (typeof given === 'string') return { value: given }
  if (given !== undefined) return { problem: 'must be text' }
  return staysThere && kept !== undefined ? { value: kept } : { problem: again }
}

/**
 * What is to be kept, with every problem at its field ("fields/directoryUrl"). A secret that is left out stays where it would go
 * to the same place; else it has to come again, or its deletion be asked for. Pure.
 * @param ready values of a ready-made entry, for what is not given
 */
export function readValues(plugin: Fields, given: GivenValues, before: Values | undefined, ready: Readonly<Record<string, unknown>> = {}): Values & { problems: FieldProblem[] } {
  const names = new Set(secretFields(plugin.fields))
  const only = (values: Readonly<Record<string, unknown>>, secret: boolean) => Object.fromEntries(Object.entries(values).filter(([name]) => names.has(name) === secret))
  const plain = only({ ...defaultsOf(plugin), ...ready, ...given.fields }, false)
  const wanted: Record<string, unknown> = { ...only(given.fields, true), ...given.secrets }
  const problems: FieldProblem[] = Object.keys(wanted).filter((name) => !names.has(name)).map((name) => ({ field: `secrets/${name}`, problem: 'there is no such secret field' }))
  const secret: Record<string, string> = {}
  for (const name of names) {
    const { value, problem } = secretFor(wanted[name], before?.secret[name], before !== undefined && sentTo(plugin, name, before.plain) === sentTo(plugin, name, plain))
    if (value !== undefined) secret[name] = value
    if (problem !== undefined) problems.push({ field: `secrets/${name}`, problem })
  }
  const inSecrets = (field: string) => (names.has(field.slice('fields/'.length)) ? field.replace('fields/', 'secrets/') : field)
  const told = new Set(problems.map(({ field }) => field))
  const lines = fieldProblems(plugin, { ...plain, ...secret }, 'fields').map((line) => ({ field: inSecrets(line.slice(0, line.indexOf(': '))), problem: line.slice(line.indexOf(': ') + 2) }))
  return { plain, secret, problems: [...problems, ...lines.filter(({ field }) => !told.has(field))] }
}
