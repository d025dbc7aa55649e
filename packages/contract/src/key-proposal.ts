import type { KeyAlgorithm } from './states.ts'

/**
 * The kind of key to propose for what follows a certificate: the same, as what serves it may take no other (a slot for RSA
 * alone, an old client); RSA that is too short becomes RSA 2048; without a hint EC P-256.
 * @param present of the certificate in use, as its version says it, e.g. "rsa-1024"; undefined: there is none
 * @param offered by the authority
 */
export function proposedKeyAlgorithm(present: string | undefined, offered: readonly KeyAlgorithm[]): KeyAlgorithm {
  const wanted = [present, ...(present?.startsWith('rsa') ? ['rsa-2048'] : []), 'ec-256']
  return wanted.map((one) => offered.find((kind) => kind === one)).find((kind) => kind !== undefined) ?? offered[0] ?? 'ec-256'
}
