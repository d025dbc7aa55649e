import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isTouched } from './live.ts'

const certificate = 'crt_1'

test('a notice touches the lists and details that show the thing, and no others', () => {
  const notices = [{ kind: 'deployment', id: 'dep_1', certificateId: certificate }] as const
  const touched = (operation: string, id?: string) => isTouched([operation, id === undefined ? {} : { params: { id } }], notices)
  assert.equal(touched('listDeployments'), true)
  assert.equal(touched('getDeployment', 'dep_1'), true)
  assert.equal(touched('getDeployment', 'dep_2'), false)
  assert.equal(touched('getCertificate', certificate), true)
  assert.equal(touched('getCertificate', 'crt_2'), false)
  assert.equal(touched('getTimeline', certificate), true)
  assert.equal(touched('listOrders'), false)
  assert.equal(touched('getSession'), false)
})

test('a bot that joins touches the list of bots and its own page', () => {
  const notices = [{ kind: 'bot', id: 'bot_1' }] as const
  assert.equal(isTouched(['listBots', {}], notices), true)
  assert.equal(isTouched(['getBot', { params: { id: 'bot_1' } }], notices), true)
  assert.equal(isTouched(['getBot', { params: { id: 'bot_2' } }], notices), false)
})
