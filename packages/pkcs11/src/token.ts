import { CertloopError, type KeyAlgorithm } from '@certloop/contract'
import type { Signer } from '@certloop/pki'
import { CallTimeout, meansNothingDone } from './ckr.ts'
import { flag } from './constants.ts'
import { algorithmsOf, generateInToken, type NewKey } from './key-generation.ts'
import { assertReference, findKeyObjects, findPrivateKey, readKey, type KeyReference, type TokenKey } from './keys.ts'
import { loadModule } from './module.ts'
import { Sessions, type Session } from './sessions.ts'
import { mechanismsOf, tokenFacts } from './slots.ts'
import { schemeOf, type SignerOptions } from './signature-scheme.ts'
import { createTokenSigner } from './token-signer.ts'

export interface TokenSettings {
  /** Absolute path of the PKCS#11 library. */
  modulePath: string
  /** Which token: by label, by slot id, or by both. One of them is needed. */
  tokenLabel?: string
  slot?: number
  /** User PIN. */
  pin: string
  /** Sessions that can't make or destroy keys. Default false. */
  readOnly?: boolean
  /** Sessions lent to work at most, 1 to 64, beside the one that is logged in; default 4. How many calls run at once depends on UV_THREADPOOL_SIZE too, less two. */
  sessions?: number
  /** How long one call of the module may take, or wait for a session or thread; default 30,000. */
  callTimeoutMs?: number
  /** The same for making a key; default 300,000: a smart card needs minutes for RSA 4096. */
  generateTimeoutMs?: number
  /** Gives the token a PIN that it refused before in this process, or though one more wrong one would lock it: when a person asks for that. */
  tryRefusedPin?: boolean
}

export interface TokenInfo {
  module: { name: string; version: string }
  label: string
  manufacturer: string
  model: string
  serialNumber: string
  firmwareVersion: string
  hardwareVersion: string
  slot: string
  isWriteProtected: boolean
  /** low: a wrong PIN was given since the last right one; final-try: one more locks the token. */
  pin: 'ok' | 'low' | 'final-try' | 'locked'
  /** Kinds of keys that it can make. */
  algorithms: KeyAlgorithm[]
}

export interface UsableKey extends TokenKey {
  spki: Buffer
  /** Several signers may work at once. @throws CertloopError KEY_ALGORITHM_UNSUPPORTED */
  signer(options?: SignerOptions): Signer
}

/**
 * A PKCS#11 token, logged in. Every method may throw CertloopError PKCS11_UNAVAILABLE (gone, hanging, refusing; the
 * name of the return value is in facts.ckr) and PKCS11_PIN_WRONG; after the latter the token is not asked again.
 */
export interface Token {
  info(): Promise<TokenInfo>
  /** All private keys, also those that can't be used. */
  listKeys(): Promise<TokenKey[]>
  /** A new pair that never leaves the token. @throws CertloopError KEY_ALGORITHM_UNSUPPORTED, INPUT_INVALID, ACTION_NOT_POSSIBLE when label or id is taken */
  generateKey(key: NewKey): Promise<UsableKey>
  /** @throws CertloopError PKCS11_KEY_NOT_FOUND when none or several fit, or its public half is not to be had; INPUT_INVALID */
  findKey(reference: KeyReference): Promise<UsableKey>
  /** Destroys a private key and the public key with the same id. For good. @throws CertloopError PKCS11_KEY_NOT_FOUND */
  destroyKey(reference: KeyReference): Promise<void>
  /** Waits for calls under way, at most for the time of one call. May be called again. */
  close(): Promise<void>
}

/**
 * Loads the module (once per process), finds the token and logs in with the user PIN. Another Token of the same token
 * that is logged in already makes the module skip the check of the PIN.
 * @throws CertloopError PKCS11_UNAVAILABLE, PKCS11_PIN_WRONG, INPUT_INVALID
 */
