import { CertloopError } from '@certloop/contract'
import { DerError, ifReadable, readElement } from '../der/der-reader.ts'
import { openPrivateKey } from '../key/open-private-key.ts'
import { sha256Hex } from '../key/spki.ts'
import type { ContainerContents } from './container-contents.ts'
import { pemParts, type PemPart } from './container-pem.ts'
import { recognise, recogniseDer, textOf, unarmoured } from './container-recognise.ts'
import { IterationBudget } from './iteration-budget.ts'
import { readJks, type ReadJksOptions } from './jks.ts'
import { defaultReadLimits, type KeystoreEntry, type ReadLimits } from './keystore.ts'
import { readPkcs12 } from './pkcs12.ts'
import { PasswordForms } from './pkcs12-password.ts'
import { isSequence, openSealed, readSealed, sealedCost } from './pkcs12-protection.ts'
import { readPkcs7 } from './pkcs7.ts'

export interface ReadContainerOptions {
  password?: string | null
  /** Tried in this order, after `password`. An empty one counts as a password; at most 50. */
  passwords?: readonly string[]
  /** For keys of JKS and JCEKS that have their own: see readJks. Without it, all passwords are tried on each key. */
  keyPasswords?: ReadJksOptions['keyPasswords']
  /** Iterations are counted over all parts and all tries of passwords. */
  limits?: ReadLimits
}

const maxPasswords = 50

/**
 * Reads whatever people have certificates and keys in: PEM with anything between its blocks, in UTF-8 or UTF-16; DER;
 * base64 without its PEM lines; PKCS#7; PKCS#12; JKS and JCEKS. Damaged parts are `problems`, closed ones `locked`, as
 * long as anything could be read at all.
 * @throws CertloopError PASSWORD_NEEDED when nothing can be read without one and none was given, PASSWORD_WRONG when none
 *   of those given fits; LIMIT_EXCEEDED; KEYSTORE_INVALID for a format that is not known; the code of the first problem
 *   when there is nothing but problems
 */
export async function readContainer(bytes: Uint8Array, options: ReadContainerOptions = {}): Promise<ContainerContents> {
  const limits = options.limits ?? defaultReadLimits
  if (bytes.length > limits.maxBytes) throw new CertloopError('LIMIT_EXCEEDED', `The file has ${bytes.length} bytes; at most ${limits.maxBytes} are read.`)
  const reading = new Reading(options, limits)
  await reading.file(Buffer.from(bytes))
  return reading.result()
}

