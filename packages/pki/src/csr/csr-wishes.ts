import { extensionReaders, noExtensions, type ExtensionMembers } from '../certificate/read-extension.ts'
import { DerCursor, DerError, readChildren, readElement, readOid, readText, type DerElement } from '../der/der-reader.ts'
import { oid } from '../oids.ts'

/** Wishes for extensions, each as the facts of a certificate have it. */
type WishedExtensions = Pick<ExtensionMembers, 'alternativeNames' | 'keyUsage' | 'extendedKeyUsage' | 'basicConstraints' | 'subjectKeyId' | 'mustStaple'>

/** What a request asks for besides its name and key. */
export interface CsrWishes extends WishedExtensions {
  /** PKCS#9 challengePassword (RFC 2985, 5.4.1); value null when it is absent or no text. Whoever sees the request sees it. */
  challengePassword: { present: boolean; value: string | null }
  /** Dotted identifiers of extensions that are asked for and not read here. */
  otherExtensions: string[]
  /** Dotted identifiers of attributes that are not read here. */
  otherAttributes: string[]
}

/** Something that makes the request ambiguous or unreadable, though its outline is intact. */
export interface WishProblem { code: 'outline-unusual' | 'attribute-twice' | 'extension-twice' | 'extension-damaged'; message: string }

const extensionWords: Record<string, string> = {
  [oid.subjectAltName]: 'subject alternative name', [oid.keyUsage]: 'key usage', [oid.extendedKeyUsage]: 'extended key usage',
  [oid.basicConstraints]: 'basic constraints', [oid.subjectKeyIdentifier]: 'subject key identifier', [oid.tlsFeature]: 'TLS feature',
}

/**
 * Reads the attributes of a request (RFC 2986, 4.1). Of what comes twice the first is read and a problem noted:
 * an attribute type comes once in a set (X.501, 8.2), an extension once (RFC 5280, 4.2), and two tools could see
 * different names in the same request.
 * @throws DerError
 */
export function readWishes(attributes: DerElement | undefined): { wishes: CsrWishes; problems: WishProblem[] } {
  let challengePassword: CsrWishes['challengePassword'] = { present: false, value: null }
  const otherAttributes: string[] = []
  const problems: WishProblem[] = []
  const seen = new Set<string>()
  const extensions = new Map<string, WishedExtension>()
  for (const attribute of attributes ? readChildren(attributes) : []) {
    const cursor = new DerCursor(attribute)
    const id = readOid(cursor.take(0x06))
    const values = readChildren(cursor.take(0x31))
    if (seen.has(id)) { problems.push({ code: 'attribute-twice', message: `The attribute ${id} comes more than once.` }); continue }
    seen.add(id)
    if (id === oid.challengePassword) challengePassword = { present: true, value: (values[0] && readText(values[0])) ?? null }
    else if (id === oid.extensionRequest || id === oid.microsoftExtensionRequest) problems.push(...gatherExtensions(id, values, extensions))
    else otherAttributes.push(id)
  }
  const read = readExtensionWishes(extensions)
  return { wishes: { ...read.wishes, challengePassword, otherAttributes }, problems: [...problems, ...read.problems] }
}

interface WishedExtension { critical: boolean; value: Buffer }

function gatherExtensions(attribute: string, values: readonly DerElement[], into: Map<string, WishedExtension>): WishProblem[] {
  const problems: WishProblem[] = values.length > 1 ? [{ code: 'attribute-twice', message: `The attribute ${attribute} has more than one value.` }] : []
  for (const extension of values[0] ? readChildren(values[0]) : []) {
    const cursor = new DerCursor(extension)
    const id = readOid(cursor.take(0x06))
    const flag = cursor.takeIf(0x01)
    const value = cursor.take(0x04).content
    if (into.has(id)) problems.push({ code: 'extension-twice', message: `The extension ${extensionWords[id] ?? id} is asked for more than once.` })
    else into.set(id, { critical: flag !== undefined && flag.content[0] !== 0, value })
  }
  return problems
}

function readExtensionWishes(extensions: ReadonlyMap<string, WishedExtension>): { wishes: WishedExtensions & Pick<CsrWishes, 'otherExtensions'>; problems: WishProblem[] } {
  const members = noExtensions()
  const otherExtensions: string[] = []
  const problems: WishProblem[] = []
  for (const [id, extension] of extensions) {
    const word = extensionWords[id]
    if (word === undefined) otherExtensions.push(id)
    else problems.push(...readWish(id, word, extension, members))
  }
  const { alternativeNames, keyUsage, extendedKeyUsage, basicConstraints, subjectKeyId, mustStaple } = members
  return { wishes: { alternativeNames, keyUsage, extendedKeyUsage, basicConstraints, subjectKeyId, mustStaple, otherExtensions }, problems }
}

function readWish(id: string, word: string, { critical, value }: WishedExtension, into: ExtensionMembers): WishProblem[] {
  try {
    const element = readElement(value)
    if (element.raw.length !== value.length) throw new DerError('something follows after its end')
    extensionReaders.get(id)?.(element, into, critical)
    return []
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    return [{ code: 'extension-damaged', message: `The extension ${word} can not be read: ${error.message}.` }]
  }
}
