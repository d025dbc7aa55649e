import type { Static, TSchema } from 'typebox'
import { Check, Clean, Clone, Errors } from 'typebox/value'
import { CertloopError, type ErrorCode } from './errors.ts'

export type { Static, TSchema } from 'typebox'

export interface ShapeOptions {
  /** Named in the message: "The task", "The answer to hello". */
  what: string
  code?: ErrorCode
  /** drop: a newer sender may say more than this reader knows. refuse: it may have meant something. Default refuse. */
  unknownFields?: 'refuse' | 'drop'
}

/**
 * A value from outside as the type of its schema.
 * @throws CertloopError INPUT_INVALID, or the code given, naming the first fields that do not fit. Values are not repeated: they may be secret.
 */
export function checkShape<S extends TSchema>(schema: S, value: unknown, { what, code = 'INPUT_INVALID', unknownFields = 'refuse' }: ShapeOptions): Static<S> {
  const read = unknownFields === 'drop' ? Clean(schema, Clone(value)) : value
  if (Check(schema, read)) return read
  const problems = [...Errors(schema, read)].slice(0, 3).map((e) => `${e.instancePath.slice(1).replaceAll('/', '.') || 'the whole'}: ${e.message}`)
  throw new CertloopError(code, `${what} does not have the agreed form (${problems.join('; ')}).`, { fields: problems })
}
