import { Type } from 'typebox'
import { certificateStatuses, type KeyAlgorithm, keyAlgorithms } from './states.ts'
import type { IdKind } from './ids.ts'

/** Small schemas that many messages share. */
export const literals = <const T extends readonly string[]>(values: T, options: { description?: string } = {}) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...options })
export const idText = <K extends IdKind>(kind: K) => Type.Unsafe<`${K}_${string}`>({ type: 'string', pattern: `^${kind}_[0-9a-z]{26}$` })
export const instant = Type.String({ format: 'date-time', description: 'UTC, RFC 3339' })
export const nullable = <T extends import('typebox').TSchema>(schema: T) => Type.Union([schema, Type.Null()])
export const pem = Type.String({ maxLength: 200_000, description: 'PEM text' })
export const Fingerprint = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the certificate DER, lower-case hex' })
export const certificateStatus = literals(certificateStatuses)
export const keyAlgorithm = Type.Unsafe<KeyAlgorithm>({ type: 'string', enum: [...keyAlgorithms] })
export const Wire = Type.Object({
  code: Type.Unsafe<import('./errors.ts').ErrorCode>({ type: 'string' }),
  message: Type.String({ maxLength: 200_000 }),
  facts: Type.Record(Type.String(), Type.Unsafe<string | number | boolean | readonly string[]>({}), { maxProperties: 100 }),
}, { additionalProperties: false })
