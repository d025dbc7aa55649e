import { CertloopError } from '@certloop/contract'
import { readText, readWhole } from '../der/der-reader.ts'
import { attributeOid } from './attribute-types.ts'
import { shown } from './problems.ts'
import { subjectProblems, type SubjectAttribute, type SubjectPart } from './subject.ts'

/** Longest text of a name that is read, in characters. */
const maxNameText = 100_000

const invalid = (problem: string) => new CertloopError('NAME_INVALID', `The name ${problem}.`, { fields: [`subject: ${problem}`] })

/**
 * Reads the text of a name into the order in which `subjectName` writes it. Two forms: RFC 4514, most specific part
 * first ("CN=www,OU=Shop,O=Ex\, ample"; values in double quotes and spaces around separators are read as well), and
 * the one of openssl, which begins with "/" ("/C=DE/CN=www"; a slash within a value is written "\/", spaces count).
 * @throws CertloopError NAME_INVALID
 */
export function parseName(text: string): SubjectPart[] {
  if (text.length > maxNameText) throw invalid(`is longer than ${maxNameText} characters`)
  if (text.trim() === '') return []
  const slashes = text.trimStart().startsWith('/')
  const parts = slashes ? new NameScanner(text.trimStart().slice(1), '/').parts() : new NameScanner(text, ',').parts().toReversed()
  const problems = subjectProblems(parts)
  if (problems.length > 0) throw new CertloopError('NAME_INVALID', `The name is not valid: ${problems.slice(0, 3).join('; ')}.`, { fields: problems })
  return parts
}

/** Walks over the text once, from left to right. */
class NameScanner {
  readonly #text: string
  readonly #separator: ',' | '/'
  #at = 0
  constructor(text: string, separator: ',' | '/') {
    this.#text = text
    this.#separator = separator
  }

  parts(): SubjectPart[] {
    const parts: SubjectPart[] = []
    let together: SubjectAttribute[] = []
    for (;;) {
      together.push({ type: this.#type(), value: this.#value() })
      const end = this.#text[this.#at++]
      if (end === '+') continue
      parts.push(together.length === 1 && together[0] ? together[0] : together)
      together = []
      if (end === undefined) return parts
    }
  }

  #type(): string {
    const end = this.#text.indexOf('=', this.#at)
    const type = this.#text.slice(this.#at, end < 0 ? undefined : end).trim()
    if (end < 0) throw invalid(`has a part without "=": ${shown(type)}; put a backslash before a ${this.#separator} or + within a value`)
    if (attributeOid(type) === undefined) throw invalid(`has ${shown(type)} where an attribute such as CN, O or a dotted identifier should be; put a backslash before a ${this.#separator} or + within a value`)
    this.#at = end + 1
    return type.replace(/^oid\./i, '')
  }

  #value(): string {
    if (this.#separator === '/') return this.#plain()
    while (this.#text[this.#at] === ' ') this.#at++
    if (this.#text[this.#at] === '#') return this.#hex()
    return this.#text[this.#at] === '"' ? this.#quoted() : this.#plain()
  }

  #plain(): string {
    const bytes = new ByteText()
    let spaces = 0
    for (; this.#at < this.#text.length; this.#at++) {
      const c = this.#text[this.#at] ?? ''
      if (c === this.#separator || c === '+') break
      if (c === ' ') { spaces++; continue }
      if (spaces > 0) bytes.text(' '.repeat(spaces))
      spaces = 0
      if (c === '\\') this.#escape(bytes)
      else bytes.text(c)
    }
    if (this.#separator === '/') bytes.text(' '.repeat(spaces))
    return bytes.done()
  }

  #quoted(): string {
    const bytes = new ByteText()
    for (this.#at++; ; this.#at++) {
      const c = this.#text[this.#at]
      if (c === undefined) throw invalid('has a quoted value without its closing quote')
      if (c === '"') break
      if (c === '\\') this.#escape(bytes)
      else bytes.text(c)
    }
    this.#at++
    this.#endOfValue()
    return bytes.done()
  }

  /** At a backslash; stays on the last character that belongs to it. openssl writes bytes "\xC3", the RFC "\C3". */
  #escape(bytes: ByteText): void {
    const pair = (this.#separator === '/' ? /^x[0-9a-f]{2}/i : /^[0-9a-f]{2}/i).exec(this.#text.slice(this.#at + 1, this.#at + 4))?.[0]
    if (pair !== undefined) {
      bytes.byte(Number.parseInt(pair.slice(-2), 16))
      this.#at += pair.length
      return
    }
    const next = this.#text[++this.#at]
    if (next === undefined) throw invalid('ends with a backslash')
    bytes.text(next)
  }

  #hex(): string {
    const digits = /^#((?:[0-9a-f]{2})+) *(?=[,+]|$)/i.exec(this.#text.slice(this.#at))
    if (!digits) throw invalid('has a value that begins with # but is not hex; put a backslash before the #')
    this.#at += digits[0].length
    const text = readWhole(Buffer.from(digits[1] ?? '', 'hex'), readText)
    if (text === undefined) throw invalid('has a value in hex that is not the DER of a text')
    return text
  }

  #endOfValue(): void {
    while (this.#text[this.#at] === ' ') this.#at++
    const c = this.#text[this.#at]
    if (c !== undefined && c !== ',' && c !== '+') throw invalid('has something after the closing quote of a value')
  }
}

/** Text of characters and, in between, bytes of UTF-8 that were written as hex pairs. */
class ByteText {
  #done = ''
  #bytes: number[] = []
  text(part: string): void {
    this.#flush()
    this.#done += part
  }
  byte(value: number): void { this.#bytes.push(value) }
  done(): string {
    this.#flush()
    return this.#done
  }
  #flush(): void {
    if (this.#bytes.length === 0) return
    try {
      this.#done += new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(this.#bytes))
    } catch (error) {
      throw new CertloopError('NAME_INVALID', 'The name has hex pairs that are not UTF-8.', { fields: ['subject: has hex pairs that are not UTF-8'] }, error)
    }
    this.#bytes = []
  }
}
