import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { fuzzParser } from './fuzz-testing.ts'
import { certificateParts, certIdOf, issuerHashes, keyAlgorithmOfSpki, keyIdOfSpki, nameOfCommonName, responderKeyHash, textOfName } from './index.ts'

const spki = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'der' })
const subject = nameOfCommonName('Example CA')

test('readers of parts throw CertloopError and nothing else, whatever the input', { timeout: 120_000 }, async () => {
  const readers = {
    KEY_INVALID: [keyIdOfSpki, keyAlgorithmOfSpki, responderKeyHash, (bytes: Buffer) => issuerHashes({ subject, spki: bytes }), (bytes: Buffer) => certIdOf({ subject, spki: bytes }, '01')],
    NAME_INVALID: [textOfName], CERTIFICATE_INVALID: [certificateParts],
  } as const
  for (const [code, all] of Object.entries(readers)) {
    for (const read of all) {
      assert.throws(() => read(Buffer.from('3001', 'hex')), { name: 'CertloopError', code })
      await fuzzParser({ corpus: [spki, subject], parse: (input: Buffer) => read(input), codes: ['KEY_INVALID', 'NAME_INVALID', 'CERTIFICATE_INVALID', 'PEM_INVALID'], milliseconds: 500 })
    }
  }
})
