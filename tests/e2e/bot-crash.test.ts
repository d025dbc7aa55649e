import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { keyMatchesCertificate, readCertificate } from '@certloop/pki'
import { leftOut, selfSignedPair, startNginx, tempFolder, writePair } from '@certloop/test-kit'
import { openJournals } from './kit/journals.ts'
import { act, configureFromScan, discovered, ended, startBot, startPlane, uniqueName } from './kit/plane.ts'
import { served } from './kit/served.ts'

const program = fileURLToPath(new URL('./kit/crashing-bot.ts', import.meta.url))

test('killed at every moment of a deployment to nginx, the bot comes back to a whole state and the control plane tells the truth', { skip: leftOut('nginx'), timeout: 900_000 }, async (t) => {
  const name = uniqueName()
  const pair = await writePair(await tempFolder(t, 'files'), 'shop', await selfSignedPair([name]))
  const nginx = await startNginx(t, { servers: [{ names: [name], certPath: pair.certPath, keyPath: pair.keyPath }] })
  const port = nginx.ports[0] ?? 0
  const plane = await startPlane(t)
  const bot = await startBot(t, plane, { program })
  const { id } = await configureFromScan(plane, await discovered(plane, name))
  assert.equal((await act(plane, id, 'rotate')).state, 'done')
  bot.process().kill('SIGUSR2')
  const moments = JSON.parse((await bot.process().waitFor(/passed (\[.*\]) end/))[1] ?? '[]') as string[]
  assert.ok(moments.length >= 20, `only ${moments.length} moments: ${moments.join(' ')}`)
  await bot.kill()

  const ends = { deployed: 0, 'rolled-back': 0, failed: 0 }
  for (const [index, moment] of moments.entries()) {
    const at = `killed at ${index + 1} of ${moments.length} (${moment})`
    const before = await served(port, name)
    await bot.restart({ CRASH_AT: String(index + 1) })
    const { id: action } = await plane.client.call('startAction', { params: { id, action: 'rotate' }, body: {} })
    await bot.process().ended
    await bot.restart()
    const { deploymentIds, state } = await ended(plane, action, 90_000)
    const [deploymentId] = deploymentIds
    assert.ok(deploymentId, at)
    const { deployment } = await plane.client.call('getDeployment', { params: { id: deploymentId } })
    const now = await served(port, name)
    assert.ok(deployment.state === 'deployed' || deployment.state === 'rolled-back' || deployment.state === 'failed', `${at}: ${deployment.state}`)
    ends[deployment.state]++
    assert.equal(now, deployment.state === 'deployed' ? deployment.fingerprint : before, `${at}: the control plane says ${deployment.state}`)
    assert.equal(state, deployment.state === 'deployed' ? 'done' : 'failed', at)

    const certPem = await readFile(pair.certPath, 'utf8')
    assert.equal(readCertificate(certPem).fingerprint, now, at)
    assert.ok(keyMatchesCertificate(await readFile(pair.keyPath, 'utf8'), certPem), at)
    assert.equal((await nginx.testConfiguration()).code, 0, at)
    assert.deepEqual((await readdir(dirname(pair.certPath))).toSorted(), ['shop.crt', 'shop.key'], `${at}: leftovers`)
    assert.deepEqual(await openJournals(bot.dataFolder), [], `${at}: open journals`)
    const certificate = await plane.client.call('getCertificate', { params: { id } })
    assert.equal(certificate.installations[0]?.fingerprint, now, `${at}: the inventory`)
    assert.equal(certificate.status, deployment.state === 'deployed' ? 'deployed' : deployment.state === 'failed' ? 'deployment-failed' : 'rolled-back', at)
    await bot.kill()
  }
  t.diagnostic(`${moments.length} moments: ${JSON.stringify(ends)}`)
})
