import { createHmac, randomBytes } from 'node:crypto'
import { CertloopError } from '@certloop/contract'
import { CallTimeout, CkrError, ckr, meansSessionLost } from './ckr.ts'
import { flag, type FunctionName } from './constants.ts'
import type { Memory, TokenFacts } from './layout.ts'
import type { Module } from './module.ts'
import { Semaphore } from './semaphore.ts'
import { findSlot, tokenFacts } from './slots.ts'

export interface SessionOptions {
  tokenLabel: string | undefined
  slot: number | undefined
  pin: string
  readOnly: boolean
  sessions: number
  callTimeoutMs: number
  tryRefusedPin: boolean
}

/** A session lent to one piece of work: nobody else uses it meanwhile. */
export interface Session {
  readonly module: Module
  readonly slot: bigint
  /** Object handles found under another number are void. */
  readonly epoch: string
  /** Calls with the handle of the session put before the arguments. */
  call(name: FunctionName, args: readonly unknown[], keep?: readonly Memory[], milliseconds?: number): Promise<void>
}
interface OpenSession extends Session { readonly login: number }
interface Login { number: number; done?: Promise<void> | undefined; anchor?: OpenSession }

const userTypeUser = 1
const pinKey = randomBytes(32)
/** PINs that a token refused, as digests under a key of this process: asking again could lock the token. */
const refusedPins = new Set<string>()

/** Sessions with one token: a bounded number, logged in once, opened again after the token was away. */
export class Sessions {
  readonly #module: Module
  readonly #options: SessionOptions
  readonly #permits: Semaphore
  readonly #idle: OpenSession[] = []
  readonly #closing = new Set<Promise<void>>()
  #login: Login = { number: 1 }
  #slot: bigint | undefined
  #refusal: CertloopError | undefined
  #isClosed = false

  constructor(module: Module, options: SessionOptions) {
    this.#module = module
    this.#options = options
    this.#permits = new Semaphore(options.sessions, 'sessions of the token')
  }

