import { type Exchange, matchPath, type VendorRequest } from './vendor-server.ts'

/** What a value has to be; of an object the fields that are looked at, with "?" at the end of those that may be missing. */
export type Form = 'text' | 'number' | 'flag' | 'anything' | 'null' | readonly [Form] | { readonly [field: string]: Form } | { readonly oneOf: readonly Form[] }
export interface Operation {
  method: string
  path: string
  /** Names that the query may have; "!" at the end of those that it must have. */
  query?: readonly string[]
  /** Of a JSON body, exactly: other fields than these are not described. */
  body?: Form
  /** By status, of the answers that are used; of others the errors. */
  answers: Readonly<Record<number, Form>>
}
/** The few operations that are used of a published description, in words of our own. */
export interface Excerpt {
  /** Where it was read. */
  source: string
  operations: readonly Operation[]
  errors?: Form
}

function problemsOf(form: Form, value: unknown, where: string, exactly: boolean): string[] {
  if (form === 'anything') return []
  if (form === 'null') return value === null ? [] : [`${where} is not null`]
  if (typeof form === 'string') return typeof value === { text: 'string', number: 'number', flag: 'boolean' }[form] ? [] : [`${where} is no ${form}: ${JSON.stringify(value)}`]
  if (Array.isArray(form)) return Array.isArray(value) ? value.flatMap((each, index) => problemsOf(form[0] as Form, each, `${where}/${index}`, exactly)) : [`${where} is no list`]
  if ('oneOf' in form) return (form.oneOf as Form[]).some((each) => problemsOf(each, value, where, exactly).length === 0) ? [] : [`${where} has none of the forms: ${JSON.stringify(value)}`]
  return problemsOfObject(form as Readonly<Record<string, Form>>, value, where, exactly)
}

function problemsOfObject(form: Readonly<Record<string, Form>>, value: unknown, where: string, exactly: boolean): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${where} is no object`]
  const fields = value as Record<string, unknown>
  const known = new Set(Object.keys(form).map((name) => name.replace('?', '')))
  const unknown = exactly ? Object.keys(fields).filter((name) => !known.has(name)).map((name) => `${where}/${name} is not described`) : []
  return [...unknown, ...Object.entries(form).flatMap(([name, inner]) => {
    const plain = name.replace('?', '')
    if (!(plain in fields)) return name.endsWith('?') ? [] : [`${where}/${plain} is missing`]
    return problemsOf(inner, fields[plain], `${where}/${plain}`, exactly)
  })]
}

function problemsOfQuery({ query = [] }: Operation, request: VendorRequest): string[] {
  const names = new Set(query.map((name) => name.replace('!', '')))
  return [
    ...[...request.query.keys()].filter((name) => !names.has(name)).map((name) => `?${name} is not described`),
    ...query.filter((name) => name.endsWith('!') && !request.query.has(name.slice(0, -1))).map((name) => `?${name.slice(0, -1)} is missing`),
  ]
}

/** In what the calls and answers differ from the description, a line each; also which operations nobody called. */
export function differences(excerpt: Excerpt, exchanges: readonly Exchange[]): string[] {
  const used = new Set<Operation>()
  const problems = exchanges.flatMap(({ request, answer }) => {
    const where = `${request.method} ${request.path} (${answer.status})`
    const operation = excerpt.operations.find(({ method, path }) => method === request.method && matchPath(path, request.path) !== undefined)
    if (!operation) return [`${where} is not described`]
    used.add(operation)
    const form = operation.answers[answer.status] ?? (answer.status >= 400 ? excerpt.errors : undefined)
    const ofBody = operation.body === undefined ? (request.body === '' ? [] : [' has a body']) : problemsOf(operation.body, request.json, ' asks', true)
    const ofAnswer = form === undefined ? [' answers with a status that is not described'] : problemsOf(form, answer.body, ' answers', false)
    return [...problemsOfQuery(operation, request), ...ofBody, ...ofAnswer].map((problem) => `${where}${problem}`)
  })
  const unused = excerpt.operations.filter((operation) => !used.has(operation)).map(({ method, path }) => `${method} ${path} was not used`)
  return [...new Set(problems), ...unused]
}
