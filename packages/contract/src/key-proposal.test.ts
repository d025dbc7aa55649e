import assert from 'node:assert/strict'
import { test } from 'node:test'
import { proposedKeyAlgorithm } from './key-proposal.ts'
import { keyAlgorithms, type KeyAlgorithm } from './states.ts'

test('the kind of key in use is proposed again, a longer one where it is too short, EC P-256 without a hint', () => {
  const propose = (present: string | undefined, offered: readonly KeyAlgorithm[] = keyAlgorithms) => proposedKeyAlgorithm(present, offered)
  assert.deepEqual(['rsa-3072', 'ec-384', 'rsa-1024', 'dsa-1024', undefined].map((present) => propose(present)), ['rsa-3072', 'ec-384', 'rsa-2048', 'ec-256', 'ec-256'])
  assert.deepEqual([propose('ed25519', ['rsa-2048', 'ec-256']), propose('rsa-4096', ['rsa-2048', 'ec-256']), propose('ec-256', ['rsa-4096'])], ['ec-256', 'rsa-2048', 'rsa-4096'])
})