export async function openToken(settings: TokenSettings): Promise<Token> {
  const { modulePath, tokenLabel, slot, pin, readOnly = false, sessions: count = 4, callTimeoutMs = 30_000, generateTimeoutMs = 300_000, tryRefusedPin = false } = settings
  if (tokenLabel === undefined && slot === undefined) throw new CertloopError('INPUT_INVALID', 'Name the token by its label or slot.')
  if (!Number.isInteger(count) || count < 1 || count > 64) throw new CertloopError('INPUT_INVALID', 'The number of sessions with a token is 1 to 64.')
  const module = loadModule(modulePath)
  await module.retain(callTimeoutMs)
  const sessions = new Sessions(module, { tokenLabel, slot, pin, readOnly, sessions: count, callTimeoutMs, tryRefusedPin })
  let closing: Promise<void> | undefined
  const close = () => closing ??= sessions.close().then(() => module.release(callTimeoutMs))
  try {
    await sessions.open()
  } catch (error) {
    await close()
    throw error
  }
  return { ...keysOf(sessions, callTimeoutMs, generateTimeoutMs), info: () => sessions.run((session) => infoOf(session, callTimeoutMs)), close }
}

function keysOf(sessions: Sessions, callTimeoutMs: number, generateTimeoutMs: number): Pick<Token, 'listKeys' | 'generateKey' | 'findKey' | 'destroyKey'> {
  async function usable(session: Session, handle: bigint): Promise<UsableKey> {
    const { handle: _handle, ...key } = await readKey(session, handle)
    const { spki, label, id, algorithm } = key
    if (!spki) throw new CertloopError('PKCS11_KEY_NOT_FOUND', key.problem ?? 'The public half of the key is not in the token.')
    const mechanisms = await mechanismsOf(session.module, session.slot, callTimeoutMs)
    const reference = { ...(label === '' ? {} : { label }), ...(id === '' ? {} : { id }) }
    const signer = (options: SignerOptions = {}) => createTokenSigner(sessions, { reference, algorithm, spki, handle, epoch: session.epoch }, schemeOf(algorithm, options, mechanisms, session.module.layout.ulongBytes))
    return { ...key, spki, signer }
  }

  return {
    listKeys: () => sessions.run(async (session) => {
      const keys: TokenKey[] = []
      for (const object of await findKeyObjects(session, 'privateKey', {})) {
        const { handle: _handle, ...key } = await readKey(session, object)
        keys.push(key)
      }
      return keys
    }),
    async generateKey(key) {
      let hasBegun = false
      const mayRepeat = (error: unknown) => !hasBegun || (!(error instanceof CallTimeout) && meansNothingDone(error))
      return await sessions.run(async (session) => {
        hasBegun = false
        const mechanisms = await mechanismsOf(session.module, session.slot, callTimeoutMs)
        const made = await generateInToken(session, key, { mechanisms, milliseconds: generateTimeoutMs, begun: () => { hasBegun = true } })
        return usable(session, made.handle)
      }, mayRepeat)
    },
    async findKey(reference) {
      assertReference(reference)
      return await sessions.run(async (session) => usable(session, await findPrivateKey(session, reference)))
    },
    async destroyKey(reference) {
      assertReference(reference)
      await sessions.run(async (session) => {
        const handle = await findPrivateKey(session, reference)
        const { id, label } = await readKey(session, handle)
        const publicHandles = id === '' ? [] : await findKeyObjects(session, 'publicKey', { id, label })
        for (const object of [handle, ...publicHandles]) await session.call('C_DestroyObject', [object])
      })
    },
  }
}

async function infoOf(session: Session, milliseconds: number): Promise<TokenInfo> {
  const { module, slot } = session
  const bytes = Buffer.alloc(module.layout.moduleInfoSize)
  await module.call('C_GetInfo', milliseconds, [bytes])
  const { flags, ...facts } = await tokenFacts(module, slot, milliseconds)
  const mechanisms = await mechanismsOf(module, slot, milliseconds)
  return {
    ...facts, module: module.layout.moduleFacts(bytes), slot: String(slot), isWriteProtected: Boolean(flags & flag.writeProtected),
    pin: pinState(flags), algorithms: algorithmsOf(mechanisms),
  }
}

function pinState(flags: number): TokenInfo['pin'] {
  if (flags & flag.userPinLocked) return 'locked'
  if (flags & flag.userPinFinalTry) return 'final-try'
  return flags & flag.userPinCountLow ? 'low' : 'ok'
}
