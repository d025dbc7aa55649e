import { CertloopError } from '@certloop/contract'

const tooMany = (given: number, allowed: number): CertloopError =>
  new CertloopError('LIMIT_EXCEEDED', `Opening the file takes ${given} password iterations or more, all tries of passwords counted; at most ${allowed} are allowed.`, { given, allowed })

/**
 * What opening one file may cost, in digests made one after another: every derivation counts what it really does, so
 * that of PKCS#12 for 3DES three times its iterations, and every form of every password that is tried counts anew.
 */
export class IterationBudget {
  readonly #allowed: number
  #spent = 0
  constructor(allowed: number) { this.#allowed = allowed }

  /** Refuses what can't be afforded, before any of it is done. @throws CertloopError LIMIT_EXCEEDED */
  expect(iterations: number): void {
    if (this.#spent + iterations > this.#allowed) throw tooMany(this.#spent + iterations, this.#allowed)
  }
  /** To be called before each derivation. @throws CertloopError LIMIT_EXCEEDED */
  spend(iterations: number): void {
    this.expect(iterations)
    this.#spent += iterations
  }
}
