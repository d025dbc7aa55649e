import { CertloopError, problemOf } from '@certloop/contract'
import { unreachable } from '../database/database.ts'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

const mostFields = 20

type ValidationIssue = NonNullable<FastifyError['validation']>[number]

/** Patterns as people know them. */
const patternWords: readonly (readonly [RegExp, string])[] = [
  [/^\^SHA256:/, 'must be a fingerprint such as SHA256:… (43 characters), as "ssh-keygen -lf" prints it'],
  [/^\^\/$/, 'must be an absolute path'],
  [/^\^\[\^\\s\/@\]\+\$$/, 'must be the name or the IP address of a host'],
  [/^\^\[A-Z\]\{2\}\$$/, 'must be two capital letters, such as DE'],
]

/**
 * A value that fits no branch of a choice fails once in each. Where branches are told apart by a "kind" or "from",
 * only the one that was meant is worth talking of.
 */
function ofMeantBranch(issues: readonly ValidationIssue[]): ValidationIssue[] {
  const branchOf = ({ schemaPath }: ValidationIssue) => /^(.*\/anyOf\/\d+)\//.exec(schemaPath)?.[1]
  const isOther = (issue: ValidationIssue) => issue.keyword === 'const' || (issue.keyword === 'type' && /\/anyOf\/\d+\/type$/.test(issue.schemaPath))
  const others = new Set(issues.filter(isOther).map(branchOf))
  const meant = issues.filter((issue) => { const branch = branchOf(issue); return branch === undefined || ![...others].some((other) => other !== undefined && (branch === other || issue.schemaPath.startsWith(`${other}/`))) })
  return meant.length > 0 ? meant : [...issues]
}

interface Limits { pattern?: string; limit?: number; format?: string; type?: string; multipleOf?: number }
const counted = (count: number | undefined, what: string) => `${count} ${count === 1 ? what : `${what}s`}`
const articleOf: Readonly<Record<string, string>> = { integer: 'a whole number', number: 'a number', string: 'text', boolean: 'true or false', array: 'a list', object: 'an object', null: 'null' }

/** The schema's words as people say them, by its keyword. */
const keywordWords: Readonly<Record<string, (limits: Limits) => string>> = {
  pattern: ({ pattern = '' }) => patternWords.find(([known]) => known.test(pattern))?.[1] ?? 'does not have the form that is needed here',
  maximum: ({ limit }) => `must be at most ${limit}`, minimum: ({ limit }) => `must be at least ${limit}`,
  exclusiveMaximum: ({ limit }) => `must be less than ${limit}`, exclusiveMinimum: ({ limit }) => `must be more than ${limit}`,
  minLength: ({ limit }) => (limit === 1 ? 'must not be empty' : `must have at least ${counted(limit, 'character')}`), maxLength: ({ limit }) => `must have at most ${counted(limit, 'character')}`,
  minItems: ({ limit }) => (limit === 1 ? 'must not be empty' : `must have at least ${limit} entries`), maxItems: ({ limit }) => `must have at most ${limit} ${limit === 1 ? 'entry' : 'entries'}`,
  uniqueItems: () => 'must not name anything twice', format: ({ format = '' }) => `must be ${formatWords[format] ?? `a ${format}`}`, multipleOf: ({ multipleOf }) => `must be a multiple of ${multipleOf}`,
  type: ({ type = '' }) => `must be ${type.split(',').map((one) => articleOf[one] ?? one).join(' or ')}`,
}
const formatWords: Readonly<Record<string, string>> = { 'date-time': 'a time such as 2026-03-01T00:00:00Z', date: 'a day such as 2026-03-01', uri: 'an address such as https://…', email: 'an e-mail address' }
const plainWords = ({ keyword, params, message }: ValidationIssue): string => keywordWords[keyword]?.(params) ?? message ?? 'is not valid'

function fieldLine(context: string, issue: ValidationIssue): string {
  const { params } = issue as { params: { additionalProperty?: unknown; missingProperty?: unknown; allowedValues?: unknown } }
  const base = `${context}${issue.instancePath.replace('/', '.')}`
  if (typeof params.additionalProperty === 'string') return `${base}.${params.additionalProperty}: there is no such field`
  if (typeof params.missingProperty === 'string') return `${base}.${params.missingProperty}: is missing`
  if (Array.isArray(params.allowedValues)) return `${base}: must be one of ${params.allowedValues.join(', ')}`
  return `${base}: ${plainWords(issue)}`
}

function inputError(error: FastifyError): CertloopError {
  const context = error.validationContext === 'querystring' ? 'query' : error.validationContext ?? 'body'
  // "null or …" fails once per branch; what says only that no branch fits adds nothing.
  const lines = [...new Set(ofMeantBranch((error.validation ?? []).filter((issue) => issue.keyword !== 'anyOf')).map((issue) => fieldLine(context, issue)))]
  const rest = lines.length > mostFields ? ` and ${lines.length - mostFields} more` : ''
  return new CertloopError('INPUT_INVALID', `${lines.slice(0, 3).join('; ')}${lines.length > 3 ? '; …' : ''}${rest}.`, { fields: lines.slice(0, mostFields) })
}

/** Any error as one of ours. What is not foreseen becomes INTERNAL and says nothing about its inside. */
export function toProblemError(error: unknown): CertloopError {
  if (error instanceof CertloopError && error.code !== 'INTERNAL') return error
  const { validation, code, statusCode, message } = error as Partial<FastifyError>
  if (validation) return inputError(error as FastifyError)
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new CertloopError('BODY_TOO_LARGE', 'The body is larger than this call takes.')
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new CertloopError('INPUT_INVALID', 'Send JSON, with the header "Content-Type: application/json".')
  const isOfHttp = typeof code === 'string' && code.startsWith('FST_') && statusCode !== undefined && statusCode < 500
  if (isOfHttp) return new CertloopError('INPUT_INVALID', message ?? 'The request can not be read.')
  if (unreachable(error)) return new CertloopError('UNAVAILABLE', 'The database can not be reached at the moment.')
  return new CertloopError('INTERNAL', 'The request could not be carried out. The log has the cause under the request id.')
}

/** Answers with a problem document (RFC 9457). */
export function sendProblem(error: CertloopError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { retryAfterSeconds } = error.facts
  if (typeof retryAfterSeconds === 'number') reply.header('retry-after', String(retryAfterSeconds))
  if (error.spec.httpStatus === 401) reply.header('www-authenticate', 'Bearer realm="certloop"')
  request.problemCode = error.code
  return reply.code(error.spec.httpStatus).header('cache-control', 'no-store').type('application/problem+json').serializer(JSON.stringify)
    .send(problemOf(error, request.id))
}

declare module 'fastify' {
  interface FastifyRequest { problemCode: string | undefined }
}

export function installProblems(app: FastifyInstance): void {
  app.decorateRequest('problemCode')
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblemError(error)
    if (problem.code === 'INTERNAL' || problem.code === 'UNAVAILABLE') request.log.error({ err: error, requestId: request.id }, 'unexpected error')
    return sendProblem(problem, request, reply)
  })
}
