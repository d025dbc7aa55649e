import { endianness } from 'node:os'
import koffi from 'koffi'
import { CertloopError } from '@certloop/contract'

/**
 * How the C structures of PKCS#11 lie in memory. The standard packs them to one byte on Windows and leaves them to the
 * compiler elsewhere; CK_ULONG is a C long. Pointers have 8 bytes: only 64-bit little-endian machines are supported.
 * Tried on Linux x64; linux-arm64 and macOS follow the same rules, Windows is written from the standard.
 */
export interface Layout { ulong: 4 | 8; packed: boolean }

/** @throws CertloopError PKCS11_UNAVAILABLE for a machine whose layout is not known here */
export function layoutOf(platform: string, arch: string, order: 'LE' | 'BE' = 'LE'): Layout {
  if (!['x64', 'arm64', 'riscv64', 'loong64'].includes(arch) || order !== 'LE') throw new CertloopError('PKCS11_UNAVAILABLE', `PKCS#11 is not supported on ${platform} ${arch}; use a 64-bit x86 or ARM machine.`)
  return platform === 'win32' ? { ulong: 4, packed: true } : { ulong: 8, packed: false }
}

export const thisLayout = (): Layout => layoutOf(process.platform, process.arch, endianness())

export type Field = 'ulong' | 'pointer' | number

/** Offsets of the fields, and the size last. A number is that many bytes. */
export function offsetsOf({ ulong, packed }: Layout, fields: readonly Field[]): number[] {
  const offsets: number[] = []
  let at = 0
  let widest = 1
  const align = (width: number) => { if (!packed) at = Math.ceil(at / width) * width }
  for (const field of fields) {
    const size = field === 'ulong' ? ulong : field === 'pointer' ? 8 : field
    const width = typeof field === 'number' ? 1 : size
    align(width)
    widest = Math.max(widest, width)
    offsets.push(at)
    at += size
  }
  align(widest)
  return [...offsets, at]
}

const attributeFields = ['ulong', 'pointer', 'ulong'] as const
const initializeFields = ['pointer', 'pointer', 'pointer', 'pointer', 'ulong', 'pointer'] as const
const tokenInfoFields = [32, 32, 16, 16, 'ulong', 'ulong', 'ulong', 'ulong', 'ulong', 'ulong', 'ulong', 'ulong', 'ulong', 'ulong', 'ulong', 2, 2, 16] as const
const moduleInfoFields = [2, 32, 'ulong', 32, 2] as const

/** Memory for a call: the bytes of a structure, and what it points to, which has to stay alive until the call is over. */
export interface Memory { bytes: Buffer; keep: readonly Buffer[] }
export interface Attribute { type: number; value: Buffer }

export interface TokenFacts {
  label: string
  manufacturer: string
  model: string
  serialNumber: string
  flags: number
  hardwareVersion: string
  firmwareVersion: string
}

/** Encoders and decoders for one layout. */
export function createLayout(layout: Layout) {
  const { ulong } = layout
  const at = (fields: readonly Field[], index: number): number => offsetsOf(layout, fields)[index] ?? 0
  const sizeOf = (fields: readonly Field[]): number => at(fields, fields.length)
  const [pointerAt, lengthAt, attributeSize] = [at(attributeFields, 1), at(attributeFields, 2), sizeOf(attributeFields)]

  function writeUlong(bytes: Buffer, value: number | bigint, offset = 0): void {
    if (ulong === 8) bytes.writeBigUInt64LE(BigInt(value), offset)
    else bytes.writeUInt32LE(Number(value), offset)
  }
  const readHandle = (bytes: Buffer, offset = 0): bigint => (ulong === 8 ? bytes.readBigUInt64LE(offset) : BigInt(bytes.readUInt32LE(offset)))
  /** undefined for CK_UNAVAILABLE_INFORMATION, and for what is too large to be meant. */
  function readCount(bytes: Buffer, offset = 0): number | undefined {
    const value = Number(readHandle(bytes, offset))
    return value > 0xffff_fffe ? undefined : value
  }
  function ulongBytes(value: number | bigint): Buffer {
    const bytes = Buffer.alloc(ulong)
    writeUlong(bytes, value)
    return bytes
  }
  /** CK_ATTRIBUTE and CK_MECHANISM have the same form: kind, pointer, length. */
  function template(attributes: readonly Attribute[]): Memory {
    const bytes = Buffer.alloc(Math.max(1, attributes.length) * attributeSize)
    attributes.forEach(({ type, value }, index) => {
      const start = index * attributeSize
      writeUlong(bytes, type, start)
      if (value.length > 0) bytes.writeBigUInt64LE(koffi.address(value), start + pointerAt)
      writeUlong(bytes, value.length, start + lengthAt)
    })
    return { bytes, keep: attributes.map(({ value }) => value) }
  }
  const text = (bytes: Buffer, fields: readonly Field[], index: number): string => {
    const start = at(fields, index)
    return bytes.subarray(start, start + Number(fields[index])).toString('utf8').replaceAll('\0', ' ').trim()
  }
  const version = (bytes: Buffer, fields: readonly Field[], index: number): string => `${bytes[at(fields, index)]}.${bytes[at(fields, index) + 1]}`

  return {
    ulongSize: ulong, writeUlong, readHandle, readCount, ulongBytes, template,
    mechanism: (type: number, parameter: Buffer = Buffer.alloc(0)): Memory => template([{ type, value: parameter }]),
    /** The lengths that the module wrote into a template; undefined where it has none to give. */
    lengths: ({ bytes, keep }: Memory): (number | undefined)[] => keep.map((_, index) => readCount(bytes, index * attributeSize + lengthAt)),
    /** CK_C_INITIALIZE_ARGS without functions of ours. */
    initializeArguments(flags: number): Buffer {
      const bytes = Buffer.alloc(sizeOf(initializeFields))
      writeUlong(bytes, flags, at(initializeFields, 4))
      return bytes
    },
    /** Where in CK_FUNCTION_LIST the function with this number is. */
    functionOffset: (index: number): number => at([2, 'pointer'], 1) + index * 8,
    tokenInfoSize: sizeOf(tokenInfoFields),
    tokenFacts: (bytes: Buffer): TokenFacts => ({
      label: text(bytes, tokenInfoFields, 0), manufacturer: text(bytes, tokenInfoFields, 1), model: text(bytes, tokenInfoFields, 2), serialNumber: text(bytes, tokenInfoFields, 3),
      flags: readCount(bytes, at(tokenInfoFields, 4)) ?? 0,
      hardwareVersion: version(bytes, tokenInfoFields, 15), firmwareVersion: version(bytes, tokenInfoFields, 16),
    }),
    moduleInfoSize: sizeOf(moduleInfoFields),
    moduleFacts: (bytes: Buffer): { name: string; version: string } => ({ name: `${text(bytes, moduleInfoFields, 1)} ${text(bytes, moduleInfoFields, 3)}`.trim(), version: version(bytes, moduleInfoFields, 4) }),
  }
}

export type NativeLayout = ReturnType<typeof createLayout>
