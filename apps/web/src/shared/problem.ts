import { ApiProblem, errorSpecs, type ErrorCode } from '@certloop/api-client'

/** What a page shows of an error, wherever it came from. */
export interface ShownProblem {
  message: string
  cause: string
  remedy: string
  where: string
  code: ErrorCode
  requestId?: string
  fields: readonly { field: string; problem: string }[]
}

interface StoredError { code: ErrorCode; message: string }

/** From an answer of the API, from an error kept with an order or deployment, or from a mistake in the pages. */
export function shownProblem(error: Error | StoredError): ShownProblem {
  if (error instanceof ApiProblem) {
    const { message, cause, remedy, where, code, fields, instance } = error
    return { message, cause, remedy, where, code, fields, ...(instance === undefined ? {} : { requestId: instance }) }
  }
  if (error instanceof Error) return { message: error.message, ...partsOf('INTERNAL'), remedy: 'Load the page again; report it if it stays.', where: 'These pages', code: 'INTERNAL', fields: [] }
  return { message: error.message, ...partsOf(error.code), code: error.code, fields: [] }
}

function partsOf(code: ErrorCode): { cause: string; remedy: string; where: string } {
  const { cause, remedy, where } = errorSpecs[code] ?? errorSpecs.INTERNAL
  return { cause, remedy, where }
}

/** The path of a field in dots, however it was written. */
export const pathOf = (field: string): string => field.replace(/\[(\d+)\]/g, '.$1').replace(/[/.]+/g, '.').replace(/^\.?(body\.)?/, '')

/** Field problems by path in dots ("targets.0.fields.keyPath"), whatever way the path was written. */
export function fieldProblems(error: Error | null): Record<string, string> {
  const problems: Record<string, string> = {}
  if (!(error instanceof ApiProblem)) return problems
  const isOfNames = error.code === 'NAME_INVALID' || error.code === 'TOO_MANY_NAMES'
  if (isOfNames && !error.fields.some(({ field }) => !field.startsWith('names'))) return { 'names': error.message, 'csr.names': error.message }
  for (const { field, problem } of error.fields) {
    const path = pathOf(field)
    problems[path] = problems[path] === undefined ? problem : `${problems[path]} ${problem}`
  }
  return problems
}

/** The problem of a field or of anything inside it. */
export function problemAt(problems: Record<string, string>, path: string): string | undefined {
  return problems[path] ?? Object.entries(problems).find(([at]) => at.startsWith(`${path}.`))?.[1]
}
