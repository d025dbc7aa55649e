import { Type, type TObject, type TProperties, type TSchema } from 'typebox'
import { nullable } from '../text.ts'
import type { Access } from './access.ts'

/** One call of the API. Routes, OpenAPI, the client's types and who may call it all come from this table. */
export interface Operation {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below /api/v1, with {name} for parameters. */
  path: string
  access: Access
  summary: string
  tag: string
  params?: TObject
  query?: TObject
  body?: TSchema
  response: TSchema | null
  status: 200 | 201 | 202 | 204
}

export const op = <const T extends Operation>(operation: T) => operation
export const byId = <P extends TProperties>(properties: P) => Type.Object(properties, { additionalProperties: false })
export const query = <P extends TProperties>(properties: P) => Type.Object({
  ...properties,
  cursor: Type.Optional(Type.String({ maxLength: 300, description: 'nextCursor of the page before' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
}, { additionalProperties: false })
export const page = <T extends TSchema>(item: T) => Type.Object({ items: Type.Array(item), nextCursor: nullable(Type.String()) }, { additionalProperties: false })
export const list = <T extends TSchema>(item: T) => Type.Object({ items: Type.Array(item) }, { additionalProperties: false })
