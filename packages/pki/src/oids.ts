/** Object identifiers that this package reads or writes. */
export const oid = {
  commonName: '2.5.4.3',
  extensionRequest: '1.2.840.113549.1.9.14',
  microsoftExtensionRequest: '1.3.6.1.4.1.311.2.1.14',
  subjectKeyIdentifier: '2.5.29.14', keyUsage: '2.5.29.15', subjectAltName: '2.5.29.17', basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35', extendedKeyUsage: '2.5.29.37', nameConstraints: '2.5.29.30', certificatePolicies: '2.5.29.32', crlDistributionPoints: '2.5.29.31',
  crlNumber: '2.5.29.20', reasonCode: '2.5.29.21', invalidityDate: '2.5.29.24', deltaCrlIndicator: '2.5.29.27', certificateIssuer: '2.5.29.29', issuingDistributionPoint: '2.5.29.28', freshestCrl: '2.5.29.46',
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1', ocspAccess: '1.3.6.1.5.5.7.48.1', caIssuersAccess: '1.3.6.1.5.5.7.48.2', ocspBasic: '1.3.6.1.5.5.7.48.1.1', ocspNonce: '1.3.6.1.5.5.7.48.1.2', ocspNoCheck: '1.3.6.1.5.5.7.48.1.5', ocspArchiveCutoff: '1.3.6.1.5.5.7.48.1.6', tlsFeature: '1.3.6.1.5.5.7.1.24', acmeIdentifier: '1.3.6.1.5.5.7.1.31',
  signedCertificateTimestamps: '1.3.6.1.4.1.11129.2.4.2', precertificatePoison: '1.3.6.1.4.1.11129.2.4.3', challengePassword: '1.2.840.113549.1.9.7',
  practiceStatement: '1.3.6.1.5.5.7.2.1',
  userPrincipalName: '1.3.6.1.4.1.311.20.2.3',
  rsa: '1.2.840.113549.1.1.1', rsaPss: '1.2.840.113549.1.1.10', mgf1: '1.2.840.113549.1.1.8',
  sunJksKeyProtector: '1.3.6.1.4.1.42.2.17.1.1', sunPbeWithMd5AndTripleDes: '1.3.6.1.4.1.42.2.19.1',
  pkcs7Data: '1.2.840.113549.1.7.1', signedData: '1.2.840.113549.1.7.2', encryptedData: '1.2.840.113549.1.7.6',
  friendlyName: '1.2.840.113549.1.9.20', localKeyId: '1.2.840.113549.1.9.21', x509Certificate: '1.2.840.113549.1.9.22.1', pbmac1: '1.2.840.113549.1.5.14', pbkdf2: '1.2.840.113549.1.5.12',
  keyBag: '1.2.840.113549.1.12.10.1.1', shroudedKeyBag: '1.2.840.113549.1.12.10.1.2', certBag: '1.2.840.113549.1.12.10.1.3', crlBag: '1.2.840.113549.1.12.10.1.4',
  secretBag: '1.2.840.113549.1.12.10.1.5', safeContentsBag: '1.2.840.113549.1.12.10.1.6', javaTrustedKeyUsage: '2.16.840.1.113894.746875.1.1',
  ecPublicKey: '1.2.840.10045.2.1', ed25519: '1.3.101.112', ed448: '1.3.101.113',
} as const

/** Attribute names of RFC 4514, and the usual ones of openssl for the rest. */
export const attributeNames: Record<string, string> = {
  '2.5.4.3': 'CN', '2.5.4.4': 'SN', '2.5.4.5': 'serialNumber', '2.5.4.6': 'C', '2.5.4.7': 'L', '2.5.4.8': 'ST', '2.5.4.9': 'street',
  '2.5.4.10': 'O', '2.5.4.11': 'OU', '2.5.4.12': 'title', '2.5.4.15': 'businessCategory', '2.5.4.17': 'postalCode', '2.5.4.42': 'GN',
  '2.5.4.97': 'organizationIdentifier', '1.2.840.113549.1.9.1': 'emailAddress', '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC', '1.3.6.1.4.1.311.60.2.1.1': 'jurisdictionL', '1.3.6.1.4.1.311.60.2.1.2': 'jurisdictionST',
  '1.3.6.1.4.1.311.60.2.1.3': 'jurisdictionC',
  '2.5.4.13': 'description', '2.5.4.20': 'telephoneNumber', '2.5.4.41': 'name', '2.5.4.43': 'initials', '2.5.4.44': 'generationQualifier', '2.5.4.46': 'dnQualifier',
  '2.5.4.65': 'pseudonym', '1.2.840.113549.1.9.2': 'unstructuredName', '1.2.840.113549.1.9.8': 'unstructuredAddress',
}

