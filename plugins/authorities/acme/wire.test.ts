import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError } from '@certloop/contract'
import { generateKey } from '@certloop/pki'
import type { Outbound } from '@certloop/plugin-kit'
import { accountKeyOf } from './jws.ts'
import { createWire } from './wire.ts'

test('goes to no plain address from a directory with https', async () => {
  const called: string[] = []
  const outbound: Outbound = {
    request: async ({ url }) => {
      called.push(url)
      return { status: 200, headers: { 'replay-nonce': 'abc' }, body: Buffer.from('{}'), text: () => '{}' }
    },
  }
  const wireOf = (httpsOnly: boolean) => createWire({ authority: 'Some CA', httpsOnly, outbound, now: () => new Date(), newNonce: async () => 'https://ca.example/nonce' })
  const key = await accountKeyOf(await generateKey('ec-256'))
  await assert.rejects(wireOf(true).post('http://ca.example/order/1', '', { key }), (error) => error instanceof CertloopError && error.code === 'AUTHORITY_ANSWER_INVALID' && error.facts['sent'] === 'no')
  await assert.rejects(wireOf(true).get('http://ca.example/directory'))
  assert.deepEqual(called, ['https://ca.example/nonce'])
  await wireOf(true).post('https://ca.example/order/1', '', { key })
  await wireOf(false).get('http://ca.example/directory')
  assert.deepEqual(called.slice(1), ['https://ca.example/nonce', 'https://ca.example/order/1', 'http://ca.example/directory'])
})
