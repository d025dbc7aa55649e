import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plainAddress, proofAddress, socketKey } from './sockets.ts'

test('one spelling for each address, none for names', () => {
  assert.deepEqual(['*', 'localhost', '192.0.2.1', '[2001:DB8:0::1]', '::1', 'www.example.com', ''].map(plainAddress), ['0.0.0.0', '127.0.0.1', '192.0.2.1', '2001:db8::1', '::1', undefined, undefined])
})

test('all addresses are proven on a loopback address that nobody has for itself', () => {
  const taken = (...addresses: string[]) => new Set(addresses.map((address) => socketKey({ address, port: 443 })))
  assert.equal(proofAddress({ address: '0.0.0.0', port: 443 }, taken('0.0.0.0')), '127.0.0.1')
  assert.equal(proofAddress({ address: '0.0.0.0', port: 443 }, taken('127.0.0.1', '127.0.0.2')), '127.0.0.3')
  assert.equal(proofAddress({ address: '0.0.0.0', port: 443 }, taken('127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4')), undefined)
  assert.equal(proofAddress({ address: '::', port: 443 }, taken('127.0.0.1')), '::1')
  assert.equal(proofAddress({ address: '192.0.2.7', port: 443 }, taken('192.0.2.7')), '192.0.2.7')
})
