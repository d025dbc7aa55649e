import { type Account, CertloopError, type Ownership, toCertloopError, type WriteFileStep } from '@certloop/contract'
import { certificateBlocks, type Host } from '@certloop/plugin-kit'
import { keyMatchesCertificate } from '@certloop/pki'
import type { LinkedFile } from './linked-file.ts'

export interface SlotFiles {
  certificate: LinkedFile
  key: LinkedFile
  /** Files with the intermediates alone, where the server takes them from one of their own. */
  chains: LinkedFile[]
}

const failed = (message: string, file: string) => new CertloopError('PLAN_FAILED', message, { path: file })

const certificateBlock = /^(?:X509 |TRUSTED )?CERTIFICATE$/
const keyBlock = /^(?:EC PARAMETERS|(?:[A-Z]+ )?PRIVATE KEY)$/

const textOf = ({ content }: LinkedFile) => Buffer.from(content ?? []).toString('latin1')
const labelsOf = (file: LinkedFile) => [...textOf(file).matchAll(/^-----BEGIN ([A-Z0-9 ]+)-----/gm)].map((match) => match[1] ?? '')

/** Who uses the files: the account where it is not root's. */
export interface FileUser { product: string; runAs?: Account; /** Further groups of this account. */ groups?: readonly number[] }

/**
 * Refuses to overwrite what is no certificate and no key, or more than that, and what the account of a server that is
 * not root's could not name with right: its configuration says what it likes, and root's hand writes.
 * @throws CertloopError PLAN_FAILED
 */
export async function checkReplaceable(host: Host, { product, runAs, groups = [] }: FileUser, files: SlotFiles, writes: readonly WriteFileStep[]): Promise<void> {
  const written = new Set(writes.map((step) => step.path))
  for (const file of [files.certificate, files.key, ...files.chains]) if (written.has(file.realPath)) checkContent(file, files)
  if (runAs !== undefined && writes.length > 0) await checkRight(host, { product, runAs, groups }, files)
}

function checkContent(file: LinkedFile, { certificate, key, chains }: SlotFiles): void {
  const labels = labelsOf(file)
  if (textOf(file).trim() !== '' && !labels.some((label) => label.endsWith('CERTIFICATE') || label.endsWith('PRIVATE KEY'))) {
    throw failed(`${file.path} holds neither a certificate nor a private key, so it is not overwritten. Put a certificate and its key into the files that the configuration names, or name others.`, file.path)
  }
  if (file !== certificate && !chains.includes(file)) return
  const keyToo = file === certificate && certificate.realPath === key.realPath
  const strange = labels.find((label) => !certificateBlock.test(label) && !(keyBlock.test(label) && (keyToo || (file === certificate && label === 'EC PARAMETERS'))))
  if (strange !== undefined) throw failed(`${file.path} also holds "${strange}", which would be lost. Move it to a file of its own.`, file.path)
}

/** A server itself starts only with a pair that its account can read and that belongs together: then it is this account's pair. */
async function checkRight(host: Host, { product, runAs: account, groups }: Required<FileUser>, { certificate, key, chains }: SlotFiles): Promise<void> {
  const notIts = (why: string) => failed(`${product} runs as user ${account.uid}, and ${why}. Files that this account could not use are not replaced for it.`, key.path)
  for (const file of [certificate, key, ...chains]) if (file.content === undefined) throw notIts(`${file.path} is not there`)
  if (!mayRead(account, groups, await host.stat(key.realPath))) throw notIts(`${key.path} can not be read by it`)
  // An encrypted key can't be compared: then both files have to be its own.
  const together = belongTogether(textOf(certificate), textOf(key)) ?? (await host.stat(certificate.realPath))?.uid === account.uid
  if (!together) throw notIts(`the key in ${key.path} does not belong to the certificate in ${certificate.path}`)
  // Nothing ties a chain to a key: it has to be its own.
  for (const chain of chains) if ((await host.stat(chain.realPath))?.uid !== account.uid) throw notIts(`${chain.path} is not its own`)
}

function mayRead({ uid, gid }: Account, groups: readonly number[], facts: Ownership | undefined): boolean {
  return facts !== undefined && ((facts.mode >> (facts.uid === uid ? 6 : [gid, ...groups].includes(facts.gid) ? 3 : 0)) & 4) !== 0
}

function belongTogether(certificatePem: string, keyPem: string): boolean | undefined {
  const blocks = certificateBlocks(certificatePem)
  const key = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[^]*?-----END (?:[A-Z]+ )?PRIVATE KEY-----/.exec(keyPem)?.[0]
  if (blocks === '' || key === undefined) return false
  try {
    return keyMatchesCertificate(key, blocks)
  } catch (error) {
    if (toCertloopError(error).code === 'KEY_INVALID') return undefined
    throw error
  }
}
