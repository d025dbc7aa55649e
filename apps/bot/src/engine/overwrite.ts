import { CertloopError, type KeystoreEntryStep, type Plan, sha256Hex, type WriteFileStep } from '@certloop/contract'
import { type Host, placeOfAlias, readKeystoreFile } from '@certloop/plugin-kit'
import { readCertificate, readContainer, splitPem } from '@certloop/pki'
import type { Ledger, Placed } from './ledger.ts'

interface Place { host: Host; machine: string; ledger: Ledger; secrets: Readonly<Record<string, string>> }

/**
 * Where a target is not to be overwritten: everything that the plan would replace was put there by this engine.
 * @throws CertloopError TARGET_OCCUPIED naming path and what lies there; as readKeystoreFile
 */
export async function refuseForeign(place: Place, { steps }: Pick<Plan, 'steps'>): Promise<void> {
  for (const step of steps) {
    if ((step.kind !== 'write-file' && step.kind !== 'keystore-entry') || step.replaces === null) continue
    const content = await place.host.readFile(step.path)
    if (content === undefined) continue
    const there = await (step.kind === 'keystore-entry' ? inKeystore(place, step, content) : inFile(step, content))
    if (there === undefined || await place.ledger.isOurs(place.machine, there.placed)) continue
    throw new CertloopError('TARGET_OCCUPIED', `${there.where} holds ${there.what}, which was not put there by this platform, and this target does not allow overwriting. Nothing was touched.`, { path: step.path })
  }
}

interface Found { placed: Placed; where: string; what: string }

async function inFile({ path }: WriteFileStep, content: Uint8Array): Promise<Found> {
  return { placed: { path, digest: sha256Hex(content) }, where: path, what: await describe(content) }
}

/** The other entries of a keystore stay, so that they are in nobody's way. */
async function inKeystore({ secrets }: Place, { path, alias, password, keyPassword }: KeystoreEntryStep, content: Uint8Array): Promise<Found | undefined> {
  const { entries } = await readKeystoreFile(content, secrets[password] ?? '', { path, keyPassword: keyPassword === undefined ? undefined : secrets[keyPassword] })
  const entry = entries[placeOfAlias(entries.map((one) => one.alias), alias)]
  if (entry === undefined) return undefined
  const [leaf] = entry.chainPem
  return {
    placed: { path, digest: sha256Hex(content), entry: { alias, leaf: leaf === undefined ? '' : leafDigest(leaf) } },
    where: `The entry "${alias}" of ${path}`, what: leaf === undefined ? 'a key without certificate' : certificateWords(leaf),
  }
}

/** SHA-256 of the DER of a certificate in PEM, hex. */
export const leafDigest = (pem: string): string => sha256Hex(splitPem(pem)[0]?.der ?? pem)

function certificateWords(certificate: string | Uint8Array): string {
  const { subject, fingerprint } = readCertificate(certificate)
  return `the certificate of ${subject === '' ? 'a holder without name' : subject} (SHA-256 ${fingerprint})`
}

async function describe(content: Uint8Array): Promise<string> {
  try {
    const { certificates: [leaf], keys } = await readContainer(content)
    if (leaf !== undefined) return certificateWords(leaf)
    if (keys.length > 0) return 'a private key'
  } catch {
    // Something else: its size is all that can be said.
  }
  return `something else (${content.length} bytes)`
}