class Reading {
  readonly #options: ReadContainerOptions
  readonly #limits: ReadLimits
  readonly #passwords: readonly string[]
  readonly #contents: ContainerContents = { format: 'unknown', certificates: [], keys: [], entries: [], requests: [], crls: [], publicKeys: [], locked: [], problems: [], integrity: 'none' }
  readonly #seen = new Set<string>()
  readonly #budget: IterationBudget
  constructor(options: ReadContainerOptions, limits: ReadLimits) {
    this.#options = options
    this.#limits = limits
    this.#passwords = [...new Set([options.password, ...(options.passwords ?? [])])].filter((password) => typeof password === 'string')
    if (this.#passwords.length > maxPasswords) throw new CertloopError('LIMIT_EXCEEDED', `There are ${this.#passwords.length} passwords to try; at most ${maxPasswords} are.`)
    this.#budget = new IterationBudget(limits.maxIterations)
  }

  async file(bytes: Buffer): Promise<void> {
    const format = recognise(bytes)
    this.#contents.format = format
    switch (format) {
      case 'jks': case 'jceks': case 'pkcs12': return this.#keystore(bytes, format)
      case 'pem': return this.#pem(textOf(bytes))
      case 'base64': return this.#der(unarmoured(textOf(bytes)) ?? bytes, 'the base64 text')
      case 'openssh-key': case 'openssh-public-key': case 'putty-key': {
        const text = textOf(bytes)
        if (text.includes('-----BEGIN ')) return this.#pem(text) // certificates may follow
        await openPrivateKey(bytes) // says what it is and how to rewrite it
        return
      }
      case 'unknown': throw new CertloopError('KEYSTORE_INVALID', 'The file is none that Certloop knows: neither PEM nor DER, PKCS#7, PKCS#12, JKS or JCEKS. It may be damaged at its beginning.')
      default: return this.#der(bytes, 'the file')
    }
  }

  result(): ContainerContents {
    const { format, entries, requests, crls, publicKeys, locked: [locked], problems: [problem] } = this.#contents
    if (format === 'jks' || format === 'jceks' || entries.length + requests.length + crls.length + publicKeys.length > 0) return this.#contents
    if (locked) throw new CertloopError(locked.code, locked.code === 'PASSWORD_NEEDED' ? `A password is needed for ${locked.where}, and none was given.` : `None of the passwords given opens ${locked.where}.`)
    if (problem) throw new CertloopError(problem.code, `Nothing can be read. In ${problem.where}: ${problem.message}`)
    return this.#contents
  }

  async #pem(text: string): Promise<void> {
    let count = 0
    for (const part of pemParts(text)) {
      count++
      if (count > this.#limits.maxEntries) throw new CertloopError('LIMIT_EXCEEDED', `The text has more than ${this.#limits.maxEntries} PEM blocks.`)
      await this.#guarded(`the block "${part.label}" that begins in line ${part.line}`, (where) => this.#pemPart(part, where))
      if (count % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async #pemPart(part: PemPart, where: string): Promise<void> {
    const { label, der, damage, friendlyName } = part
    if (damage !== null) throw new CertloopError('PEM_INVALID', `The block is damaged: ${damage}.`)
    if (part.encrypted) return this.#sealedKey(where, friendlyName, (password) => openTraditionalKey(part.text, password))
    if (label.endsWith(' PARAMETERS')) return
    if (label === 'OPENSSH PRIVATE KEY') await openPrivateKey(part.text)
    // A trusted certificate of openssl has its trust settings after it.
    await this.#one(label === 'TRUSTED CERTIFICATE' ? readElement(der).raw : der, where, friendlyName)
  }

  /** One or several structures after one another, as some tools write them. */
  async #der(bytes: Buffer, file: string): Promise<void> {
    for (let at = 0, number = 1; at < bytes.length; number++) {
      const rest = bytes.subarray(at)
      const where = number === 1 ? file : `part ${number} of ${file}`
      if (number > this.#limits.maxEntries) throw new CertloopError('LIMIT_EXCEEDED', `The file has more than ${this.#limits.maxEntries} parts.`)
      if (number > 1 && !rest.some((byte) => byte !== 0 && byte !== 0x0a && byte !== 0x0d && byte !== 0x20)) return
      // PKCS#7 may be BER, whose length is not known here; nothing is looked for behind it.
      const known = rest[1] === 0x80 ? rest : ifReadable(() => readElement(rest).raw, undefined)
      await this.#guarded(where, () => this.#one(known ?? rest, where, null)) // what is damaged is said to be so there
      at += known?.length ?? rest.length
    }
  }

  async #one(der: Buffer, where: string, alias: string | null): Promise<void> {
    const format = recogniseDer(der)
    switch (format) {
      case 'der-certificate': this.#certificate(der, alias); break
      case 'der-key': this.#key(await exported(der), alias); break
      case 'der-encrypted-key': await this.#encryptedKey(der, where, alias); break
      case 'der-public-key': this.#contents.publicKeys.push(der); break
      case 'csr': this.#contents.requests.push(der); break
      case 'crl': this.#contents.crls.push(der); break
      case 'pkcs7': {
        const { certificates, crls } = readPkcs7(der, this.#limits)
        for (const certificate of certificates) this.#certificate(certificate, null)
        this.#contents.crls.push(...crls)
        break
      }
      case 'pkcs12': await this.#keystore(der, format); break
      default: throw new CertloopError('KEYSTORE_INVALID', 'It is neither certificate nor key, request, revocation list, PKCS#7 or PKCS#12, or it is damaged.')
    }
  }

  /** Keeps one part's failure from hiding the others. What exceeds a limit ends everything. */
  async #guarded(where: string, read: (where: string) => Promise<void>): Promise<void> {
    try {
      await read(where)
    } catch (error) {
      if (error instanceof DerError) this.#contents.problems.push({ where, code: 'KEYSTORE_INVALID', message: `It can not be read: ${error.message}.` })
      else if (error instanceof CertloopError && (error.code === 'PASSWORD_NEEDED' || error.code === 'PASSWORD_WRONG')) this.#contents.locked.push({ where, alias: null, code: error.code })
      else if (error instanceof CertloopError && error.code !== 'LIMIT_EXCEEDED') this.#contents.problems.push({ where, code: error.code, message: error.message })
      else throw error
    }
  }

  #certificate(certificate: Buffer, alias: string | null): void {
    this.#contents.entries.push({ kind: 'certificate', alias, certificate, createdAt: null })
    this.#addCertificates([certificate])
  }
  #addCertificates(certificates: readonly Buffer[]): void {
    for (const certificate of certificates) {
      const digest = sha256Hex(certificate)
      if (this.#seen.has(digest)) continue
      this.#seen.add(digest)
      this.#contents.certificates.push(certificate)
    }
  }
  #key(privateKey: Buffer, alias: string | null): void {
    this.#contents.entries.push({ kind: 'key', alias, privateKey, certificates: [], createdAt: null })
    this.#contents.keys.push({ alias, privateKey })
  }

