import { CertloopError } from '@certloop/contract'
import { DerCursor, DerError, readElement, readOid } from '../der/der-reader.ts'
import { oid } from '../oids.ts'
import { berToDer } from '../der/ber.ts'
import { IterationBudget } from './iteration-budget.ts'
import type { LockedKeyEntry, ReadLimits } from './keystore.ts'
import { collectBags, readPfx, type Bag, type Part, type Pfx } from './pkcs12-bags.ts'
import { fittingForm, macCost } from './pkcs12-mac.ts'
import { contentsPassword, macPassword, PasswordForms, type Pkcs12Password } from './pkcs12-password.ts'
import { isOldProtection, isSequence, openSealed, readSealed, sealedCost, sealedIterations, type Sealed } from './pkcs12-protection.ts'

/** One thing out of the file. */
export type Item =
  | { kind: 'key'; bag: Bag; privateKey: Buffer }
  | { kind: 'locked-key'; bag: Bag; reason: LockedKeyEntry['reason'] }
  | { kind: 'certificate'; bag: Bag; certificate: Buffer }
  | { kind: 'other'; bag: Bag; title: string }
  | { kind: 'part'; raw: Buffer; title: string }

/** How a file is protected, for writing it again the same way and for telling people. */
export interface Pkcs12Protection {
  /** Which password the file has: the one given, an empty one, none; unknown when none was given and something stayed closed. */
  password: 'given' | 'empty' | 'none' | 'unknown'
  /** unchecked: there is one, but no password to check it with. */
  mac: 'fits' | 'unchecked' | 'none'
  /** old: RC2, RC4 or 3DES with SHA-1; modern: PBES2; none: nothing is encrypted. */
  style: 'modern' | 'old' | 'none'
  /** Highest number of password iterations of a part; 0 without any. */
  iterations: number
}

export interface Opened { items: Item[]; protection: Pkcs12Protection }

const isUnreadable = (error: unknown): boolean => error instanceof DerError || (error instanceof CertloopError && error.code === 'KEY_ALGORITHM_UNSUPPORTED')

/** Whether a password was proven right, and the work that it is for. */
class Opening {
  readonly #limits: ReadLimits
  readonly #passwords: { mac: PasswordForms; contents: PasswordForms }
  readonly #given: { mac: string | null; contents: string | null }
  readonly #budget: IterationBudget
  /** What opening with the first form of the password costs at the least. */
  #expected = 0
  #highest = 0
  #proven = false
  #mac: Pkcs12Protection['mac'] = 'none'
  #sealed: Sealed[] = []
  /** The form that fitted was the one of no password at all. */
  #usedNone = false

  constructor(password: Pkcs12Password, limits: ReadLimits, budget: IterationBudget) {
    this.#limits = limits
    this.#given = { mac: macPassword(password), contents: contentsPassword(password) }
    // Apart even for one password: there are tools that encrypt with an empty one and check with none.
    this.#passwords = { mac: new PasswordForms(this.#given.mac), contents: new PasswordForms(this.#given.contents) }
    this.#budget = budget
  }

