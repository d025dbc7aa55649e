export { generateKey, keyAlgorithmOf, keyMatchesCertificate, readPrivateKey, spkiDigestOfPrivateKey } from './key.ts'
export { keySigner, type Signer } from './signature.ts'
export { keyAlgorithmOfSpki, keyIdOfSpki, sha256Hex, spkiOfKey } from './spki.ts'
