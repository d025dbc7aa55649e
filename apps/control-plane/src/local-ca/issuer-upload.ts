import { CertloopError, type IssuerImport } from '@certloop/contract'
import { openPrivateKey, readContainer, toPem, writePrivateKey, type ContainerContents } from '@certloop/pki'

/** What was uploaded, opened: PEM texts. */
export interface Uploaded { certificatesPem: string; keyPem: string | null }

/**
 * Opens what somebody uploads to import a CA: PEM texts, or a keystore of any kind.
 * @throws CertloopError INPUT_INVALID, PASSWORD_NEEDED, PASSWORD_WRONG, KEY_INVALID, KEYSTORE_INVALID, ENTRY_NOT_FOUND
 */
export async function openUploaded({ certificatesPem, keyPem, keystore, password, alias }: IssuerImport): Promise<Uploaded> {
  if ((keystore === undefined) === (certificatesPem === undefined)) throw new CertloopError('INPUT_INVALID', 'Give either certificates (and a key) as PEM, or a keystore.', { fields: ['certificatesPem: give this or keystore'] })
  if (keystore === undefined) {
    return { certificatesPem: certificatesPem ?? '', keyPem: keyPem === undefined ? null : await plain(await openPrivateKey(keyPem, password)) }
  }
  return fromKeystore(Buffer.from(keystore, 'base64'), password, alias)
}

async function fromKeystore(bytes: Buffer, password: string | undefined, alias: string | undefined): Promise<Uploaded> {
  const contents = await readContainer(bytes, password === undefined ? {} : { password })
  const { keys, certificates } = contents
  const fitting = keys.filter((key) => alias === undefined || key.alias === alias)
  const [chosen, second] = fitting
  if (!chosen) refuseClosed(contents, alias)
  const names = keys.map((key) => `"${key.alias ?? ''}"`).join(', ')
  if (alias !== undefined && !chosen) throw new CertloopError('ENTRY_NOT_FOUND', `The keystore has no key "${alias}"; it has ${names || 'none'}.`, { alias })
  if (alias === undefined && second) throw new CertloopError('INPUT_INVALID', `The keystore has several keys: ${names}. Name one.`, { fields: ['alias: name one of the keys'] })
  return { certificatesPem: certificates.map((der) => toPem('CERTIFICATE', der)).join(''), keyPem: chosen ? toPem('PRIVATE KEY', chosen.privateKey) : null }
}

/** Certificates alone may be readable: without the key that is there and closed, a CA would come in that can't sign. */
function refuseClosed({ locked, problems }: ContainerContents, alias: string | undefined): void {
  const closed = locked.find((part) => alias === undefined || part.alias === null || part.alias === alias)
  if (closed) throw new CertloopError(closed.code, closed.code === 'PASSWORD_NEEDED' ? `A password is needed for ${closed.where}.` : `The password does not open ${closed.where}.`, { fields: ['password: is needed, and has to fit'] })
  const [damaged] = problems
  if (damaged) throw new CertloopError(damaged.code, `In ${damaged.where}: ${damaged.message}`)
}

const plain = (key: Awaited<ReturnType<typeof openPrivateKey>>): Promise<string> => writePrivateKey(key, { format: 'pkcs8', encoding: 'pem' }).then((text) => text.toString())