  async open(pfx: Pfx): Promise<Opened> {
    const visible: Bag[] = []
    for (const part of pfx.parts) if (part.kind === 'plain') collectBags(part.bytes, this.#limits, visible)
    this.#count(pfx, visible)
    await this.#checkMac(pfx)
    const items: Item[] = []
    const hidden: Bag[] = []
    for (const part of pfx.parts) await this.#openPart(part, hidden, items)
    if (visible.length + hidden.length + items.length > this.#limits.maxEntries) throw new CertloopError('LIMIT_EXCEEDED', `The file has more than ${this.#limits.maxEntries} entries.`, { allowed: this.#limits.maxEntries })
    this.#expected = 0
    for (const bag of [...visible, ...hidden]) if (bag.id === oid.shroudedKeyBag) this.#expectSealed(readSealed(bag.value))
    for (const bag of [...visible, ...hidden]) items.push(await this.#openBag(bag))
    this.#refuseIfNothingOpened(items)
    return { items, protection: this.#protection(items) }
  }

  #count(pfx: Pfx, visible: readonly Bag[]): void {
    if (pfx.mac) this.#expect(pfx.mac.iterations, macCost(pfx.mac))
    for (const part of pfx.parts) if (part.kind === 'encrypted') this.#expectSealed(part.sealed)
    for (const bag of visible) if (bag.id === oid.shroudedKeyBag) this.#expectSealed(readSealed(bag.value))
  }

  #expect(iterations: number, cost: number): void {
    this.#highest = Math.max(this.#highest, iterations)
    this.#expected += cost
    this.#budget.expect(this.#expected)
  }

  /** What can't be read will not be opened either. */
  #expectSealed(sealed: Sealed): void {
    try {
      this.#expect(sealedIterations(sealed), sealedCost(sealed))
    } catch (error) {
      if (!isUnreadable(error)) throw error
    }
  }

  async #checkMac({ mac, contents, parts }: Pfx): Promise<void> {
    if (!mac) return
    const form = await fittingForm(mac, contents, this.#passwords.mac, this.#budget)
    if (form) {
      this.#mac = 'fits'
      this.#proven = true
      this.#usedNone = form.length === 0 && mac.kind === 'pkcs12'
      return
    }
    if (this.#given.mac !== null) throw new CertloopError('PASSWORD_WRONG', 'The password does not fit the integrity check of the PKCS#12 file, or the file is damaged.')
    if (parts.some(({ kind }) => kind === 'encrypted')) {
      const isEmpty = await fittingForm(mac, contents, new PasswordForms(''), this.#budget)
      throw new CertloopError('PASSWORD_NEEDED', isEmpty ? 'The PKCS#12 file has an empty password, which has to be given as such.' : 'The PKCS#12 file is protected with a password.')
    }
    this.#mac = 'unchecked'
  }

  async #openPart(part: Part, bags: Bag[], items: Item[]): Promise<void> {
    if (part.kind === 'plain') return
    if (part.kind === 'unknown') {
      items.push({ kind: 'part', raw: part.raw, title: 'part of an unknown kind' })
      return
    }
    const plain = await this.#unseal(part.sealed, isSequence)
    if (plain === 'unreadable') items.push({ kind: 'part', raw: part.raw, title: 'part encrypted in an unknown way' })
    else if (plain) collectBags(plain, this.#limits, bags)
    else if (this.#given.contents === null) throw new CertloopError('PASSWORD_NEEDED', 'The PKCS#12 file is encrypted with a password.')
    else throw new CertloopError('PASSWORD_WRONG', this.#proven ? 'The password fits the integrity check of the PKCS#12 file, but does not open what is encrypted in it: that has a password of its own.' : 'The password does not open the PKCS#12 file, or the file is damaged.')
  }

  async #unseal(sealed: Sealed, isRight: (plain: Buffer) => boolean): Promise<Buffer | 'unreadable' | undefined> {
    try {
      const plain = await openSealed(sealed, this.#passwords.contents, { limits: this.#limits, budget: this.#budget }, isRight)
      if (plain) {
        this.#proven = true
        this.#sealed.push(sealed)
      }
      return plain
    } catch (error) {
      if (isUnreadable(error)) return 'unreadable'
      throw error
    }
  }

  async #openBag(bag: Bag): Promise<Item> {
    switch (bag.id) {
      case oid.keyBag: return { kind: 'key', bag, privateKey: bag.value.raw }
      case oid.shroudedKeyBag: return this.#openKey(bag)
      case oid.certBag: return certificateItem(bag)
      case oid.crlBag: return { kind: 'other', bag, title: 'CRL' }
      case oid.secretBag: return { kind: 'other', bag, title: 'secret key' }
      default: return { kind: 'other', bag, title: `entry of the unknown kind ${bag.id}` }
    }
  }

  async #openKey(bag: Bag): Promise<Item> {
    const plain = await this.#unseal(readSealed(bag.value), isSequence)
    if (plain === 'unreadable') return { kind: 'locked-key', bag, reason: 'unreadable' }
    if (plain) return { kind: 'key', bag, privateKey: berToDer(plain, this.#limits.maxBytes) }
    return { kind: 'locked-key', bag, reason: this.#given.contents === null ? 'no-password' : 'password-wrong' }
  }

  /** Keys may have passwords of their own; but when nothing at all fitted the password, it is wrong. */
  #refuseIfNothingOpened(items: readonly Item[]): void {
    if (this.#proven || !items.some((item) => item.kind === 'locked-key' && item.reason === 'password-wrong')) return
    throw new CertloopError('PASSWORD_WRONG', 'The password does not open the keys of the PKCS#12 file.')
  }

  #protection(items: readonly Item[]): Pkcs12Protection {
    const style = this.#sealed.length === 0 ? 'none' : this.#sealed.some(isOldProtection) ? 'old' : 'modern'
    return { password: this.#passwordKind(items), mac: this.#mac, style, iterations: this.#highest }
  }

  #passwordKind(items: readonly Item[]): Pkcs12Protection['password'] {
    if (this.#mac === 'unchecked' || items.some((item) => item.kind === 'locked-key' && item.reason === 'no-password')) return 'unknown'
    if (this.#usedNone || (this.#sealed.length === 0 && this.#mac === 'none')) return 'none'
    const password = this.#sealed.length > 0 ? this.#given.contents : this.#given.mac
    return password === '' ? 'empty' : password === null ? 'none' : 'given'
  }
}

function certificateItem(bag: Bag): Item {
  const cursor = new DerCursor(bag.value)
  const type = readOid(cursor.take(0x06))
  if (type !== oid.x509Certificate) return { kind: 'other', bag, title: 'certificate that is not X.509' }
  const value = readElement(cursor.take(0xa0).content)
  if (value.tag !== 0x04) throw new DerError('an octet string is missing')
  return { kind: 'certificate', bag, certificate: value.content }
}

/**
 * Takes a PKCS#12 file apart and opens what the password opens.
 * @param budget that of the file, when several passwords are tried on it
 * @throws CertloopError KEYSTORE_INVALID, PASSWORD_WRONG, PASSWORD_NEEDED, LIMIT_EXCEEDED
 */
export async function openPkcs12(bytes: Uint8Array, password: Pkcs12Password, limits: ReadLimits, budget = new IterationBudget(limits.maxIterations)): Promise<Opened> {
  return readably(async () => new Opening(password, limits, budget).open(readPfx(bytes, limits)))
}

/** @throws CertloopError KEYSTORE_INVALID instead of DerError */
export async function readably<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof DerError) throw new CertloopError('KEYSTORE_INVALID', `The PKCS#12 file can not be read: ${error.message}.`, {}, error)
    throw error
  }
}
