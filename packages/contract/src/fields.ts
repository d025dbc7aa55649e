import { Type, type TString, type TInteger, type TBoolean, type TSchema, type TProperties, type TUnsafe } from 'typebox'

/** Shown beside a field in forms and in the reference; part of the schema, so nothing is said twice. */
export interface FieldNotes {
  label: string
  help: string
  /** Form control; also tells the redactor what is secret. */
  kind: 'text' | 'path' | 'secret' | 'seconds' | 'number' | 'switch' | 'choice' | 'lines' | 'pem'
  /** Shown only when another field has this value, or one of these. */
  shownWhen?: { field: string; is: string | boolean | readonly string[] }
  /** Of a secret: the fields that say whom it is given to, such as an address and a user. When one changes, it has to be entered again. */
  sentTo?: readonly string[]
  /** Of a secret: it has several lines, as PEM has, which a box for passwords would join. */
  multiline?: true
}
type Options = Omit<FieldNotes, 'kind'> & { default?: string }

const notes = (kind: FieldNotes['kind'], { label, help, shownWhen, sentTo, multiline }: Omit<FieldNotes, 'kind'>) => ({
  title: label, description: help, 'x-field': { kind, label, help, ...(shownWhen ? { shownWhen } : {}), ...(sentTo ? { sentTo } : {}), ...(multiline ? { multiline } : {}) },
})

/** Makers of typed fields for manifests. Optional ones are wrapped: `field.optional(field.path({…}))`. */
export const field = {
  /** One line: what it says may get into files and commands of others, where a second line would be one of theirs. */
  text: (o: Options): TString => Type.String({ ...notes('text', o), minLength: 1, maxLength: 1000, pattern: '^[^\\u0000-\\u001f\\u007f]*$', ...(o.default === undefined ? {} : { default: o.default }) }),
  /** An absolute path on the target's host. */
  path: (o: Options): TString => Type.String({ ...notes('path', o), pattern: '^(/|[A-Za-z]:\\\\|\\\\\\\\)[^\\u0000-\\u001f]*$', maxLength: 4096, ...(o.default === undefined ? {} : { default: o.default }) }),
  /** Encrypted at rest, write-only in the API and redacted everywhere because it is declared so. */
  secret: (o: Options): TString => Type.String({ ...notes('secret', o), maxLength: 10000, writeOnly: true }),
  /** Certificates as PEM text; not secret. */
  pem: (o: Omit<Options, 'default'>): TString => Type.String({ ...notes('pem', o), maxLength: 200_000, pattern: '-----BEGIN CERTIFICATE-----' }),
  seconds: (o: Options & { min: number; max: number; defaultSeconds: number }): TInteger & { default: number } => Type.Integer({ ...notes('seconds', o), minimum: o.min, maximum: o.max, default: o.defaultSeconds }) as TInteger & { default: number },
  port: (o: Options): TInteger => Type.Integer({ ...notes('number', o), minimum: 1, maximum: 65535 }),
  /** One of a few values; each with the words a form shows for it. */
  choice: <const T extends Record<string, string>>(o: Omit<Options, 'default'> & { values: T; default?: keyof T & string }): TUnsafe<keyof T & string> => Type.Unsafe<keyof T & string>({
    type: 'string', enum: Object.keys(o.values), ...notes('choice', o), 'x-values': o.values, ...(o.default === undefined ? {} : { default: o.default }),
  }),
  /** A program and its arguments, a line each: no shell takes them apart. */
  lines: (o: Omit<Options, 'default'>) => Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { ...notes('lines', o), minItems: 1, maxItems: 100 }),
  switch: (o: Omit<Options, 'default'> & { default: boolean }): TBoolean => Type.Boolean({ ...notes('switch', o), default: o.default }),
  optional: <T extends TSchema>(schema: T) => Type.Optional(schema),
}

export function fieldsObject<P extends TProperties>(properties: P) {
  return Type.Object(properties, { additionalProperties: false })
}

/** The names of the secret fields of a fields object. */
export function secretFields(fields: { properties: Record<string, unknown> }): string[] {
  return Object.entries(fields.properties)
    .filter(([, schema]) => (schema as { 'x-field'?: FieldNotes })['x-field']?.kind === 'secret')
    .map(([name]) => name)
}
