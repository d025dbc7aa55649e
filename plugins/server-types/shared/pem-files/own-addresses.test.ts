import type { Host } from '@certloop/plugin-kit'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { localNetworks, ownAddresses } from './own-addresses.ts'

const tries = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 192.0.2.0
        /24 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 127.0.0.0
        /8 host LOCAL
     |-- 127.255.255.255
        /32 link BROADCAST
     |-- 192.0.2.2
        /32 host LOCAL
`
const six = '00000000000000000000000000000001 01 80 10 80       lo\nfd000000000000000000000000000064 02 40 00 80     eth0\n'
const hostWith = (files: Record<string, string>): Host => ({ readFile: (path: string) => Promise.resolve(files[path] === undefined ? undefined : Buffer.from(files[path])) }) as unknown as Host

test('the addresses that the kernel takes for its own', async () => {
  assert.deepEqual(localNetworks(tries), [{ address: '127.0.0.0', bits: 8 }, { address: '192.0.2.2', bits: 32 }])
  const isOwn = await ownAddresses(hostWith({ '/proc/net/fib_trie': tries, '/proc/net/if_inet6': six }))
  const seen = ['127.0.0.4', '192.0.2.2', '192.0.2.3', '::1', 'fd00::64', 'fd00::65', 'fd00::64%eth0', 'localhost'].map((address) => isOwn?.(address))
  assert.deepEqual(seen, [true, true, false, true, true, false, true, true])
  assert.equal((await ownAddresses(hostWith({ '/proc/net/fib_trie': tries })))?.('fd00::65'), true, 'what can not be seen is not judged')
  assert.equal(await ownAddresses(hostWith({})), undefined)
})
