import { X509Certificate } from 'node:crypto'
import { botPaths, CertloopError, sha256Hex, TrustAnchor } from '@certloop/contract'
import { readAnswer } from './answer.ts'
import { createTransport, type TransportOptions } from './transport.ts'

/**
 * Asks the control plane for its trust anchor and compares it with the pin of the join token. The connection is not
 * trusted and is closed; nothing but this one GET goes over it.
 * @param pin SHA-256 of the anchor's SPKI, lower-case hex.
 * @returns PEM of the anchor, the one certificate to trust from now on.
 * @throws CertloopError PIN_MISMATCH, CONTROL_PLANE_UNREACHABLE, ANSWER_INVALID
 */
export async function fetchPinnedAnchor(pin: string, connection: Omit<TransportOptions, 'trust'>): Promise<string> {
  const transport = createTransport({ ...connection, trust: 'unverified' })
  try {
    const answer = await transport.send({ method: 'GET', path: botPaths.trustAnchor, timeoutMs: 30_000 })
    const { certificatePem } = readAnswer(TrustAnchor, answer, 'The trust anchor')
    const found = pinOf(certificatePem)
    if (found === pin) return certificatePem
    throw new CertloopError('PIN_MISMATCH', `${connection.url.origin} showed a trust anchor with pin ${found}; the join token says ${pin}.`, { address: connection.url.origin, found, expected: pin })
  } finally {
    transport.close()
  }
}

/** SHA-256 (hex) of the SPKI of the one certificate in this text. */
function pinOf(pem: string): string {
  try {
    if (pem.split('-----BEGIN ').length !== 2) throw new Error('not exactly one certificate')
    return sha256Hex(new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' }))
  } catch (error) {
    throw new CertloopError('ANSWER_INVALID', `The trust anchor that the control plane sent can not be read: ${(error as Error).message}.`, {}, error)
  }
}