  async #encryptedKey(der: Buffer, where: string, alias: string | null): Promise<void> {
    const sealed = readSealed(readElement(der))
    sealedCost(sealed) // says what can't be read, even without a password
    await this.#sealedKey(where, alias, async (password) => {
      const plain = await openSealed(sealed, new PasswordForms(password), { limits: this.#limits, budget: this.#budget }, isSequence)
      return plain && await exported(plain)
    })
  }

  async #sealedKey(where: string, alias: string | null, open: (password: string) => Promise<Buffer | undefined>): Promise<void> {
    for (const password of this.#passwords) {
      const key = await open(password)
      if (key) {
        this.#key(key, alias)
        return
      }
    }
    this.#contents.locked.push({ where, alias, code: this.#closedCode() })
  }
  #closedCode(): 'PASSWORD_NEEDED' | 'PASSWORD_WRONG' { return this.#passwords.length === 0 ? 'PASSWORD_NEEDED' : 'PASSWORD_WRONG' }

  async #keystore(bytes: Buffer, format: 'jks' | 'jceks' | 'pkcs12'): Promise<void> {
    const { entries, integrity } = await this.#firstThatFits((password) => this.#openKeystore(bytes, format, password))
    this.#contents.integrity = integrity
    for (const entry of entries) {
      this.#contents.entries.push(entry)
      if (entry.kind === 'key') this.#contents.keys.push({ alias: entry.alias, privateKey: entry.privateKey })
      if (entry.kind === 'key' || entry.kind === 'locked-key') this.#addCertificates(entry.certificates)
      if (entry.kind === 'certificate') this.#addCertificates([entry.certificate])
      if (entry.kind === 'locked-key') this.#closedEntry(entry)
    }
  }

  #closedEntry({ alias, reason }: Extract<KeystoreEntry, { kind: 'locked-key' }>): void {
    const where = alias === null ? 'an entry without a name' : `the entry "${alias}"`
    if (reason === 'unreadable') this.#contents.problems.push({ where, code: 'KEY_INVALID', message: 'The key is damaged, or protected in a way that is not known.' })
    else this.#contents.locked.push({ where, alias, code: reason === 'no-password' ? 'PASSWORD_NEEDED' : 'PASSWORD_WRONG' })
  }

  async #openKeystore(bytes: Buffer, format: 'jks' | 'jceks' | 'pkcs12', password: string | null): Promise<{ entries: KeystoreEntry[]; integrity: ContainerContents['integrity'] }> {
    if (format !== 'pkcs12') {
      const { entries } = await readJks(bytes, password, { keyPasswords: this.#options.keyPasswords ?? this.#passwords, limits: this.#limits, budget: this.#budget })
      return { entries, integrity: password === null ? 'unchecked' : 'checked' }
    }
    const { entries, protection } = await readPkcs12(bytes, password, this.#limits, this.#budget)
    return { entries, integrity: protection.mac === 'fits' ? 'checked' : protection.mac }
  }

  /** Tries the passwords in order, or none when there is none. */
  async #firstThatFits<T>(open: (password: string | null) => Promise<T>): Promise<T> {
    if (this.#passwords.length === 0) return open(null)
    let last: unknown
    for (const password of this.#passwords) {
      try {
        return await open(password)
      } catch (error) {
        if (!isPasswordWrong(error)) throw error
        last = error
      }
    }
    throw last
  }
}

const isPasswordWrong = (error: unknown): boolean => error instanceof CertloopError && error.code === 'PASSWORD_WRONG'

/** Looking whether the halves of a key belong together takes up to some milliseconds, and a file may have thousands. */
const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })

async function exported(der: Buffer): Promise<Buffer> {
  await turn()
  return (await openPrivateKey(der)).export({ type: 'pkcs8', format: 'der' })
}

async function openTraditionalKey(pem: string, password: string): Promise<Buffer | undefined> {
  await turn()
  try {
    return (await openPrivateKey(pem, password)).export({ type: 'pkcs8', format: 'der' })
  } catch (error) {
    if (isPasswordWrong(error)) return undefined // the next password is tried
    throw error
  }
}