/** Named curve to the word used in key algorithms. */
export const curveWords: Record<string, string> = {
  '1.2.840.10045.3.1.7': 'ec-256', '1.3.132.0.34': 'ec-384', '1.3.132.0.35': 'ec-521', '1.3.132.0.10': 'ec-secp256k1',
  '1.2.840.10045.3.1.1': 'ec-192', '1.3.132.0.33': 'ec-224', '1.3.36.3.3.2.8.1.1.7': 'ec-brainpool256', '1.3.36.3.3.2.8.1.1.11': 'ec-brainpool384', '1.3.36.3.3.2.8.1.1.13': 'ec-brainpool512',
}

/** Keys whose algorithm says all. */
export const plainKeyWords: Record<string, string> = {
  [oid.ed25519]: 'ed25519', [oid.ed448]: 'ed448', '1.3.101.110': 'x25519', '1.2.840.10040.4.1': 'dsa',
  '2.16.840.1.101.3.4.3.17': 'ml-dsa-44', '2.16.840.1.101.3.4.3.18': 'ml-dsa-65', '2.16.840.1.101.3.4.3.19': 'ml-dsa-87',
}

export const hashByOid: Record<string, string> = {
  '1.3.14.3.2.26': 'sha1', '2.16.840.1.101.3.4.2.4': 'sha224', '2.16.840.1.101.3.4.2.1': 'sha256', '2.16.840.1.101.3.4.2.2': 'sha384', '2.16.840.1.101.3.4.2.3': 'sha512',
}

export interface SignatureKind {
  /** As openssl and the RFCs write it. */
  name: string
  /** Digest for node:crypto; null where the algorithm has its own. */
  hash: string | null
  /** asymmetricKeyType of node:crypto that it goes with. */
  key: string
}

/** RSASSA-PSS is not here: its digest is in the parameters. */
export const signatureKinds: Record<string, SignatureKind> = {
  '1.2.840.113549.1.1.2': { name: 'md2WithRSAEncryption', hash: 'md2', key: 'rsa' },
  '1.2.840.113549.1.1.4': { name: 'md5WithRSAEncryption', hash: 'md5', key: 'rsa' },
  '1.2.840.113549.1.1.5': { name: 'sha1WithRSAEncryption', hash: 'sha1', key: 'rsa' },
  '1.2.840.113549.1.1.14': { name: 'sha224WithRSAEncryption', hash: 'sha224', key: 'rsa' },
  '1.2.840.113549.1.1.11': { name: 'sha256WithRSAEncryption', hash: 'sha256', key: 'rsa' },
  '1.2.840.113549.1.1.12': { name: 'sha384WithRSAEncryption', hash: 'sha384', key: 'rsa' },
  '1.2.840.113549.1.1.13': { name: 'sha512WithRSAEncryption', hash: 'sha512', key: 'rsa' },
  '1.2.840.10045.4.1': { name: 'ecdsa-with-SHA1', hash: 'sha1', key: 'ec' },
  '1.2.840.10045.4.3.1': { name: 'ecdsa-with-SHA224', hash: 'sha224', key: 'ec' },
  '1.2.840.10045.4.3.2': { name: 'ecdsa-with-SHA256', hash: 'sha256', key: 'ec' },
  '1.2.840.10045.4.3.3': { name: 'ecdsa-with-SHA384', hash: 'sha384', key: 'ec' },
  '1.2.840.10045.4.3.4': { name: 'ecdsa-with-SHA512', hash: 'sha512', key: 'ec' },
  [oid.ed25519]: { name: 'ED25519', hash: null, key: 'ed25519' },
  [oid.ed448]: { name: 'ED448', hash: null, key: 'ed448' },
  '2.16.840.1.101.3.4.3.17': { name: 'ML-DSA-44', hash: null, key: 'ml-dsa-44' },
  '2.16.840.1.101.3.4.3.18': { name: 'ML-DSA-65', hash: null, key: 'ml-dsa-65' },
  '2.16.840.1.101.3.4.3.19': { name: 'ML-DSA-87', hash: null, key: 'ml-dsa-87' },
}
