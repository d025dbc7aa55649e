import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { buildOcspRequest, certIdOf, certificateParts, readOcspResponse } from '@certloop/pki'
import { emptyDatabase } from '../database/database-testing.ts'
import { caWorld } from './ca-testing.ts'
import { issuerInSlot } from './issue.ts'

const head = 'POST /ocsp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
const chunk = Buffer.concat([Buffer.from('4000\r\n'), Buffer.alloc(0x4000), Buffer.from('\r\n')])

test('a body without end is answered and cut, one that does not come is cut', { timeout: 60_000 }, async (t) => {
  const { origin } = await caWorld(t, await emptyDatabase(t))
  const connect = async () => {
    const socket = net.connect(Number(new URL(origin).port), '127.0.0.1')
    socket.on('error', () => {}) // a reset is as good an end as any
    t.after(() => socket.destroy())
    await once(socket, 'connect')
    socket.write(head)
    return socket
  }
  const [endless, silent] = [await connect(), await connect()]
  const begun = performance.now()
  const silentEnds = once(silent.resume(), 'close')
  let answer = ''
  endless.on('data', (part: Buffer) => { answer += part.toString('latin1') })
  let sent = 0
  while (!endless.destroyed && sent < 64 << 20) {
    sent += chunk.length
    await new Promise<void>((resolve) => { endless.write(chunk, () => resolve()) })
  }
  assert.ok(sent < 32 << 20, `${sent} bytes were taken`)
  assert.match(answer, /^HTTP\/1\.1 413 /)
  await silentEnds
  const took = performance.now() - begun
  assert.ok(took < 40_000, `${took} ms`)
})

test('an issuer that has ended answers for nobody, without an error', async (t) => {
  const { ca, clock } = await caWorld(t, await emptyDatabase(t))
  const { certificate } = issuerInSlot(await ca.issuers(), 'intermediate')
  const { subject, spki } = certificateParts(certificate?.certificatePem ?? '')
  const { request } = buildOcspRequest({ certIds: [certIdOf({ subject: subject.raw, spki: spki.raw }, '01')], nonce: null })
  const ask = async () => {
    const answer = readOcspResponse((await ca.ocsp.answer(request, 'key')).body)
    return 'responses' in answer ? 'signed' : answer.status
  }
  assert.equal(await ask(), 'signed')
  clock.now = new Date((certificate?.notAfter.getTime() ?? 0) + 1)
  assert.equal(await ask(), 'unauthorized')
})
