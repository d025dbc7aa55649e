import { realpathSync, statSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import koffi, { type KoffiFunc } from 'koffi'
import { CertloopError } from '@certloop/contract'
import { CallTimeout, CkrError, ckr } from './ckr.ts'
import { flag, functionIndex, type FunctionName } from './constants.ts'
import { createLayout, thisLayout, type Memory, type NativeLayout } from './layout.ts'
import { acquireThread, noteHanging, releaseThread } from './threads.ts'

type NativeFunction = KoffiFunc<(...args: unknown[]) => number>

const [number, pointer] = ['ulong', 'void *']
const argumentsOf: Record<FunctionName, readonly string[]> = {
  C_Initialize: [pointer], C_Finalize: [pointer], C_GetInfo: [pointer], C_GetSlotList: ['uint8_t', pointer, pointer], C_GetTokenInfo: [number, pointer],
  C_GetMechanismList: [number, pointer, pointer], C_OpenSession: [number, number, pointer, pointer, pointer], C_CloseSession: [number],
  C_Login: [number, number, pointer, number], C_DestroyObject: [number, number], C_GetAttributeValue: [number, number, pointer, number],
  C_FindObjectsInit: [number, pointer, number], C_FindObjects: [number, pointer, number, pointer], C_FindObjectsFinal: [number],
  C_SignInit: [number, pointer, number], C_Sign: [number, pointer, number, pointer, pointer],
  C_GenerateKeyPair: [number, pointer, pointer, number, pointer, number, pointer, pointer],
}

/** Modules run on this stack: koffi's own 128 KiB is less than a C library may expect of a thread. */
const stackBytes = 1_048_576

const unavailable = (message: string, cause?: unknown): CertloopError => new CertloopError('PKCS11_UNAVAILABLE', message, {}, cause)

/** At most this often is a module started afresh to win a lost token back: it ends the sessions of its other tokens too. */
const restartGapMs = 2_000

/** One PKCS#11 library, loaded once per process and initialised while somebody uses it. */
export class Module {
  readonly path: string
  readonly layout: NativeLayout
  readonly #functions: Readonly<Record<FunctionName, NativeFunction>>
  /** Arguments of calls under way: native code writes into them, so they have to stay where they are. */
  readonly #underWay = new Set<readonly unknown[]>()
  #users = 0
  /** 'ours': C_Initialize was called here; 'foreign': by somebody else in this process, who also ends it. */
  #state: 'ended' | 'ours' | 'foreign' = 'ended'
  #turn: Promise<unknown> = Promise.resolve()
  #restartedAt = Number.NEGATIVE_INFINITY
  #restarting: Promise<void> | undefined
  #tellIdle: () => void = () => {}
  /** Grows when the module is initialised or ended; handles of an earlier one are void. */
  generation = 0

  constructor(path: string, layout: NativeLayout, functions: Readonly<Record<FunctionName, NativeFunction>>) {
    this.path = path
    this.layout = layout
    this.#functions = functions
  }

  /**
   * One call in another thread.
   * @param generation that the handles among the arguments belong to; after a restart their numbers may be those of others
   * @throws CkrError what the module says; CallTimeout when it does not come back in time; CertloopError PKCS11_UNAVAILABLE
   * when no thread gets free
   */
  async call(name: FunctionName, milliseconds: number, args: readonly unknown[], keep: readonly Memory[] = [], generation?: number): Promise<void> {
    for (;;) {
      await this.#restarting
      await acquireThread(milliseconds)
      if (!this.#restarting) break
      releaseThread()
    }
    if (generation !== undefined && generation !== this.generation) {
      releaseThread()
      throw new CkrError(ckr.sessionHandleInvalid, name)
    }
    await this.#begin(name, milliseconds, args, keep)
  }

  /** Begins a call in a thread that was acquired. */
  async #begin(name: FunctionName, milliseconds: number, args: readonly unknown[], keep: readonly Memory[] = []): Promise<void> {
    const used = [...args, keep]
    this.#underWay.add(used)
    await new Promise<void>((resolve, reject) => {
      let comeBack = () => {}
      const timer = setTimeout(() => {
        const isBack = noteHanging()
        reject(new CallTimeout(name, milliseconds, new Promise((back) => { comeBack = () => { isBack(); back() } })))
      }, milliseconds)
      const done = (error: unknown, value: number | bigint) => {
        clearTimeout(timer)
        this.#underWay.delete(used)
        if (this.#underWay.size === 0) this.#tellIdle()
        releaseThread()
        comeBack()
        if (error) reject(unavailable(`${name} could not be called.`, error))
        else if (Number(value) === ckr.ok) resolve()
        else reject(new CkrError(Number(value), name))
      }
      this.#functions[name].async(...args, done)
    })
  }

  /** Work on the module as a whole and logins go one after the other. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.then(() => undefined, () => undefined) // the caller of `work` gets its error
    return result
  }

  /** Initialises at the first user. Each one calls release() once. @throws CertloopError PKCS11_UNAVAILABLE */
  retain(milliseconds: number): Promise<void> {
    return this.exclusive(async () => {
      if (this.#state === 'ended') await this.#initialize(milliseconds)
      this.#users++
    })
  }

  /** C_Finalize after the last user, unless a call hangs or the module is somebody else's too. */
  release(milliseconds: number): Promise<void> {
    return this.exclusive(async () => {
      if (--this.#users === 0) await this.#finalize(milliseconds)
    })
  }

  /**
   * Ends and begins anew: clients of network HSMs, and SoftHSM, see a returned token only then. Calls wait meanwhile.
   * True as well when somebody else did since `generation`. False when that must not be: a call hangs, it was just
   * done, or the module is somebody else's too.
   */
  restart(generation: number, milliseconds: number): Promise<boolean> {
    return this.exclusive(async () => {
      if (generation !== this.generation) return true
      if (this.#state === 'foreign' || performance.now() - this.#restartedAt < restartGapMs) return false
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#restarting = promise
      try {
        if (!await this.#isIdleWithin(milliseconds)) return false
        this.#restartedAt = performance.now()
        await this.#finalize(milliseconds)
        await this.#initialize(milliseconds)
        return true
      } finally {
        this.#restarting = undefined
        resolve()
      }
    })
  }

  async #isIdleWithin(milliseconds: number): Promise<boolean> {
    if (this.#underWay.size === 0) return true
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const timer = setTimeout(() => { resolve(false) }, milliseconds)
    this.#tellIdle = () => { resolve(true) }
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      this.#tellIdle = () => {}
    }
  }

  /** A call that belongs to starting and ending, and so does not wait for it. */
  async #callInside(name: 'C_Initialize' | 'C_Finalize', milliseconds: number, args: readonly unknown[]): Promise<void> {
    await acquireThread(milliseconds)
    await this.#begin(name, milliseconds, args)
  }

  async #initialize(milliseconds: number): Promise<void> {
    if (this.#underWay.size > 0) throw unavailable(`An earlier call of the PKCS#11 module ${this.path} still hangs. Restart Certloop once the token answers again.`)
    try {
      await this.#callInside('C_Initialize', milliseconds, [this.layout.initializeArguments(flag.osLockingOk)])
      this.#state = 'ours'
    } catch (error) {
      if (!(error instanceof CkrError) || error.value !== ckr.cryptokiAlreadyInitialized) throw error
      this.#state = 'foreign'
    }
    this.generation++
  }

  async #finalize(milliseconds: number): Promise<void> {
    if (this.#state === 'ours' && this.#underWay.size > 0) return // C_Finalize while another thread is inside is undefined
    const isOurs = this.#state === 'ours'
    this.#state = 'ended'
    this.generation++
    if (!isOurs) return
    try {
      await this.#callInside('C_Finalize', milliseconds, [null])
    } catch (error) {
      if (!(error instanceof CkrError) || error.value !== ckr.cryptokiNotInitialized) throw error // somebody else ended it
    }
  }
}

const loaded = new Map<string, Module>()
/** koffi unloads a library that nothing refers to, and does not know of functions taken from its list: this keeps them. */
const kept = new Set<unknown>()

/** The module at this path, loaded but not initialised. @throws CertloopError PKCS11_UNAVAILABLE */
export function loadModule(modulePath: string): Module {
  if (!isAbsolute(modulePath)) throw unavailable(`The path of the PKCS#11 module has to be absolute: "${modulePath}".`)
  const path = realPath(modulePath)
  const known = loaded.get(path)
  if (known) return known
  const layout = createLayout(thisLayout())
  const module = new Module(path, layout, functionsOf(modulePath, path, layout))
  loaded.set(path, module)
  return module
}

function realPath(modulePath: string): string {
  try {
    const path = realpathSync(modulePath)
    if (statSync(path).isFile()) return path
  } catch (error) {
    throw unavailable(`There is no PKCS#11 module at ${modulePath}.`, error)
  }
  throw unavailable(`The path of the PKCS#11 module, ${modulePath}, is not that of a file.`)
}

function functionsOf(modulePath: string, path: string, layout: NativeLayout): Record<FunctionName, NativeFunction> {
  const getFunctionList = entryOf(modulePath, path)
  const out = Buffer.alloc(8)
  const value = Number(getFunctionList(out))
  if (value !== ckr.ok) throw new CkrError(value, 'C_GetFunctionList')
  const list = out.readBigUInt64LE()
  if (list === 0n) throw unavailable(`The PKCS#11 module ${modulePath} gave no list of its functions.`)
  const functionAt = (name: FunctionName): NativeFunction => {
    const address = koffi.decode(list, layout.functionOffset(functionIndex[name]), 'uintptr_t') as number | bigint
    if (BigInt(address) === 0n) throw unavailable(`The PKCS#11 module ${modulePath} lacks the function ${name}.`)
    return koffi.decode(BigInt(address), koffi.proto(number, [...argumentsOf[name]])) as NativeFunction
  }
  const names = Object.keys(functionIndex) as FunctionName[]
  return Object.fromEntries(names.map((name) => [name, functionAt(name)])) as Record<FunctionName, NativeFunction>
}

function entryOf(modulePath: string, path: string): (out: Buffer) => number | bigint {
  if (Number(koffi.config().async_stack_size) < stackBytes) raiseStack()
  let library
  try {
    // Node exports the symbols of its own OpenSSL. Without "deep" a module built on another OpenSSL gets those mixed with its own.
    library = koffi.load(path, { deep: true })
  } catch (error) {
    throw unavailable(`${modulePath} can not be loaded as a PKCS#11 module: ${plain(error)}. It has to be a shared library for ${process.platform} ${process.arch}.`, error)
  }
  try {
    const getFunctionList = library.func('C_GetFunctionList', number, [pointer])
    kept.add(library).add(getFunctionList)
    return getFunctionList
  } catch (error) {
    throw unavailable(`${modulePath} is a shared library, but not a PKCS#11 module: it has no C_GetFunctionList.`, error)
  }
}

function raiseStack(): void {
  try {
    koffi.config({ async_stack_size: stackBytes })
  } catch (error) {
    // koffi refuses once any library is loaded; then this process was set up without thought of PKCS#11.
    throw unavailable('The stack for PKCS#11 calls can not be set, because another native library was loaded first.', error)
  }
}

const plain = (error: unknown): string => (error instanceof Error ? error.message : String(error)).replace(/\.$/, '')
