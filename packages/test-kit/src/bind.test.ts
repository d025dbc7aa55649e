import assert from 'node:assert/strict'
import { Resolver } from 'node:dns/promises'
import { test } from 'node:test'
import { eventually, freePort, leftOut, startBind } from './index.ts'

const at = ({ address, port }: { address: string; port: number }) => {
  const resolver = new Resolver({ timeout: 2000, tries: 1 })
  resolver.setServers([`${address}:${port}`])
  return resolver
}

test('a BIND of the kit answers for its zones, a secondary takes them over, and both start again', { skip: leftOut('named') }, async (t) => {
  const primary = await startBind(t, { zones: [{ name: 'example.test', records: 'www A 192.0.2.1\nwww TXT "hello"', statements: 'allow-transfer { any; };' }] })
  assert.deepEqual(await at(primary).resolveTxt('www.example.test'), [['hello']])
  const port = await freePort()
  const secondary = await startBind(t, { address: '127.0.0.2', port, zones: [{ name: 'example.test', secondaryOf: primary }] })
  assert.deepEqual(await eventually(() => at(secondary).resolve4('www.example.test'), { what: 'the zone at the secondary' }), ['192.0.2.1'])
  await primary.stop()
  await assert.rejects(at(primary).resolve4('www.example.test'))
  await primary.start()
  assert.deepEqual(await at(primary).resolve4('www.example.test'), ['192.0.2.1'])
})
