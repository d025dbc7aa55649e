/** Numbers of PKCS#11 version 2.40 and 3.0 that this package uses, by their names in the standard without the prefix. */
export const flag = {
  rwSession: 0x2, serialSession: 0x4, osLockingOk: 0x2,
  writeProtected: 0x2, loginRequired: 0x4, userPinInitialized: 0x8, protectedAuthenticationPath: 0x100, tokenInitialized: 0x400,
  userPinCountLow: 0x1_0000, userPinFinalTry: 0x2_0000, userPinLocked: 0x4_0000,
} as const

export const objectClass = { certificate: 1, publicKey: 2, privateKey: 3 } as const
export const keyType = { rsa: 0, ec: 3, edwards: 0x40 } as const

export const attribute = {
  class: 0x0, token: 0x1, private: 0x2, label: 0x3, value: 0x11, keyType: 0x100, id: 0x102, sensitive: 0x103, sign: 0x108, verify: 0x10a,
  modulus: 0x120, modulusBits: 0x121, publicExponent: 0x122, publicKeyInfo: 0x129, extractable: 0x162, ecParams: 0x180, ecPoint: 0x181,
} as const

export const mechanism = {
  rsaKeyPair: 0x0, rsaPkcs: 0x1, rsaPss: 0xd, ecKeyPair: 0x1040, ecdsa: 0x1041, edwardsKeyPair: 0x1055, eddsa: 0x1057,
} as const

export type Digest = 'sha256' | 'sha384' | 'sha512'
/** Per digest: the digest itself, its mask function, and the mechanisms that hash inside the token. */
export const digestMechanisms = {
  sha256: { digest: 0x250, mgf: 2, rsaPkcs: 0x40, rsaPss: 0x43, ecdsa: 0x1044 },
  sha384: { digest: 0x260, mgf: 3, rsaPkcs: 0x41, rsaPss: 0x44, ecdsa: 0x1045 },
  sha512: { digest: 0x270, mgf: 4, rsaPkcs: 0x42, rsaPss: 0x45, ecdsa: 0x1046 },
} as const satisfies Record<Digest, object>

/** Places in CK_FUNCTION_LIST, counted from the first function. */
export const functionIndex = {
  C_Initialize: 0, C_Finalize: 1, C_GetInfo: 2, C_GetSlotList: 4, C_GetTokenInfo: 6, C_GetMechanismList: 7,
  C_OpenSession: 12, C_CloseSession: 13, C_Login: 18, C_DestroyObject: 22, C_GetAttributeValue: 24,
  C_FindObjectsInit: 26, C_FindObjects: 27, C_FindObjectsFinal: 28, C_SignInit: 42, C_Sign: 43, C_GenerateKeyPair: 59,
} as const
export type FunctionName = keyof typeof functionIndex
