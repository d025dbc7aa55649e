import { CertloopError, type HttpRequestStep, type KeystoreEntryStep, type Material, type Plan, sha256Hex, type SocketCommandStep, type Step, type WriteFileStep } from '@certloop/contract'
import { encodingProblem, keystoreDigest, materialDigest, type PlanMaterial } from '@certloop/plugin-kit'
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { posix, win32 } from 'node:path'
import type { RunMaterial } from './steps/executor.ts'
import type { KeySource } from './types.ts'

/** What a driver may know of the material. @throws CertloopError PLAN_FAILED when the chain can't be read or isn't the named version */
export function planMaterial({ chainPem: given, fingerprint }: Material): PlanMaterial {
  const certificates = readChain(given)
  const [leaf] = certificates
  const seen = leaf.fingerprint256.replaceAll(':', '').toLowerCase()
  if (seen !== fingerprint) throw new CertloopError('PLAN_FAILED', `The first certificate of the chain is ${seen.slice(0, 16)}…, not ${fingerprint.slice(0, 16)}… as named.`)
  const type = leaf.publicKey.asymmetricKeyType ?? ''
  const keyType = type.startsWith('rsa') ? 'rsa' : type === 'ec' ? 'ec' : 'other'
  // Written anew: what stood around a certificate would go into files of root's.
  return { chainPem: certificates.map((certificate) => certificate.toString()), fingerprint, spkiDigest: spkiDigest(leaf.publicKey), keyType }
}

function readChain(chainPem: readonly string[]): [X509Certificate, ...X509Certificate[]] {
  try {
    const [leaf, ...issuers] = chainPem.map((pem) => new X509Certificate(pem))
    if (leaf !== undefined) return [leaf, ...issuers]
  } catch (error) {
    throw new CertloopError('PLAN_FAILED', `The chain holds something that is not a certificate: ${(error as Error).message}.`, {}, error)
  }
  throw new CertloopError('PLAN_FAILED', 'The chain is empty.')
}

const spkiDigest = (key: KeyObject) => sha256Hex(key.export({ type: 'spki', format: 'der' }))

/**
 * Fetches the private key and makes sure that it belongs to the leaf.
 * @throws CertloopError KEY_NOT_FOUND, KEY_MISMATCH
 */
export async function openMaterial(material: Material, plan: PlanMaterial, keys: KeySource): Promise<RunMaterial> {
  const keyPem = await keys.privateKeyPem(material.keyId)
  if (publicDigest(keyPem, material.keyId) !== plan.spkiDigest) {
    throw new CertloopError('KEY_MISMATCH', `The private key ${material.keyId} does not belong to the certificate ${material.fingerprint.slice(0, 16)}….`, { keyId: material.keyId, fingerprint: material.fingerprint })
  }
  return { plan, keyPem }
}

function publicDigest(keyPem: string, keyId: string): string {
  try {
    return spkiDigest(createPublicKey(createPrivateKey(keyPem)))
  } catch (error) {
    // The parser's own words are left out: they could quote the key.
    throw new CertloopError('KEY_MISMATCH', `The private key ${keyId} can not be read.`, { keyId }, error)
  }
}

/**
 * A driver's steps may write the material and nothing else, each file once, prove the material's leaf, and name only
 * secrets that came with them.
 * @throws CertloopError PLAN_FAILED naming the step
 */
export function checkSteps({ steps }: Pick<Plan, 'steps'>, material: PlanMaterial, secrets: Readonly<Record<string, string>> = {}): void {
  const paths = new Set<string>()
  for (const [index, step] of steps.entries()) {
    const problem = ownProblem(step) ?? problemOf(step, material, paths) ?? missingSecret(step, secrets) ?? badExpression(step)
    if (problem !== undefined) throw new CertloopError('PLAN_FAILED', `Step ${index + 1} of the plan ${problem}.`, { step: index })
  }
}

const ownProblem = (step: Step) => (step.kind === 'restore-file' || step.kind === 'remove-directory' ? `would put ${step.path} back, which only the engine itself does` : undefined)

function problemOf(step: Step, material: PlanMaterial, paths: Set<string>): string | undefined {
  if (step.kind === 'prove') return step.expect === material.fingerprint ? undefined : 'would prove another certificate than the one to install'
  if (!('path' in step)) return undefined
  const rules = step.path.startsWith('/') ? posix : win32
  if (!rules.isAbsolute(step.path) || rules.normalize(step.path) !== step.path) return `names ${step.path}, which is not a plain absolute path`
  if (paths.has(step.path)) return `names ${step.path} a second time`
  paths.add(step.path)
  if (step.kind === 'keystore-entry' && step.contentDigest !== keystoreDigest(step.alias, material)) return `would put something else than the material into ${step.path}`
  return step.kind === 'write-file' ? writeProblem(step, material) : undefined
}

function writeProblem({ path, part, encoding, contentDigest }: WriteFileStep, material: PlanMaterial): string | undefined {
  const problem = encodingProblem(part, encoding)
  if (problem !== undefined) return `makes no sense: ${path} ${problem}`
  return contentDigest === materialDigest(part, material, encoding) ? undefined : `would write something else than the material into ${path}`
}

const secretNames = (step: HttpRequestStep | KeystoreEntryStep): (string | undefined)[] => (step.kind === 'http-request' ? [step.authorization?.password] : [step.password, step.keyPassword])

function missingSecret(step: Step, secrets: Readonly<Record<string, string>>): string | undefined {
  if (step.kind !== 'http-request' && step.kind !== 'keystore-entry') return undefined
  const missing = secretNames(step).find((name) => name !== undefined && secrets[name] === undefined)
  return missing === undefined ? undefined : `names a secret "${missing}" that did not come with it`
}

const expressionsOf = (step: HttpRequestStep | SocketCommandStep): (string | undefined)[] => (step.kind === 'http-request' ? [step.expect.body] : step.commands.map(({ expect }) => expect))

function badExpression(step: Step): string | undefined {
  if (step.kind !== 'http-request' && step.kind !== 'socket-command') return undefined
  const bad = expressionsOf(step).find((text) => text !== undefined && !isExpression(text))
  return bad === undefined ? undefined : `expects an answer like "${bad}", which is no regular expression`
}

function isExpression(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp
  } catch {
    return false
  }
}
