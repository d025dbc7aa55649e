import { damaged, type JavaCursor } from './jks-bytes.ts'

/**
 * Finds the end of one serialised Java object (Java Object Serialization Specification, chapter 6) without making
 * anything of it: JCEKS stores secret keys so, and does not say how long they are. Class names are never acted on.
 */
interface ClassShape {
  flags: number
  /** Type letters of the fields, in order. */
  fields: string
  parent: ClassShape | undefined
  /** For arrays: type letter of the members. */
  member: string
}

const widths: Record<string, number> = { B: 1, Z: 1, C: 2, S: 2, I: 4, F: 4, J: 8, D: 8 }
const deepest = 24

const serializable = 0x02
const externalizable = 0x04
const ownWriteMethod = 0x01
const inBlocks = 0x08

class ObjectSkipper {
  readonly #cursor: JavaCursor
  /** What back references point to; only classes matter. */
  readonly #handles: (ClassShape | null)[] = []
  constructor(cursor: JavaCursor) { this.#cursor = cursor }

  /** One item; false at the mark that ends a list of them. */
  item(depth: number): boolean {
    if (depth > deepest) throw damaged('a secret key in it is nested too deep')
    const cursor = this.#cursor
    switch (cursor.byte()) {
      case 0x70: case 0x79: break // null, reset
      case 0x71: cursor.take(4); break // reference
      case 0x72: this.#newClass(depth); break
      case 0x73: this.#object(depth); break
      case 0x74: this.#handles.push(null); cursor.take(cursor.short()); break
      case 0x7c: this.#handles.push(null); this.#longText(); break
      case 0x75: this.#array(depth); break
      case 0x76: this.#classOf(depth); this.#handles.push(null); break
      case 0x7e: this.#classOf(depth); this.#handles.push(null); this.item(depth + 1); break
      case 0x77: cursor.take(cursor.byte()); break
      case 0x7a: cursor.sized(); break
      case 0x78: return false
      default: throw damaged('a secret key in it is stored in a way that is not known here')
    }
    return true
  }

  #longText(): void {
    const high = this.#cursor.int()
    const low = this.#cursor.int()
    if (high !== 0) throw damaged('it ends in the middle of an entry')
    this.#cursor.take(low)
  }

  #annotations(depth: number): void {
    while (this.item(depth + 1)) { /* each is passed over */ }
  }

  /** A class description: new, by reference, or none. */
  #classOf(depth: number): ClassShape | undefined {
    if (depth > deepest) throw damaged('a secret key in it is nested too deep')
    const mark = this.#cursor.byte()
    if (mark === 0x70) return undefined
    if (mark === 0x72) return this.#newClass(depth)
    const known = mark === 0x71 ? this.#handles[this.#cursor.int() - 0x7e0000] : undefined
    if (!known) throw damaged('a secret key in it has no class')
    return known
  }

  #newClass(depth: number): ClassShape {
    const cursor = this.#cursor
    const name = cursor.text()
    cursor.take(8)
    const shape: ClassShape = { flags: 0, fields: '', parent: undefined, member: name.charAt(1) }
    this.#handles.push(shape)
    shape.flags = cursor.byte()
    for (let left = cursor.short(); left > 0; left--) {
      const type = String.fromCharCode(cursor.byte())
      cursor.take(cursor.short())
      if (type === 'L' || type === '[') this.item(depth + 1)
      else if (!(type in widths)) throw damaged('a secret key in it has a field of an unknown type')
      shape.fields += type
    }
    this.#annotations(depth)
    shape.parent = this.#classOf(depth + 1)
    return shape
  }

  #value(type: string, depth: number): void {
    const width = widths[type]
    if (width !== undefined) this.#cursor.take(width)
    else this.item(depth + 1)
  }

  #object(depth: number): void {
    const line: ClassShape[] = []
    for (let shape = this.#classOf(depth + 1); shape; shape = shape.parent) {
      line.unshift(shape)
      if (line.length > deepest) throw damaged('a secret key in it is nested too deep')
    }
    this.#handles.push(null)
    for (const { flags, fields } of line) {
      if (flags & serializable) {
        for (const type of fields) this.#value(type, depth)
        if (flags & ownWriteMethod) this.#annotations(depth)
      } else if (flags & externalizable) {
        if (!(flags & inBlocks)) throw damaged('a secret key in it is stored in a way that is not known here')
        this.#annotations(depth)
      }
    }
  }

  #array(depth: number): void {
    const member = this.#classOf(depth + 1)?.member ?? ''
    this.#handles.push(null)
    const width = widths[member]
    const size = this.#cursor.count('members of an array', width ?? 1)
    if (width !== undefined) this.#cursor.take(size * width)
    else for (let left = size; left > 0; left--) this.item(depth + 1)
  }
}

/** Moves past a serialised object with its stream header. @throws CertloopError KEYSTORE_INVALID */
export function skipSerialisedObject(cursor: JavaCursor): void {
  if (cursor.int() !== (0xaced0005 | 0)) throw damaged('a secret key in it is no serialised object')
  new ObjectSkipper(cursor).item(0)
}
