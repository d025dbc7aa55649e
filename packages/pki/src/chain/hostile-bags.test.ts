import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { objectIdentifier, sequence } from '../der/der-writer.ts'
import { generateKey } from '../key/key.ts'
import { isIssuedBy, isSelfSigned, orderChain } from './chain.ts'
import { make, nameOf, testKey } from './chain-testing.ts'
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

test('a hundred certificates of one name that none of them signed are put in order in bounded time', async () => {
  const issuer = await make({ name: 'Issuer', key: await testKey('stranger', 'ec-521') })
  const subject = nameOf(['2.5.4.3', 'One name'])
  const all = await Promise.all(Array.from({ length: 100 }, async () =>
    make({ name: 'One name', subject, issuer: { ...issuer, subject }, isCa: true, key: createPrivateKey(await generateKey('ec-521')), authorityKeyId: null })))
  const began = performance.now()
  assert.equal(orderChain(all.map(({ facts }) => facts)).length, 1)
  assert.ok(performance.now() - began < 10_000)
})

test('a signature that can not be checked shows no issuer', async () => {
  const issuer = await make({ name: 'Issuer', isCa: true })
  const signer = { algorithm: sequence(objectIdentifier('1.2.3.4')), sign: () => Promise.resolve(Buffer.of(1)) }
  const leaf = await make({ name: 'www.example.com', issuer, signer })
  assert.equal(isIssuedBy(leaf.facts, issuer.facts), false)
  assert.equal(isSelfSigned((await make({ name: 'Issuer', isCa: true, signer })).facts), true)
  assert.deepEqual(orderChain([leaf.facts, issuer.facts]), [leaf.facts])
})
