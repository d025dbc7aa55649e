import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { CertloopError, isId, newId, subjectPartsOf, type CsrRequest, type KeyAlgorithm, type KeyId, type MakeCsrResult, type OrderId } from '@certloop/contract'
import { createCsr, generateKey, type CsrContent, type KeyUsage, type SignerOptions } from '@certloop/pki'
import { readIfThere, writeDurably } from '../durable-file.ts'

export interface CsrOrder { orderId: OrderId; commonName: string | null; names: readonly string[]; keyAlgorithm: KeyAlgorithm; reuseKeyId: KeyId | null; request?: CsrRequest }

/**
 * Private keys made on this host. They leave it never: the CSR and the key's id are all that is sent.
 * `keys/KEYID.pem` is the key, `keys/orders/ORDERID.json` says which key an order has; all for the owner alone.
 */
export interface KeyStore {
  /**
   * The key of an order and a CSR signed by it. The key is on disk before this returns. Asked again for the same
   * order, it answers with the same key.
   * @throws CertloopError KEY_NOT_MADE, KEY_NOT_FOUND (reuseKeyId), NAME_INVALID, INPUT_INVALID (usages, digest)
   */
  csrFor(order: CsrOrder): Promise<MakeCsrResult>
  /** PKCS#8 PEM. @throws CertloopError KEY_NOT_FOUND */
  privateKeyPem(keyId: KeyId): Promise<string>
}

export function createKeyStore({ folder, now }: { folder: string; now: () => Date }): KeyStore {
  const keyPath = (keyId: KeyId) => join(folder, `${keyId}.pem`)
  const orderPath = (orderId: OrderId) => join(folder, 'orders', `${orderId}.json`)
  const underWay = new Map<OrderId, Promise<KeyId>>()

  async function privateKeyPem(keyId: KeyId): Promise<string> {
    const pem = isId('key', keyId) ? await readIfThere(keyPath(keyId)) : undefined
    if (pem === undefined) throw new CertloopError('KEY_NOT_FOUND', `The key ${keyId} is not in ${folder}.`, { keyId })
    return pem
  }

  async function makeKey({ orderId, keyAlgorithm }: CsrOrder): Promise<KeyId> {
    await mkdir(join(folder, 'orders'), { recursive: true, mode: 0o700 })
    await chmod(folder, 0o700)
    const known = await keyOfOrder(orderPath(orderId), keyAlgorithm)
    // Without its key, the entry is of no use: the folder was put back from a backup without the newest keys.
    if (known && await readIfThere(keyPath(known)) !== undefined) return known
    const keyId = newId('key', now())
    await writeDurably(keyPath(keyId), await generateKey(keyAlgorithm))
    await writeDurably(orderPath(orderId), JSON.stringify({ keyId, keyAlgorithm }))
    return keyId
  }

  const keyFor = (order: CsrOrder): Promise<KeyId> => {
    const present = underWay.get(order.orderId)
    if (present) return present
    const made = makeKey(order).finally(() => underWay.delete(order.orderId))
    underWay.set(order.orderId, made)
    return made
  }

  return {
    privateKeyPem,
    async csrFor(order) {
      const keyId = order.reuseKeyId ?? await keyFor(order).catch((error: unknown) => {
        throw new CertloopError('KEY_NOT_MADE', `The private key could not be made in ${folder}: ${(error as Error).message}.`, { folder }, error)
      })
      return { keyId, csrPem: await createCsr({ privateKeyPem: await privateKeyPem(keyId), commonName: order.commonName, names: order.names, ...wishesOf(order.request ?? {}) }) }
    },
  }
}

/** What the request says besides names and key. Words that there are not are refused as it is made. */
function wishesOf({ subject, signatureAlgorithm, keyUsages, extendedKeyUsages, mustStaple }: CsrRequest): Pick<CsrContent, 'subject' | 'keyUsage' | 'extendedKeyUsage' | 'mustStaple'> & Pick<SignerOptions, 'hash'> {
  return {
    ...(subject ? { subject: subjectPartsOf(subject) } : {}), ...(signatureAlgorithm ? { hash: signatureAlgorithm } : {}),
    ...(keyUsages ? { keyUsage: keyUsages as KeyUsage[] } : {}), ...(extendedKeyUsages ? { extendedKeyUsage: extendedKeyUsages } : {}), ...(mustStaple ? { mustStaple } : {}),
  }
}

async function keyOfOrder(path: string, algorithm: KeyAlgorithm): Promise<KeyId | undefined> {
  const text = await readIfThere(path)
  if (text === undefined) return undefined
  const { keyId, keyAlgorithm } = JSON.parse(text) as { keyId: string; keyAlgorithm: string }
  return isId('key', keyId) && keyAlgorithm === algorithm ? keyId : undefined
}
