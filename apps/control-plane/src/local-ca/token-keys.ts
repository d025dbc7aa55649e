import { CertloopError, type KeyAlgorithm } from '@certloop/contract'
import type { Token } from '@certloop/pkcs11'
import type { Settings } from '../settings.ts'
import type { TokenKeys } from './issuer-open.ts'

/** A token, opened at its first use and kept open; its library is loaded only then. */
export interface OpenedTokenKeys extends TokenKeys { close(): Promise<void> }

/** @returns undefined when no module is configured. @throws CertloopError SETTINGS_INVALID when only a part of it is */
export function tokenKeysOf({ pkcs11Module, pkcs11Token, pkcs11Pin }: Pick<Settings, 'pkcs11Module' | 'pkcs11Token' | 'pkcs11Pin'>): OpenedTokenKeys | undefined {
  if (pkcs11Module === null) return undefined
  if (pkcs11Token === null || pkcs11Pin === null) {
    throw new CertloopError('SETTINGS_INVALID', `A PKCS#11 module is set, and ${pkcs11Token === null ? 'the label of its token (--pkcs11-token)' : 'the PIN of its token (CERTLOOP_PKCS11_PIN)'} is missing.`, { setting: pkcs11Token === null ? '--pkcs11-token' : 'CERTLOOP_PKCS11_PIN' })
  }
  let opened: Promise<Token> | undefined
  const token = async (): Promise<Token> => {
    opened ??= import('@certloop/pkcs11').then(({ openToken }) => openToken({ modulePath: pkcs11Module, tokenLabel: pkcs11Token, pin: pkcs11Pin }))
    try {
      return await opened
    } catch (error) {
      // A wrong PIN is asked for once in the life of the process: tokens lock themselves after a few.
      if (!(error instanceof CertloopError && error.code === 'PKCS11_PIN_WRONG')) opened = undefined
      throw error
    }
  }
  return {
    async signer(reference, hash) {
      return (await (await token()).findKey(reference)).signer(hash === null ? {} : { digest: hash })
    },
    async generate(label, algorithm) {
      const { spki, id } = await (await token()).generateKey({ label, algorithm: algorithm as KeyAlgorithm })
      return { reference: { label, id }, spki }
    },
    async close() {
      await (await opened?.catch(() => undefined))?.close()
      opened = undefined
    },
  }
}
