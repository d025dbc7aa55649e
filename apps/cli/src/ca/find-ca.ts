import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { IssuanceProfile, IssuedCertificate, Issuer } from '@certloop/api-client'
import type { Context } from '../context.ts'
import { exitCodes, Failure, usage } from '../failure.ts'
import { findNamed, isIdOf, noneNamed } from '../find.ts'
import { readPages } from '../page.ts'

/** Id of the issuer with this id or name. @throws Failure */
export async function findIssuer(context: Context, text: string): Promise<Issuer['id']> {
  const client = await context.client()
  return findNamed<Issuer>('iss', 'issuer', 'certloop issuer list', text, () => client.call('listIssuers'), ({ name, kind, status }) => `${name}  ${kind}  ${status}`)
}

export async function readIssuer(context: Context, text: string): Promise<Issuer> {
  const id = await findIssuer(context, text)
  return (await context.client()).call('getIssuer', { params: { id } })
}

/** @throws Failure */
export async function readProfile(context: Context, name: string): Promise<IssuanceProfile> {
  const { items } = await (await context.client()).call('listProfiles')
  const found = items.find((profile) => profile.name === name)
  if (found) return found
  throw noneNamed('profile', 'certloop profile list', name, items)
}

const search = async (context: Context, text: string): Promise<IssuedCertificate[]> => {
  const client = await context.client()
  return (await readPages({ limit: undefined, all: true, cursor: undefined }, (query) => client.call('listIssuedCertificates', { query: { ...query, search: text.slice(0, 200) } }))).items
}
const list = 'certloop issued list'
const missing = (what: string) => new Failure({ exit: exitCodes.failed, what, remedy: `See what there is: ${list}`, code: 'NOT_FOUND' })

/** Hex digits as the API has them: lower-case, whole bytes, none of them a leading zero. Tools write colons, capitals or "0x". */
function serialDigits(text: string): string {
  const digits = text.replace(/^0x/i, '').replaceAll(':', '').toLowerCase().replace(/^0+/, '')
  return digits.length % 2 === 0 ? digits : `0${digits}`
}
const isSerial = (text: string) => /^(0x)?([0-9a-f]:?){16,44}$/i.test(text)

/** The certificate that a file begins with, or undefined when the word names no file. @throws Failure for a file without a certificate */
async function certificateIn(file: string): Promise<X509Certificate | undefined> {
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (['ENOENT', 'ENAMETOOLONG', 'EISDIR', 'ENOTDIR'].includes(error.code ?? '')) return undefined
    throw usage(`The certificate can not be read: ${error.message}.`)
  })
  if (bytes === undefined) return undefined
  try {
    return new X509Certificate(bytes)
  } catch {
    throw usage(`${file} holds no certificate in PEM or DER form.`, `Give an id, a serial number or a certificate file; see ${list}.`)
  }
}

async function bySerial(context: Context, digits: string): Promise<IssuedCertificate['id']> {
  const found = (await search(context, digits)).filter(({ serialNumber }) => serialNumber === digits)
  return only(found, `serial number ${digits}`) ?? fail(missing(`The built-in CA issued no certificate with the serial number ${digits}.`))
}

async function byFile(context: Context, file: string, certificate: X509Certificate): Promise<IssuedCertificate['id']> {
  const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase()
  const digits = serialDigits(certificate.serialNumber)
  for (const one of await search(context, digits)) {
    if (one.fingerprint === fingerprint) return one.id
    // One that came back from the ledger: only what was to be signed is known of it.
    if (one.fingerprint === null && one.serialNumber === digits && await isSignedBy(context, certificate, one.issuerId)) return one.id
  }
  throw missing(`The built-in CA did not issue the certificate in ${file} (issuer: ${certificate.issuer.replaceAll('\n', ', ')}).`)
}

async function isSignedBy(context: Context, certificate: X509Certificate, id: Issuer['id']): Promise<boolean> {
  const { certificates: [issuer] } = await (await context.client()).call('getIssuer', { params: { id } })
  return issuer !== undefined && certificate.verify(new X509Certificate(issuer.certificatePem).publicKey)
}

async function byName(context: Context, text: string): Promise<IssuedCertificate['id']> {
  const name = text.toLowerCase()
  const fits = ({ names, subject }: IssuedCertificate) => names.some((one) => one.toLowerCase() === name) || subject.toLowerCase().split(/, ?/).includes(`cn=${name}`)
  const named = (await search(context, text)).filter(fits)
  const valid = named.filter((one) => one.status !== 'revoked' && !one.isExpired)
  return only(valid.length > 0 ? valid : named, `"${text}"`) ?? fail(missing(`The built-in CA issued no certificate for "${text}".`))
}

function only(found: readonly IssuedCertificate[], what: string): IssuedCertificate['id'] | undefined {
  if (found.length > 1) throw usage(`${what} fits ${found.length} certificates; use the id of one:\n${found.slice(0, 20).map((one) => `  ${one.id}  ${one.status}  ends ${one.notAfter}  ${one.subject || one.names[0] || ''}`).join('\n')}`)
  return found[0]?.id
}

function fail(failure: Failure): never {
  throw failure
}

/** Id of an issued certificate: by id, file, serial number, or a name that only one has. @throws Failure */
export async function findIssued(context: Context, text: string): Promise<IssuedCertificate['id']> {
  if (isIdOf('cac', text)) return text as IssuedCertificate['id']
  const certificate = await certificateIn(text)
  if (certificate) return byFile(context, text, certificate)
  return isSerial(text) ? bySerial(context, serialDigits(text)) : byName(context, text)
}

/** For help. */
export const issuedArgument = { certificate: { help: 'id, serial number, certificate file, or a name that only one has' } } as const
export const issuerArgument = { issuer: { help: 'id or name' } } as const
