/**
 * SHA-256 of the SubjectPublicKeyInfo of keys whose private half is printed in a document that everybody reads, or is
 * the first thing anybody would try. Points in uncompressed form.
 */
export const publishedKeys: ReadonlyMap<string, string> = new Map([
  ['9a9e5b0f404f4e2d4386e38b04ac91e535946dc2a7f8d84a31404b476e5c35e1', 'RFC 9500, RSA 1024'],
  ['8fb6bad671cfe698393c453357da61b56d757ab8c0f3fb9c87f2849e63131878', 'RFC 9500, RSA 2048'],
  ['96465ea5dc9bb2da7b351d808a7196e5761f2412a5040131c68d719aaba28fb9', 'RFC 9500, RSA 4096'],
  ['b2b04340cfaee616ec9c2c62d261b208e54bb197498df52e8cadede23ac0ba5e', 'RFC 9500, P-256'],
  ['c4c10105a0be0ed4dd3354428dc38a9bfee64da141ce16e75c94eda272f9dd3a', 'RFC 9500, P-384'],
  ['acb1b8327fef995e2458fdf5e3c33b2dc0749feabd6a894cb9bda9d70ac06c24', 'RFC 9500, P-521'],
  ['5cd252fb0ce8932436faf8ccd1040981b89ee4ad6b9fe9e2a2b7e71aacb27cd3', 'the secret number 1 on P-256'],
  ['29f8fe74f38c49d49810cec736a26732a30bff2e64827b709a1c63340d4f7181', 'the secret number 1 on P-384'],
  ['dcaa139396632a8daba1ba49ceccce0c417786f014698a06221b083d77754bda', 'the secret number 1 on P-521'],
  ['5a7a78cca4a0f420d9bc62bb669c3c2759e39f723d3ae10dcbe0f0815a07ecd4', 'RFC 6979, A.2.5, P-256'],
  ['2f95601fa82060b909bfc6b979dbd303d34d34e0afb27ea496beac362f242a4b', 'RFC 6979, A.2.6, P-384'],
  ['2fb6d46385242ea4ad431f7175e7014eb74a5fc60f65b50ca54cc23c5b08de38', 'RFC 6979, A.2.7, P-521'],
  ['06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9', 'RFC 8032, 7.1, test 1'],
  ['deb2ded39dc26fce0e6085b6fc34bf6b5941913bbfe2ea614113cff9e004c170', 'RFC 8032, 7.1, test 2'],
  ['8d39ba50abe50f77b6bb8ae7b6927aff7ffbeba35ad2837c0e51e82bcbcc60d5', 'RFC 8032, 7.1, test 3'],
  ['a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d253681f', 'RFC 8410, 10.3'],
  ['339e2ff917630507b6a423b5ce084e285d1fa65d93b3e27a6195d3bbebc9ae23', 'an Ed25519 seed of zeros'],
  ['837832708c5236d951581f1fddf2b79991b3424a0486d16da1ddad0fd69701be', 'RFC 9881, C, ML-DSA-44'],
  ['7de1bacd9f9f9a3688803d8b12af4e3536fe21768190db594b0d96c99383c548', 'an ML-DSA-44 seed of zeros'],
  ['b8b62131bfbe84433efb2273d7f5b87f7a22854a2cfd366fc2aead86d837c52d', 'RFC 9881, C, ML-DSA-65'],
  ['74a967da48075517e7e93c468a90724f4e96ce11ff30c3288c4b708583d711e0', 'an ML-DSA-65 seed of zeros'],
  ['07e57c4f14dbad1267f621ec3777b4e2e6c4fbc4c22fbb87510ff8e0b3c6a642', 'RFC 9881, C, ML-DSA-87'],
  ['aec8ffe33b0b73ede7acfd64d760272d3160f61f40cb80dbf023db6f06236cf3', 'an ML-DSA-87 seed of zeros'],
])
