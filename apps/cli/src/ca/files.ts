import { readFile, writeFile } from 'node:fs/promises'
import type { Context } from '../context.ts'
import { exitCodes, Failure, usage } from '../failure.ts'

const longestInput = 20_000_000

/** A file, or standard input for "-". @throws Failure when it can not be read */
export async function readBytes({ world }: Context, what: string, file: string): Promise<Buffer> {
  const bytes = file === '-' ? Buffer.from(await world.readInput()) : await readFile(file).catch((error: Error) => { throw usage(`The ${what} can not be read: ${error.message}.`) })
  if (bytes.length > longestInput) throw usage(`${nameOfFile(file)} is too large for a ${what}.`)
  return bytes
}

export const nameOfFile = (file: string): string => (file === '-' ? 'Standard input' : file)

const pemBlock = /-----BEGIN ([A-Z0-9 ]{1,60})-----[^]*?-----END \1-----/g
export interface PemBlock { label: string; text: string }

/** The PEM blocks of a text, in order; what stands around them is left out. */
export function pemBlocks(bytes: Buffer): PemBlock[] {
  return [...bytes.toString('latin1').matchAll(pemBlock)].map(([text, label = '']) => ({ label, text: `${text}\n` }))
}

const isDer = (bytes: Buffer) => bytes[0] === 0x30
const pemOf = (label: string, der: Buffer): string => `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`

/**
 * The request in a file, PEM or DER, as PEM. Only the request leaves this machine: a private key beside it stays here.
 * A text without any request is given as it is, for the control plane to say what is wrong with it.
 */
export async function readCsr(context: Context, file: string): Promise<string> {
  const bytes = await readBytes(context, 'certificate request', file)
  if (isDer(bytes)) return pemOf('CERTIFICATE REQUEST', bytes)
  const blocks = pemBlocks(bytes)
  const requests = blocks.filter(({ label }) => /^(NEW )?CERTIFICATE REQUEST$/.test(label))
  const hasKey = blocks.some(({ label }) => label.includes('PRIVATE KEY'))
  const [request, second] = requests
  if (second) throw usage(`${nameOfFile(file)} holds ${requests.length} certificate requests; give one at a time.`)
  if (!request && hasKey) throw usage(`${nameOfFile(file)} holds a private key and no certificate request. Nothing was sent.`, 'Make the request with the key: openssl req -new -key FILE …')
  if (hasKey) context.warn(`${nameOfFile(file)} holds a private key beside the request. It was not sent; keep the two in files of their own.`)
  return request?.text ?? bytes.toString('utf8')
}

/** Certificates in one or several files, PEM or DER, as PEM. Nothing else of them leaves this machine. @throws Failure when a file has none */
export async function readCertificates(context: Context, files: readonly string[]): Promise<string> {
  const texts = await Promise.all(files.map(async (file) => {
    const bytes = await readBytes(context, 'certificate', file)
    if (isDer(bytes)) return pemOf('CERTIFICATE', bytes)
    const found = pemBlocks(bytes).filter(({ label }) => /^(X509 |TRUSTED )?CERTIFICATE$|^PKCS7$/.test(label))
    if (found.length === 0) throw usage(`${nameOfFile(file)} holds no certificate.`, 'Give PEM or DER files: the issuer\'s certificate, and those above it up to the root.')
    return found.map(({ text }) => text).join('')
  }))
  return texts.join('')
}

/** Writes what the control plane gave, which is then safe there whatever becomes of the file. @param again the command that gets it once more */
export async function writeOutput(context: Context, file: string, text: string, again: string): Promise<void> {
  try {
    await writeFile(file, text)
  } catch (error) {
    throw new Failure({ exit: exitCodes.failed, what: `${file} can not be written: ${(error as Error).message}.`, why: 'The control plane has done its part; only the file is missing.', remedy: `Get it again: ${again}`, where: file })
  }
  context.note(`Written: ${file}`)
}
