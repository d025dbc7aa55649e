import { CertloopError } from '@certloop/contract'

const mostWaiting = 10_000

/** A bounded number of permits; who comes too late waits in line, for a bounded time. */
export class Semaphore {
  #free: number
  readonly #size: number
  readonly #what: string
  #waiting: { grant: () => void }[] = []
  #whenAllFree: (() => void)[] = []
  /** @param what is given out, for the error: "sessions of the token" */
  constructor(size: number, what: string) {
    this.#size = size
    this.#free = size
    this.#what = what
  }
  /** @throws CertloopError PKCS11_UNAVAILABLE when none gets free in time, or too many wait already */
  acquire(milliseconds: number): Promise<void> {
    if (this.#free > 0) {
      this.#free--
      return Promise.resolve()
    }
    if (this.#waiting.length >= mostWaiting) return Promise.reject(new CertloopError('PKCS11_UNAVAILABLE', `More than ${mostWaiting} calls wait for ${this.#what}.`))
    return new Promise((resolve, reject) => {
      const waiter = { grant: () => { clearTimeout(timer); resolve() } }
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter)
        reject(new CertloopError('PKCS11_UNAVAILABLE', `None of the ${this.#size} ${this.#what} got free within ${milliseconds} ms: the token is too slow for the load, or hangs.`))
      }, milliseconds)
      this.#waiting.push(waiter)
    })
  }
  release(): void {
    const next = this.#waiting.shift()
    if (next) next.grant()
    else if (++this.#free === this.#size) for (const tell of this.#whenAllFree.splice(0)) tell()
  }
  /** Whether all permits came back within the time. */
  async drained(milliseconds: number): Promise<boolean> {
    if (this.#free === this.#size) return true
    return new Promise((resolve) => {
      const timer = setTimeout(() => { resolve(false) }, milliseconds)
      this.#whenAllFree.push(() => { clearTimeout(timer); resolve(true) })
    })
  }
}
