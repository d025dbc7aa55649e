import { CertloopError } from '@certloop/contract'
import { der } from '@certloop/pki'
import { digestMechanisms, mechanism, type Digest } from './constants.ts'

export interface SignerOptions {
  /** Default as the strength of the key: SHA-256 for RSA and P-256, SHA-384 for P-384, SHA-512 for P-521. Not for Ed25519. */
  digest?: Digest
  /** RSASSA-PSS with a salt as long as the digest (RFC 4055) instead of PKCS#1 version 1.5. RSA only. */
  pss?: boolean
}

type Padding = 'rsaPkcs' | 'rsaPss' | 'ecdsa'
export interface Scheme {
  /** AlgorithmIdentifier, DER. */
  algorithm: Buffer
  mechanism: number
  parameter?: Buffer
  /** Hashed here, unless the token only has mechanisms that do it themselves. */
  digest: Digest | null
  /** What comes before the digest: DigestInfo without its last bytes (RFC 8017, 9.2). */
  prefix: Buffer
  padding: Padding | 'eddsa'
  /** To check a signature with node:crypto. */
  hash: Digest | null
}

const digestOids: Record<Digest, string> = { sha256: '2.16.840.1.101.3.4.2.1', sha384: '2.16.840.1.101.3.4.2.2', sha512: '2.16.840.1.101.3.4.2.3' }
const digestSizes: Record<Digest, number> = { sha256: 32, sha384: 48, sha512: 64 }
const rsaOids: Record<Digest, string> = { sha256: '1.2.840.113549.1.1.11', sha384: '1.2.840.113549.1.1.12', sha512: '1.2.840.113549.1.1.13' }
const ecdsaOids: Record<Digest, string> = { sha256: '1.2.840.10045.4.3.2', sha384: '1.2.840.10045.4.3.3', sha512: '1.2.840.10045.4.3.4' }
const usualDigests: Readonly<Record<string, Digest>> = { 'ec-256': 'sha256', 'ec-384': 'sha384', 'ec-521': 'sha512' }

const digestAlgorithm = (digest: Digest): Buffer => der.sequence(der.objectIdentifier(digestOids[digest]), der.nullElement())

function algorithmIdentifier(padding: Padding, digest: Digest): Buffer {
  if (padding === 'ecdsa') return der.sequence(der.objectIdentifier(ecdsaOids[digest]))
  if (padding === 'rsaPkcs') return der.sequence(der.objectIdentifier(rsaOids[digest]), der.nullElement())
  const hash = digestAlgorithm(digest)
  return der.sequence(der.objectIdentifier('1.2.840.113549.1.1.10'), der.sequence(
    der.explicit(0, hash), der.explicit(1, der.sequence(der.objectIdentifier('1.2.840.113549.1.1.8'), hash)), der.explicit(2, der.smallInteger(digestSizes[digest])),
  ))
}

/** DigestInfo up to the digest, which follows. */
const digestInfoPrefix = (digest: Digest): Buffer => {
  const size = digestSizes[digest]
  return der.sequence(digestAlgorithm(digest), der.octetString(Buffer.alloc(size))).subarray(0, -size)
}

function paddingOf(algorithm: string, pss: boolean): Padding {
  if (usualDigests[algorithm]) return 'ecdsa'
  if (!/^rsa-\d+$/.test(algorithm)) throw unsupported(algorithm)
  return pss ? 'rsaPss' : 'rsaPkcs'
}

function edwardsScheme(mechanisms: ReadonlySet<number>): Scheme {
  if (!mechanisms.has(mechanism.eddsa)) throw unsupported('ed25519')
  return { algorithm: der.sequence(der.objectIdentifier('1.3.101.112')), mechanism: mechanism.eddsa, digest: null, prefix: Buffer.alloc(0), padding: 'eddsa', hash: null }
}

/** How keys of this algorithm sign in a token with these mechanisms. @throws CertloopError KEY_ALGORITHM_UNSUPPORTED */
export function schemeOf(algorithm: string, { digest, pss = false }: SignerOptions, mechanisms: ReadonlySet<number>, ulong: (value: number) => Buffer): Scheme {
  if (algorithm === 'ed25519') return edwardsScheme(mechanisms)
  const padding = paddingOf(algorithm, pss)
  const hash = digest ?? usualDigests[algorithm] ?? 'sha256'
  const parameter = padding === 'rsaPss' ? { parameter: pssParameter(hash, ulong) } : {}
  const common = { algorithm: algorithmIdentifier(padding, hash), padding, hash, ...parameter }
  // Hashing here sends the token a few bytes instead of a list of a million entries; some tokens only allow the other way.
  if (mechanisms.has(mechanism[padding])) return { ...common, mechanism: mechanism[padding], digest: hash, prefix: padding === 'rsaPkcs' ? digestInfoPrefix(hash) : Buffer.alloc(0) }
  const inside = digestMechanisms[hash][padding]
  if (!mechanisms.has(inside)) throw unsupported(algorithm)
  return { ...common, mechanism: inside, digest: null, prefix: Buffer.alloc(0) }
}

/** CK_RSA_PKCS_PSS_PARAMS: digest, mask function, length of the salt. */
const pssParameter = (hash: Digest, ulong: (value: number) => Buffer): Buffer => Buffer.concat([digestMechanisms[hash].digest, digestMechanisms[hash].mgf, digestSizes[hash]].map(ulong))

const unsupported = (algorithm: string): CertloopError => new CertloopError('KEY_ALGORITHM_UNSUPPORTED', `The token can not sign with keys of the kind ${algorithm}.`)
