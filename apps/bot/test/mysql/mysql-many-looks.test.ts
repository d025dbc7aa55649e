import { leftOut, selfSignedPair, startMariadb, tempFolder, writePair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { chmod } from 'node:fs/promises'
import { connect } from 'node:net'
import { test } from 'node:test'
import { createProber } from '../../src/engine/index.ts'

const skip = process.getuid?.() === 0 ? leftOut('mariadbd') : 'MariaDB is started as root here'

test('however often it is looked at, the server locks nobody out for broken connections', { skip }, async (t) => {
  const folder = await tempFolder(t, 'pairs')
  await chmod(folder, 0o755)
  const { certPath, keyPath, fingerprint } = await writePair(folder, 'one', await selfSignedPair(['db.test']))
  await chmod(keyPath, 0o644)
  const server = await startMariadb(t, { settings: () => `ssl_cert = ${certPath}\nssl_key = ${keyPath}\nmax_connect_errors = 3\n` })
  await server.sql("CREATE USER app@'%' IDENTIFIED BY 'x'")
  // Errors of 127.0.0.1 are not counted.
  const probe = createProber({ now: () => new Date(), connect: async (to) => connect('path' in to ? to : { host: to.address, port: to.port, localAddress: '127.0.0.9' }) })
  const endpoint = { address: '127.0.0.1', port: server.port, serverName: null, keyType: null, startTls: 'mysql' } as const
  for (let look = 1; look <= 8; look++) {
    const { error, fingerprint: seen } = await probe(endpoint)
    assert.deepEqual([error, seen], [null, fingerprint], `look ${look}`)
  }
})
