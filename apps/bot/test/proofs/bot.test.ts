import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readdir, readFile, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { newId, type TaskId } from '@certloop/contract'
import { eventually, freePort, startProcess, tempFolder } from '@certloop/test-kit'
import { joinedBot } from '../joined-bot.ts'
import { digestOf } from './proofs-kit.ts'

const main = new URL('../../src/main.ts', import.meta.url).pathname
const env = { CERTLOOP_BOT_DATA: undefined, HTTPS_PROXY: undefined, https_proxy: undefined }
const now = () => new Date()
const after = (ms: number) => new Date(Date.now() + ms).toISOString()

const names = (port: number) => new Promise<string | undefined>((resolve, reject) => {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, servername: 'www.example.com', ALPNProtocols: ['acme-tls/1'] })
  socket.once('secureConnect', () => { resolve(new X509Certificate(socket.getPeerX509Certificate()?.raw ?? '').subjectAltName) }).once('error', reject)
})

test('kill -9 of a bot with proofs in place: it answers again, and removes what has expired while the control plane is away', { timeout: 120_000 }, async (t) => {
  const { server, dataFolder } = await joinedBot(t, { now })
  const site = await realpath(await tempFolder(t, 'site'))
  const launch = () => startProcess(t, [process.execPath, main, 'run', '--data', dataFolder], { env })
  const done = async (id: TaskId) => {
    const result = await eventually(() => server.board.results.get(id), { timeoutMs: 60_000, what: 'the result' })
    return result.ok ? result.data : assert.fail(JSON.stringify(result))
  }
  const port = await freePort()
  const alpn = { validationId: newId('val', now()), expires: after(3_600_000), proof: { kind: 'tls-alpn', type: 'dns', name: 'www.example.com', digest: digestOf('x'), listenOn: `127.0.0.1:${port}` } }
  const proof = (token: string) => ({ kind: 'file', folder: site, path: `/.well-known/acme-challenge/${token}`, content: `${token}.thumbprint` })
  const [lasting, brief] = [{ validationId: newId('val', now()), expires: after(3_600_000), proof: proof('lasting') }, { validationId: newId('val', now()), expires: after(4_000), proof: proof('brief') }]

  const first = await launch()
  const placed = await Promise.all([alpn, lasting, brief].map((payload) => done(server.give('place-proof', payload))))
  assert.deepEqual(placed, [{ where: `127.0.0.1:${port} for www.example.com` }, { where: join(site, lasting.proof.path) }, { where: join(site, brief.proof.path) }])
  first.kill('SIGKILL')
  await first.ended
  await server.stop()
  await launch()
  assert.equal(await eventually(() => names(port), { timeoutMs: 60_000 }), 'DNS:www.example.com')
  await eventually(async () => (await readdir(join(site, '.well-known/acme-challenge'))).join(' ') === 'lasting', { timeoutMs: 60_000, what: 'the end of the expired file' })
  await server.start()
  for (const { validationId, proof: what } of [alpn, lasting, brief]) assert.deepEqual(await done(server.give('remove-proof', { validationId, proof: what })), { removed: true, left: null })
  assert.deepEqual(await readdir(site), [])
  await assert.rejects(names(port), { code: 'ECONNREFUSED' })
  assert.deepEqual(JSON.parse(await readFile(join(dataFolder, 'proofs.json'), 'utf8')), { proofs: [], folders: [] })

  await writeFile(join(site, 'plain'), '')
  const refused = server.give('place-proof', { ...lasting, proof: { ...lasting.proof, folder: join(site, 'plain') } })
  assert.partialDeepStrictEqual(await eventually(() => server.board.results.get(refused), { timeoutMs: 60_000 }), { ok: false, error: { code: 'FOLDER_MISSING' } })
  assert.deepEqual(server.problems, [])
})
