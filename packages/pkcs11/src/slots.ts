import { CertloopError } from '@certloop/contract'
import { CkrError, TokenMissing, ckr } from './ckr.ts'
import { flag } from './constants.ts'
import type { TokenFacts } from './layout.ts'
import type { Module } from './module.ts'

const mostSlots = 1_024
const mostMechanisms = 4_096

export async function tokenFacts(module: Module, slot: bigint, milliseconds: number): Promise<TokenFacts> {
  const bytes = Buffer.alloc(module.layout.tokenInfoSize)
  await module.call('C_GetTokenInfo', milliseconds, [slot, bytes])
  return module.layout.tokenFacts(bytes)
}

/** Calls a function that gives its list in two steps: how many, then which. */
async function listOf(module: Module, most: number, ask: (list: Buffer | null, count: Buffer) => Promise<void>): Promise<bigint[]> {
  const { layout } = module
  for (let attempt = 0; ; attempt++) {
    const count = layout.ulongBytes(0)
    await ask(null, count)
    const room = layout.readCount(count) ?? 0
    if (room > most) throw new CertloopError('PKCS11_UNAVAILABLE', `The PKCS#11 module lists ${room} entries where at most ${most} were expected.`)
    if (room === 0) return []
    const list = Buffer.alloc(room * layout.ulongSize)
    try {
      await ask(list, count)
      return Array.from({ length: Math.min(room, layout.readCount(count) ?? 0) }, (_, index) => layout.readHandle(list, index * layout.ulongSize))
    } catch (error) {
      if (!(error instanceof CkrError) || error.value !== ckr.bufferTooSmall || attempt === 3) throw error // it grew in between
    }
  }
}

/** Numbers of the mechanisms that the token has. */
export async function mechanismsOf(module: Module, slot: bigint, milliseconds: number): Promise<Set<number>> {
  return new Set((await listOf(module, mostMechanisms, (list, count) => module.call('C_GetMechanismList', milliseconds, [slot, list, count]))).map(Number))
}

/** @throws TokenMissing; CertloopError PKCS11_UNAVAILABLE when several tokens have the label */
export async function findSlot(module: Module, milliseconds: number, { tokenLabel, slot: wanted }: { tokenLabel: string | undefined; slot: number | undefined }): Promise<bigint> {
  const slots = await listOf(module, mostSlots, (list, count) => module.call('C_GetSlotList', milliseconds, [1, list, count]))
  const labels: string[] = []
  const found: bigint[] = []
  for (const slot of slots) {
    if (wanted !== undefined && slot !== BigInt(wanted)) continue
    const { label, flags } = await tokenFacts(module, slot, milliseconds)
    if (!(flags & flag.tokenInitialized)) continue
    labels.push(label)
    if (tokenLabel === undefined || label === tokenLabel) found.push(slot)
  }
  const [slot, second] = found
  if (slot === undefined) {
    const seen = labels.length === 0 ? 'It shows no token' : `It shows ${labels.slice(0, 10).map((label) => `"${label}"`).join(', ')}`
    throw new TokenMissing(`The PKCS#11 module ${module.path} has no token ${nameOf(tokenLabel, wanted)}. ${seen}${wanted === undefined ? '' : ' in this slot'}.`)
  }
  if (second !== undefined) throw new CertloopError('PKCS11_UNAVAILABLE', `${found.length} tokens have the label "${tokenLabel}": name the slot too (${found.join(', ')}).`)
  return slot
}

function nameOf(label: string | undefined, slot: number | undefined): string {
  return [...(label === undefined ? [] : [`labelled "${label}"`]), ...(slot === undefined ? [] : [`in slot ${slot}`])].join(' ')
}
