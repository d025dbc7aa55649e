import assert from 'node:assert/strict'
import type { Validation } from '@certloop/contract'
import { testOnDatabases } from '../database/database-testing.ts'
import { asPage, startHttp } from '../http/http-testing.ts'
import { registerValidationRoutes } from './validation-routes.ts'
import { makeValidations, wanted } from './validation-testing.ts'


testOnDatabases('validations are listed page by page, shown with what a person has to do, and looked at on a button', async (t, database) => {
  const v = await makeValidations(database)
  const { call, root } = await startHttp(t, database, (app) => registerValidationRoutes(app, v.deps))
  const headers = asPage(root.cookie)
  const get = async <T>(path: string): Promise<T> => (await call('GET', `/api/v1${path}`, headers)).json<T>()
  const names = ['a.example.com', 'b.example.com', 'c.example.com']
  const made = await v.addOrder(names, { method: 'manual', place: 'file' })
  const other = await v.addOrder(['d.example.com'], { method: 'dns' })
  await v.sync(made, names.map((name) => wanted(name)))
  await v.sync(other, [wanted('d.example.com')])
  await v.settle()

  const first = await get<{ items: Validation[]; nextCursor: string }>(`/validations?orderId=${made.order.id}&limit=2`)
  const second = await get<{ items: Validation[]; nextCursor: string | null }>(`/validations?orderId=${made.order.id}&limit=2&cursor=${first.nextCursor}`)
  assert.deepEqual([[...first.items, ...second.items].map(({ name }) => name).toSorted(), second.nextCursor], [names, null])
  assert.deepEqual((await get<{ items: Validation[] }>('/validations?state=asked')).items.map(({ name }) => name), ['d.example.com'])
  assert.deepEqual((await get<{ items: Validation[] }>(`/validations?certificateId=${other.order.certificateId}`)).items.map(({ name }) => name), ['d.example.com'])

  const id = (await v.all(made.attempt))[0]?.id
  const shown = await get<Validation>(`/validations/${id}`)
  assert.deepEqual([shown.state, shown.certificateName, shown.method, shown.cleanup, shown.deadline], ['waiting', 'a.example.com', 'manual', 'nothing', '2026-03-02T00:00:00.000Z'])
  assert.deepEqual(shown.expected, { kind: 'http', url: 'http://a.example.com/.well-known/acme-challenge/proof-of-a-example-com', path: '/.well-known/acme-challenge/proof-of-a-example-com', content: 'proof-of-a.example.com.key' })
  assert.match(shown.instructions.join('\n'), /make the file \.well-known\/acme-challenge\/proof-of-a-example-com below the folder.*\n.*: proof-of-a\.example\.com\.key\n.*curl -i http:\/\/a\.example\.com/)

  const check = async () => (await call('POST', `/api/v1/validations/${id}/actions/check`, headers)).json<Validation & { code: string }>()
  const unseen = await check()
  assert.deepEqual([unseen.state, unseen.lastLook?.visible], ['waiting', false])
  v.served.set('http://a.example.com/.well-known/acme-challenge/proof-of-a-example-com', 'proof-of-a.example.com.key')
  const seen = await check()
  assert.deepEqual([seen.state, seen.lastLook?.visible], ['checking', true])
  await v.settle()
  assert.equal((await get<Validation>(`/validations/${id}`)).state, 'asked')
  assert.deepEqual([(await check()).state, v.poked.includes(made.order.id)], ['asked', true])
  await v.end(made.attempt, 'issued')
  assert.equal((await check()).code, 'ACTION_NOT_POSSIBLE')
  assert.equal((await call('GET', '/api/v1/validations/val_00000000000000000000000000', headers)).statusCode, 404)
})
