import assert from 'node:assert/strict'
import { test } from 'node:test'
import { at, make, makeChain } from '../chain/chain-testing.ts'
import { checkChain, coversHost } from '../chain/check-chain.ts'
import { acmeIdentifier, basicConstraints, nameConstraints } from './extensions.ts'

test('a path length is written as it is or refused, never as another', () => {
  assert.deepEqual([0, 127, 128, 255].map((length) => basicConstraints(true, length).toString('hex').slice(34)), ['020100', '02017f', '02020080', '020200ff'])
  for (const length of [256, -1, 0.5, Number.NaN]) assert.throws(() => basicConstraints(true, length), { code: 'INPUT_INVALID' }, String(length))
})

test('what is no network is refused: without its bits it would be one of all addresses', () => {
  const written = (value: string) => nameConstraints({ permitted: [{ type: 'ip', value }], excluded: [] })
  for (const value of ['10.0.0.0/8', '0.0.0.0/0', '2001:db8::/32', '2001:db8::1/128']) assert.doesNotThrow(() => written(value), value)
  for (const value of ['10.0.0.0', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/-1', 'fe80::1%eth0/64', 'example.com/8', '::/129']) assert.throws(() => written(value), { code: 'NAME_INVALID' }, value)
})

test('purposes and hosts of any text are answered', async () => {
  const { root, middle, leaf } = await makeChain()
  assert.equal(checkChain([leaf.facts, middle.facts], { at, anchors: [root.facts], purpose: 'constructor' }).isValid, false)
  assert.equal(checkChain([(await make({ name: 'www.example.com', issuer: root })).facts], { at, anchors: [root.facts], purpose: 'constructor' }).isValid, true)
  assert.equal(coversHost(leaf.facts, 'fe80::1%eth0'), false)
})

test('the ACME identifier is critical and holds the digest alone (RFC 8737, 3)', () => {
  const digest = 'ab'.repeat(32)
  assert.equal(acmeIdentifier(Buffer.from(digest, 'hex')).toString('hex'), `303106082b0601050507011f0101ff04220420${digest}`)
})
