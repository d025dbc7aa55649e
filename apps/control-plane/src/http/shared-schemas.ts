import type { FastifyInstance } from 'fastify'
import type { TSchema } from 'typebox'

type Json = Record<string, unknown>
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Replaces every named schema ($id) by a reference to one shared copy, so that validation, serialisation and the
 * OpenAPI document know each of them once.
 */
export function shareSchemas(app: FastifyInstance, schema: TSchema): TSchema {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk)
    if (!isObject(value)) return value
    const copy = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner)]))
    const { $id } = value
    if (typeof $id !== 'string') return copy
    if (app.getSchema($id) === undefined) app.addSchema(copy)
    return { $ref: `${$id}#` }
  }
  return walk(schema) as TSchema
}
