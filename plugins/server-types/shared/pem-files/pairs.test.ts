import assert from 'node:assert/strict'
import { test } from 'node:test'
import { joinPairs, joinUses, type PairUse, withKeyTypes } from './pairs.ts'

const use = (name: string, more: Partial<PairUse> = {}): PairUse =>
  ({ certificatePath: `/${name}.crt`, keyPath: `/${name}.key`, chainPath: null, holder: {}, of: 1, names: [`${name}.test`], endpoints: [], left: [], ...more })
const endpoint = (serverName: string, holder: object) => ({ address: '127.0.0.1', port: 443, serverName, holder })

test('uses of the same two names are one pair, with all names and reasons once', () => {
  const [a, b, ...rest] = joinUses([use('a', { left: ['why'] }), use('b'), use('a', { names: ['a.test', 'www.a.test'], left: ['why', 'what'], chainPath: '/chain', refusal: 'no' })])
  assert.deepEqual([a?.names, a?.left, a?.uses.map(({ chainPath }) => chainPath), a?.refusal], [['a.test', 'www.a.test'], ['why', 'what'], [null, '/chain'], 'no'])
  assert.deepEqual([b?.certificatePath, b?.refusal, rest], ['/b.crt', null, []])
})

test('other names of the same files become aliases', () => {
  const [a, b] = joinUses([use('a'), use('b')])
  assert.ok(a && b)
  const joined = joinPairs(a, b)
  assert.deepEqual([joined.certificatePath, joined.aliases, joined.names], ['/a.crt', [{ certificatePath: '/b.crt', keyPath: '/b.key' }], ['a.test', 'b.test']])
})

test('the kind of key is asked for only where a holder has several pairs, and each endpoint comes once', () => {
  const [dual, single] = [{}, {}]
  const [pair] = joinUses([use('a', { holder: dual, of: 2, endpoints: [endpoint('x.test', dual), endpoint('x.test', dual)] }), use('a', { holder: single, endpoints: [endpoint('y.test', single)] })])
  assert.ok(pair)
  assert.deepEqual(withKeyTypes(pair, 'ec').map(({ serverName, keyType }) => [serverName, keyType]), [['x.test', 'ec'], ['y.test', null]])
})
