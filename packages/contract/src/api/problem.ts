import { Type, type Static } from 'typebox'
import { type CertloopError, type ErrorCode } from '../errors.ts'

/** Problem document (RFC 9457), the one form of every error answer. */
export const Problem = Type.Object({
  type: Type.String({ description: 'urn:certloop:error:CODE' }),
  title: Type.String({ description: 'The cause in general words' }),
  status: Type.Integer(),
  detail: Type.String({ description: 'The particulars of this case' }),
  code: Type.Unsafe<ErrorCode>({ type: 'string' }),
  class: Type.String(),
  cause: Type.String(),
  remedy: Type.String(),
  where: Type.String(),
  instance: Type.Optional(Type.String({ description: 'Request id, to find it in the log' })),
  fields: Type.Optional(Type.Array(Type.Object({ field: Type.String(), problem: Type.String() }, { additionalProperties: false }))),
  facts: Type.Optional(Type.Unknown()),
}, { $id: 'Problem', additionalProperties: false })
export type Problem = Static<typeof Problem>

export function problemOf(error: CertloopError, requestId?: string): Problem {
  const { spec, code, facts } = error
  const { fields, ...rest } = facts as Record<string, unknown> & { fields?: readonly string[] }
  return {
    type: `urn:certloop:error:${code}`, title: spec.cause, status: spec.httpStatus, detail: error.message, code, class: spec.class, cause: spec.cause, remedy: spec.remedy, where: spec.where,
    ...(requestId === undefined ? {} : { instance: requestId }),
    // "fields" travels as "name: problem" lines, facts being flat.
    ...(Array.isArray(fields) ? { fields: fields.map((line) => { const at = line.indexOf(': '); return { field: line.slice(0, at), problem: line.slice(at + 2) } }) } : {}),
    ...(Object.keys(rest).length > 0 ? { facts: rest } : {}),
  }
}
