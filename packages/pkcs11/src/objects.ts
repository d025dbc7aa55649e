import { CertloopError } from '@certloop/contract'
import { CkrError, ckr } from './ckr.ts'
import { attribute } from './constants.ts'
import type { Attribute } from './layout.ts'
import type { Session } from './sessions.ts'

const handlesAtOnce = 64
/** Most objects that one search gives back. */
const mostObjects = 10_000
const longestAttribute = 65_536

/** Handles of the objects that have all these attributes. @throws CertloopError LIMIT_EXCEEDED */
export async function findObjects(session: Session, wanted: readonly Attribute[]): Promise<bigint[]> {
  const { layout } = session.module
  const template = layout.template(wanted)
  const found: bigint[] = []
  await session.call('C_FindObjectsInit', [template.bytes, wanted.length], [template])
  const list = Buffer.alloc(handlesAtOnce * layout.ulongSize)
  for (;;) {
    const count = layout.ulongBytes(0)
    await session.call('C_FindObjects', [list, handlesAtOnce, count])
    const given = Math.min(handlesAtOnce, layout.readCount(count) ?? 0)
    for (let index = 0; index < given; index++) found.push(layout.readHandle(list, index * layout.ulongSize))
    if (given === 0) break
    if (found.length > mostObjects) throw new CertloopError('LIMIT_EXCEEDED', `The token has more than ${mostObjects} keys; name the key by label and id.`)
  }
  await session.call('C_FindObjectsFinal', [])
  return found
}

/** Attributes of one object in the order asked for; undefined where the object has none or the token keeps it. */
export async function readAttributes(session: Session, object: bigint, types: readonly number[]): Promise<(Buffer | undefined)[]> {
  const lengths = await askAttributes(session, object, types.map((type) => ({ type, value: Buffer.alloc(0) })))
  const there = types.flatMap((type, index) => {
    const length = lengths[index]
    if (length !== undefined && length > longestAttribute) throw new CertloopError('LIMIT_EXCEEDED', `An attribute of an object in the token has ${length} bytes.`)
    return length === undefined ? [] : [{ type, value: Buffer.alloc(length) }]
  })
  const filled = there.filter(({ value }) => value.length > 0)
  const given = filled.length === 0 ? [] : await askAttributes(session, object, filled)
  const values = new Map(filled.map(({ type, value }, index) => [type, value.subarray(0, given[index] ?? 0)]))
  return types.map((type) => values.get(type) ?? (there.some((one) => one.type === type) ? Buffer.alloc(0) : undefined))
}

async function askAttributes(session: Session, object: bigint, attributes: readonly Attribute[]): Promise<(number | undefined)[]> {
  const template = session.module.layout.template(attributes)
  try {
    await session.call('C_GetAttributeValue', [object, template.bytes, attributes.length], [template])
  } catch (error) {
    // Some are missing or kept; the lengths of the others are there all the same (2.40, 5.7.5).
    if (!(error instanceof CkrError) || (error.value !== ckr.attributeTypeInvalid && error.value !== ckr.attributeSensitive)) throw error
  }
  return session.module.layout.lengths(template)
}

export const ulongAttribute = (session: Session, type: number, value: number): Attribute => ({ type, value: session.module.layout.ulongBytes(value) })
export const booleanAttribute = (type: number, value: boolean): Attribute => ({ type, value: Buffer.of(value ? 1 : 0) })
export const labelAttribute = (label: string): Attribute => ({ type: attribute.label, value: Buffer.from(label, 'utf8') })
export const idAttribute = (id: string): Attribute => ({ type: attribute.id, value: Buffer.from(id, 'hex') })
