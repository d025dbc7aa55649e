import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { leftOut, startPostgres, startProcess, tempFolder, freePort } from '@certloop/test-kit'
import { startPlane } from './kit/plane.ts'

const main = fileURLToPath(new URL('../../apps/control-plane/src/main.ts', import.meta.url))
const skip = leftOut('postgres')

test('PostgreSQL that can not be reached at the start: it says where and why, without a stack, and ends with 1', { timeout: 60_000 }, async (t) => {
  const data = await tempFolder(t, 'away')
  const process_ = await startProcess(t, [process.execPath, main, '--data', data, '--port', '0', '--no-bot'], { env: { DATABASE_URL: `postgres://nobody:a-secret@127.0.0.1:${await freePort()}/certloop` } })
  assert.equal((await process_.ended).code, 1)
  assert.match(process_.output(), /PostgreSQL at 127\.0\.0\.1:\d+\/certloop can not be used: .*ECONNREFUSED.*\n.*DATABASE_URL.*\(DATABASE_UNREACHABLE\)/)
  assert.doesNotMatch(process_.output(), /a-secret|\n\s+at /)
})

test('PostgreSQL lost while running: problem documents with 503 that name no address', { skip, timeout: 120_000 }, async (t) => {
  const postgres = await startPostgres()
  t.after(() => postgres.stop())
  const plane = await startPlane(t, { env: { DATABASE_URL: postgres.url } })
  assert.equal((await fetch(`${plane.url}/readyz`)).status, 200)
  await postgres.stop()
  const asked = [
    fetch(`${plane.url}/api/v1/certificates`, { headers: { authorization: `Bearer clt_${'a'.repeat(43)}` } }),
    fetch(`${plane.url}/api/v1/session`, { method: 'POST', headers: { 'content-type': 'application/json', origin: plane.url }, body: JSON.stringify({ name: 'admin', password: 'x' }) }),
  ]
  for (const response of await Promise.all(asked)) {
    const text = await response.text()
    assert.equal(response.status, 503, text)
    assert.match(response.headers.get('content-type') ?? '', /application\/problem\+json/)
    assert.match(text, /"code":"UNAVAILABLE"/)
    assert.doesNotMatch(text, /127\.0\.0\.1|ECONN/)
  }
  assert.equal((await fetch(`${plane.url}/healthz`)).status, 200)
})
