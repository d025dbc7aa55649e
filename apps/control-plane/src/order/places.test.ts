import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newId, type OrderId } from '@certloop/contract'
import { watchAuthorities } from './order-worker.ts'

const start = new Date('2026-03-01T00:00:00Z')
const authorityId = newId('ath', start)

/** Seconds until each comes again, on average. */
function pause(places: ReturnType<typeof watchAuthorities>, orders: readonly OrderId[], now = start): number {
  const seconds = orders.map((id) => (places.comeAgain({ id, authorityId }, now).getTime() - now.getTime()) / 1000)
  return seconds.reduce((sum, each) => sum + each, 0) / seconds.length
}
const ids = (count: number): OrderId[] => Array.from({ length: count }, () => newId('ord', start))

test('a few that find no place come again soon, thousands ever more rarely, and those that had their turn do not count', () => {
  const places = watchAuthorities()
  const orders = ids(3000)
  assert.ok(pause(places, orders.slice(0, 50)) < 3)
  pause(places, orders)
  const crowded = pause(places, orders)
  assert.ok(orders.length / crowded < 60, `${orders.length / crowded} a second look for a place`)
  assert.ok(crowded < 120, 'and not so seldom that places stay empty')
  for (const id of orders.slice(20)) places.saw(authorityId, id, { is: 'absent' })
  assert.ok(pause(places, orders.slice(0, 20)) < 3)
})

test('orders that ended while they waited are forgotten', () => {
  const places = watchAuthorities()
  pause(places, ids(3000))
  assert.ok(pause(places, ids(1), new Date(start.getTime() + 3_600_000)) < 4)
})
