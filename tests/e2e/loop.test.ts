import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { test } from 'node:test'
import { X509Certificate } from 'node:crypto'
import { keyMatchesCertificate } from '@certloop/pki'
import { leftOut, nginxTempPaths, selfSignedPair, startNginx, tempFolder, writePair } from '@certloop/test-kit'
import { act, configureFromScan, discovered, startBot, startPlane, uniqueName } from './kit/plane.ts'
import { served } from './kit/served.ts'

const skip = leftOut('nginx')

test('found, ordered, deployed, proven, rotated; a failing rotation leaves the previous certificate served', { skip, timeout: 180_000 }, async (t) => {
  const name = uniqueName()
  const folder = await tempFolder(t, 'nginx-files')
  const pair = await writePair(folder, 'shop', await selfSignedPair([name, `www.${name}`]))
  // Security level 3 asks for 128 bits: an RSA key of 2048 bits makes `nginx -t` fail.
  const nginx = await startNginx(t, {
    configuration: ({ prefix, ports }) => `http {
${nginxTempPaths(prefix)}
  ssl_ciphers HIGH:@SECLEVEL=3;
  server { listen 127.0.0.1:${ports[0]} ssl; server_name ${name} www.${name}; ssl_certificate ${pair.certPath}; ssl_certificate_key ${pair.keyPath}; }
}
`,
  })
  const port = nginx.ports[0] ?? 0
  const plane = await startPlane(t)
  const bot = await startBot(t, plane)

  const found = await discovered(plane, name)
  assert.equal(found.status, 'expiring', 'the pair made for tests has less than 30 days left')
  assert.equal(found.fingerprint, pair.fingerprint)
  assert.equal(found.installations.length, 1)
  assert.equal(found.installations[0]?.state, 'in-sync')
  assert.deepEqual(found.suggestions.map((s) => s.fields['certificatePath']), [pair.certPath])

  const configured = await configureFromScan(plane, found)
  assert.equal(configured.status, 'configured')
  const initiated = await act(plane, found.id, 'initiate')
  assert.equal(initiated.state, 'done', JSON.stringify(initiated))
  assert.equal(await served(port, name), pair.fingerprint, 'initiate replaces nothing')

  const ordered = await act(plane, found.id, 'order')
  assert.equal(ordered.state, 'done', JSON.stringify(ordered))
  assert.equal(await served(port, name), pair.fingerprint, 'order deploys nothing')
  const afterOrder = await plane.client.call('getCertificate', { params: { id: found.id } })
  assert.equal(afterOrder.status, 'issued')

  const deployed = await act(plane, found.id, 'deploy')
  assert.equal(deployed.state, 'done', JSON.stringify(deployed))
  const second = await served(port, `www.${name}`)
  assert.equal(second, afterOrder.fingerprint)
  assert.notEqual(second, pair.fingerprint)

  const rotated = await act(plane, found.id, 'rotate')
  assert.equal(rotated.state, 'done', JSON.stringify(rotated))
  const third = await served(port, name)
  assert.notEqual(third, second)
  const certPem = await readFile(pair.certPath, 'utf8')
  assert.ok(keyMatchesCertificate(await readFile(pair.keyPath, 'utf8'), certPem))
  assert.equal((await stat(pair.keyPath)).mode & 0o777, 0o600)
  assert.equal(new X509Certificate(certPem).fingerprint256.replaceAll(':', '').toLowerCase(), third)

  const current = await plane.client.call('getCertificate', { params: { id: found.id } })
  assert.equal(current.status, 'deployed')
  assert.equal(current.installations[0]?.state, 'in-sync')
  assert.equal(current.versions.length, 3)
  assert.equal(current.nextRenewals.length, 5)
  assert.deepEqual((await act(plane, found.id, 'recheck-pinning')).error, null)

  await configureFromScan(plane, current, { csr: { commonName: null, names: [], keyAlgorithm: 'rsa-2048', keyReuse: false, validityDays: null } })
  const bad = await act(plane, found.id, 'rotate')
  assert.equal(bad.state, 'failed')
  assert.equal(bad.error?.code, 'CONFIG_TEST_FAILED', JSON.stringify(bad))
  assert.equal(await served(port, name), third)
  assert.equal(await readFile(pair.certPath, 'utf8'), certPem)
  assert.equal((await nginx.testConfiguration()).code, 0)
  const after = await plane.client.call('getCertificate', { params: { id: found.id } })
  assert.equal(after.status, 'rolled-back')
  assert.equal(bot.process().child.exitCode, null)
})