  /**
   * Lends a session to `work`. When it turns out that the token had been away, the work is done again with a new
   * session and login: once, and once more after a restart of the module. A refused PIN ends everything.
   * @param mayRepeat whether the work may be done again after this error
   * @throws CertloopError PKCS11_UNAVAILABLE, PKCS11_PIN_WRONG, and what `work` throws
   */
  async run<T>(work: (session: Session) => Promise<T>, mayRepeat: (error: unknown) => boolean = () => true): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const { number } = this.#login
      const { generation } = this.#module
      try {
        return await this.#runOnce(work)
      } catch (error) {
        if (attempt === 2 || !meansSessionLost(error) || !mayRepeat(error)) throw error
        if (attempt === 1 && !await this.#module.restart(generation, this.#options.callTimeoutMs)) throw error
        this.#forget(number)
      }
    }
  }

  /** Opens one session, so that wrong settings show at once. */
  async open(): Promise<void> {
    await this.#runOnce(() => Promise.resolve())
  }

  /** Waits for work under way, closes the sessions. What hangs is left to itself. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#permits.drained(this.#options.callTimeoutMs)
    this.#forget(this.#login.number)
    await Promise.all(this.#closing)
  }

  async #runOnce<T>(work: (session: Session) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new CertloopError('PKCS11_UNAVAILABLE', 'The connection to the token was closed.')
    await this.#permits.acquire(this.#options.callTimeoutMs)
    let session: OpenSession | undefined
    try {
      if (this.#refusal) throw this.#refusal
      session = this.#takeIdle() ?? await this.#openSession()
      const result = await work(session)
      if (this.#isCurrent(session)) this.#idle.push(session)
      else this.#discard(session)
      this.#permits.release()
      return result
    } catch (error) {
      // A session that failed is not used again, and one inside a call that hangs is not even closed before that ends.
      void (error instanceof CallTimeout ? error.returned : Promise.resolve()).then(() => {
        if (session) this.#discard(session)
        this.#permits.release()
      })
      throw error
    }
  }

  #isCurrent(session: OpenSession): boolean {
    return session.login === this.#login.number && session.epoch === this.#epoch()
  }

  #epoch(): string {
    return `${this.#module.generation}.${this.#login.number}`
  }

  #takeIdle(): OpenSession | undefined {
    for (let session = this.#idle.pop(); session; session = this.#idle.pop()) {
      if (this.#isCurrent(session)) return session
      this.#discard(session)
    }
    return undefined
  }

  /** All sessions of this login are void. Does nothing when somebody has begun a newer one. */
  #forget(login: number): void {
    if (login !== this.#login.number) return
    const { anchor } = this.#login
    this.#login = { number: login + 1 }
    if (anchor) this.#discard(anchor)
    this.#slot = undefined
    for (const session of this.#idle.splice(0)) this.#discard(session)
  }

  #discard(session: OpenSession): void {
    const closing = session.call('C_CloseSession', [])
      .catch(() => undefined) // a session that broke can seldom be closed; nothing depends on it
      .finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }

  async #openSession(): Promise<OpenSession> {
    const login = this.#login
    login.done ??= this.#beginLogin(login)
    try {
      await login.done
    } catch (error) {
      login.done = undefined
      throw error
    }
    return this.#openPlain(login.number)
  }

  /** The session that logs in is never lent and stays open: a token logs out whoever closes their last session. */
  async #beginLogin(login: Login): Promise<void> {
    const anchor = await this.#openPlain(login.number)
    try {
      await this.#logIn(anchor)
      login.anchor = anchor
    } catch (error) {
      if (!(error instanceof CallTimeout)) this.#discard(anchor)
      throw error
    }
    if (login !== this.#login) this.#discard(anchor) // forgotten meanwhile
  }

  async #openPlain(login: number): Promise<OpenSession> {
    const { readOnly, callTimeoutMs } = this.#options
    const module = this.#module
    const { generation } = module
    const epoch = this.#epoch()
    const slot = this.#slot ??= await findSlot(module, callTimeoutMs, this.#options)
    const out = module.layout.ulongBytes(0)
    await module.call('C_OpenSession', callTimeoutMs, [slot, flag.serialSession | (readOnly ? 0 : flag.rwSession), null, null, out], [], generation)
    const handle = module.layout.readHandle(out)
    return { module, slot, epoch, login, call: (name, args, keep, milliseconds = callTimeoutMs) => module.call(name, milliseconds, [handle, ...args], keep, generation) }
  }

  #logIn(session: Session): Promise<void> {
    return this.#module.exclusive(async () => {
      const facts = await tokenFacts(this.#module, session.slot, this.#options.callTimeoutMs)
      if (!(facts.flags & flag.loginRequired)) return
      const pinName = createHmac('sha256', pinKey).update(JSON.stringify([this.#module.path, facts.serialNumber, facts.label, this.#options.pin])).digest('hex')
      if (!this.#options.tryRefusedPin) assertMayTry(facts, refusedPins.has(pinName))
      try {
        await this.#callLogin(session)
        refusedPins.delete(pinName)
      } catch (error) {
        if (!(error instanceof CkrError) || error.code !== 'PKCS11_PIN_WRONG') throw error
        refusedPins.add(pinName)
        this.#refusal = new CertloopError('PKCS11_PIN_WRONG', `The token "${facts.label}" refused the PIN. ${error.message} It is not tried again.`, error.facts, error)
        throw this.#refusal
      }
    })
  }

  async #callLogin(session: Session): Promise<void> {
    const pin = Buffer.from(this.#options.pin, 'utf8')
    try {
      await session.call('C_Login', [userTypeUser, pin, pin.length])
    } catch (error) {
      if (!(error instanceof CkrError) || error.value !== ckr.userAlreadyLoggedIn) throw error
    }
  }
}

function assertMayTry({ label, flags }: TokenFacts, wasRefused: boolean): void {
  const refuse = (why: string): never => { throw new CertloopError('PKCS11_PIN_WRONG', `The PIN was not given to the token "${label}": ${why}`) }
  if (flags & flag.userPinLocked) refuse('it is locked after too many wrong tries. The security officer of the token has to reset the PIN.')
  if (wasRefused) refuse('the token refused this PIN before. Correct the PIN in the settings.')
  if (flags & flag.userPinFinalTry) refuse('one more wrong try would lock it. Log in once with the tool of the token, then try again.')
}
