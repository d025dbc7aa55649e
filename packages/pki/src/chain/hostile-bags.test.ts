import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { make } from './chain-testing.ts'
import { groupIdentities } from './identities.ts'

test('thousands of keys without a certificate are sorted in linear time', async () => {
  const { facts } = await make({ name: 'www.example.com' })
  const keys = Array.from({ length: 1_000 }, () => generateKeyPairSync('ed25519').privateKey)
  const [first] = keys
  assert.ok(first)
  const began = performance.now()
  assert.deepEqual(groupIdentities({ certificates: [facts], keys: [...keys, first] }).restKeys, keys.map((_, place) => place))
  // A timeout can not interrupt what holds the event loop: the clock has to be asked.
  assert.ok(performance.now() - began < 10_000)
})
