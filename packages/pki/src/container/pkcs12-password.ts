import { bmpPassword } from './pkcs12-kdf.ts'

/**
 * One password for all, or one for checking that the file is whole and another for opening what is encrypted, as
 * `openssl pkcs12 -twopass` writes. null is no password at all, which is not the same as an empty one.
 */
export type Pkcs12Password = string | null | { mac: string | null; contents: string | null }

export const macPassword = (password: Pkcs12Password): string | null => (password === null || typeof password === 'string' ? password : password.mac)
export const contentsPassword = (password: Pkcs12Password): string | null => (password === null || typeof password === 'string' ? password : password.contents)

const noBytes = Buffer.alloc(0)

/**
 * The bytes that tools have made of a password. The key derivation of PKCS#12 takes UTF-16 with an end mark, PBES2
 * takes UTF-8, and no two implementations ever agreed on the rest: an empty password is the end mark alone or
 * nothing at all; OpenSSL before 1.1 widened the bytes of UTF-8 one by one; NSS gave UTF-16 to PBES2 as well.
 */
function bmpForms(password: string | null): Buffer[] {
  if (password === null) return [noBytes]
  if (password === '') return [bmpPassword(''), noBytes]
  return different([bmpPassword(password), bmpPassword(Buffer.from(password, 'utf8').toString('latin1'))])
}
function pbesForms(password: string | null): Buffer[] {
  if (password === null) return [noBytes]
  if (password === '') return [noBytes, bmpPassword('')]
  return different([Buffer.from(password, 'utf8'), bmpPassword(password), Buffer.from(password, 'latin1')])
}
const different = (forms: Buffer[]): Buffer[] => forms.filter((form, i) => forms.findIndex((other) => other.equals(form)) === i)

/** The forms of one password that are still possible: the first that fits a part is the one for all parts alike. */
export class PasswordForms {
  #bmp: Buffer[]
  #pbes: Buffer[]
  constructor(password: string | null) {
    this.#bmp = bmpForms(password)
    this.#pbes = pbesForms(password)
  }
  /** bmp: for the key derivation of PKCS#12; pbes: for PBES1, PBES2 and PBMAC1. */
  forms(use: 'bmp' | 'pbes'): readonly Buffer[] { return use === 'bmp' ? this.#bmp : this.#pbes }
  fits(use: 'bmp' | 'pbes', form: Buffer): void {
    if (use === 'bmp') this.#bmp = [form]
    else this.#pbes = [form]
  }
}
