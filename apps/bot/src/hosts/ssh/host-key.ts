import { CertloopError } from '@certloop/contract'
import { createHash } from 'node:crypto'

/** Names of the algorithms by kind of key. RSA with SHA-2 alone (RFC 8332): SHA-1 proves nothing any more. */
export const hostKeyFamilies: Record<string, readonly string[]> = {
  'ed25519': ['ssh-ed25519'],
  'ecdsa': ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'],
  'rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
}

export interface SeenHostKey { keyType: string; fingerprint: string }

/** @param blob the key as it goes over the wire (RFC 4253 section 6.6), beginning with the name of its type */
export function describeHostKey(blob: Buffer): SeenHostKey {
  const keyType = blob.length >= 4 ? blob.subarray(4, 4 + blob.readUInt32BE(0)).toString('latin1') : ''
  return { keyType, fingerprint: `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}` }
}

/** The family of a type as a key names it: "ssh-rsa" is RSA's name whatever it signs with. */
export const familyOf = (keyType: string): string | undefined =>
  keyType === 'ssh-rsa' ? 'rsa' : Object.keys(hostKeyFamilies).find((family) => hostKeyFamilies[family]?.includes(keyType))

interface Place { host: string; port: number }

export function unknownHostKey({ host, port }: Place, { keyType, fingerprint }: SeenHostKey): CertloopError {
  return new CertloopError('HOST_KEY_UNKNOWN', `The key of ${host} port ${port} was never confirmed. It shows the ${keyType} key ${fingerprint}. No password or key was sent.`, { host, port, keyType, fingerprint })
}

export function changedHostKey({ host, port, hostKey }: Place & { hostKey: string }, seen: readonly SeenHostKey[]): CertloopError {
  const [first] = seen
  const shown = seen.map(({ keyType, fingerprint }) => `${keyType} ${fingerprint}`).join(', ')
  return new CertloopError('HOST_KEY_CHANGED', `${host} port ${port} does not show the confirmed key ${hostKey}. It shows ${shown}. No password or key was sent.`, { host, port, keyType: first?.keyType ?? '', fingerprint: first?.fingerprint ?? '', confirmed: hostKey })
}
