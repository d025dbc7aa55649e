import { createPrivateKey } from 'node:crypto'
import { CertloopError, type IssuerId } from '@certloop/contract'
import { certificateParts, keyIdOfSpki, keySigner, type Signer } from '@certloop/pki'
import { fromJson } from '../database/columns.ts'
import type { Db, Tx } from '../database/database.ts'
import type { Secrets } from '../secret/secrets.ts'
import type { Issuer, IssuerSettings } from './issuer.ts'
import { issuerRow, settingsOf, type IssuerRow, type KeyReference } from './issuer-store.ts'
import type { Lifetime } from './profiles.ts'

export const issuerKeyBinding = (id: IssuerId): string => `issuer:${id}:key`

/** Keys in a PKCS#11 token; absent when no token is configured. */
export interface TokenKeys {
  /** @throws CertloopError PKCS11_UNAVAILABLE, PKCS11_PIN_WRONG, PKCS11_KEY_NOT_FOUND */
  signer(reference: KeyReference, hash: IssuerSettings['hash']): Promise<Signer>
  generate(label: string, algorithm: string): Promise<{ reference: KeyReference; spki: Buffer }>
}

/** An issuer ready to sign, under its preferred certificate. */
export interface OpenIssuer extends Lifetime { issuer: Issuer; /** Name, DER, as its certificate has it. */ subject: Buffer; keyId: Buffer; spki: Buffer; signer: Signer }

export type IssuerKeys = ReturnType<typeof createIssuerKeys>

/** Opens the keys of issuers and keeps them open: what a row says of its key never changes. */
export function createIssuerKeys({ secrets, tokenKeys }: { secrets: Secrets; tokenKeys?: TokenKeys | undefined }) {
  const opened = new Map<string, Promise<Signer>>()

  async function open(row: IssuerRow): Promise<Signer> {
    const { hash } = settingsOf(row)
    if (row.keySource === 'sealed' && row.sealedKey !== null) {
      return keySigner(createPrivateKey(secrets.open(row.sealedKey, issuerKeyBinding(row.id)).toString()), hash === null || !/^(rsa|ec)-/.test(row.keyAlgorithm) ? {} : { hash })
    }
    if (row.keySource === 'pkcs11' && row.keyReference !== null) {
      if (!tokenKeys) throw new CertloopError('PKCS11_UNAVAILABLE', `The key of the issuer "${row.name}" is in a PKCS#11 token, and no module is configured.`, { issuer: row.name })
      return tokenKeys.signer(fromJson<KeyReference>(row.keyReference), hash)
    }
    throw new CertloopError('ISSUER_NOT_READY', `The key of the issuer "${row.name}" is not here: only its certificate is.`, { issuer: row.name })
  }

  return {
    tokenKeys,
    /** @throws CertloopError ISSUER_NOT_READY, PKCS11_…, SECRET_UNREADABLE */
    async signerOf(db: Db | Tx, id: IssuerId): Promise<Signer> {
      let signer = opened.get(id)
      if (!signer) {
        signer = open(await issuerRow(db, id))
        opened.set(id, signer)
        // A token that is away now may be back later.
        signer.catch(() => opened.delete(id))
      }
      return signer
    },
    seal: (id: IssuerId, keyPem: string): string => secrets.seal(keyPem, issuerKeyBinding(id)),
  }
}

/** @throws CertloopError ISSUER_NOT_READY when it waits for its certificate; and as signerOf */
export async function openIssuer(db: Db | Tx, keys: IssuerKeys, issuer: Issuer): Promise<OpenIssuer> {
  const { certificate } = issuer
  if (!certificate) throw new CertloopError('ISSUER_NOT_READY', `The issuer "${issuer.name}" waits for its certificate.`, { issuer: issuer.name })
  const parts = certificateParts(certificate.certificatePem)
  const { notBefore, notAfter } = certificate
  return { issuer, notBefore, notAfter, subject: parts.subject.raw, spki: parts.spki.raw, keyId: keyIdentifier(parts), signer: await keys.signerOf(db, issuer.id) }
}

/** Its own subject key identifier where it has one (an imported CA may have made it another way), for authority key identifiers. */
function keyIdentifier({ extensions, spki }: ReturnType<typeof certificateParts>): Buffer {
  const own = extensions.get('2.5.29.14')
  return own && own[0] === 0x04 && own[1] === own.length - 2 ? own.subarray(2) : keyIdOfSpki(spki.raw)
}
