import type { FtpReach } from '@certloop/contract'
import { leftOut, selfSignedPair } from '@certloop/test-kit'
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { DeploymentUnfinished, probersFor } from '../../src/engine/index.ts'
import { createLimits } from '../../src/hosts/limits.ts'
import { createFtpHost } from '../../src/hosts/transfer/ftp-host.ts'
import { materialOf, newDeploymentId, testEngine } from '../engine/engine-kit.ts'
import { cuttable } from '../kit/cuttable.ts'
import { startUploadServer } from './proftpd-kit.ts'
import { watchingProgram } from './watching-program.ts'

const skip = process.getuid?.() === 0 ? leftOut('proftpd') || leftOut('mod_tls.so') : 'ProFTPD starts only as root'

test('an FTP server that goes away between two files: the deployment is unfinished, and ended when the server is back', { skip, timeout: 60_000 }, async (t) => {
  const [server, one, next] = await Promise.all([startUploadServer(t), selfSignedPair(['gone.test']), selfSignedPair(['gone.test'])])
  const way = await cuttable(t, server.port)
  const folder = join(server.root, '..', 'engine')
  await Promise.all([mkdir(folder), mkdir(join(server.root, 'certs'))])
  const files = { certPath: join(server.root, 'certs', 'c.pem'), keyPath: join(server.root, 'certs', 'k.pem') }
  await writeFile(files.certPath, one.certPem)
  await writeFile(files.keyPath, one.keyPem, { mode: 0o600 })
  const proofPort = await watchingProgram(t, files)
  const reach: FtpReach = { kind: 'ftp', host: '127.0.0.1', port: way.port, user: server.user, security: 'explicit-tls', pin: server.pair.fingerprint }
  const host = createFtpHost(reach, { login: { password: server.password } }, { limits: createLimits({ writePaths: null, commands: null, scripts: false }) })
  server.clients.push(host)
  const probe = probersFor({ now: () => new Date() })(host)
  const asked = {
    deploymentId: newDeploymentId(), material: await materialOf(folder, next),
    target: { serverType: 'ftp', reach, fields: { format: 'pem', certificatePath: '/certs/c.pem', keyPath: '/certs/k.pem', proofPort, proofName: 'gone.test' }, secrets: { login: { password: server.password } } },
  }
  let cuts = 0
  const engine = testEngine(folder, { hostFor: () => host, probe, crashPoint: (point) => { if (point === 'do-1:before' && cuts++ === 0) way.cut() } })
  const request = { ...asked, plan: await engine.plan(asked), rollback: true }
  await assert.rejects(engine.deploy(request), DeploymentUnfinished)
  assert.equal(await engine.outcomeOf(asked.deploymentId), undefined)
  way.mend()
  const result = await engine.deploy(request)
  assert.equal(result.outcome, 'deployed', JSON.stringify(result.error))
  assert.deepEqual([await readFile(files.certPath, 'utf8'), await readFile(files.keyPath, 'utf8')], [next.certPem, next.keyPem])
  assert.deepEqual((await readdir(join(server.root, 'certs'))).toSorted(), ['c.pem', 'k.pem'])
})
