import assert from 'node:assert/strict'
import type { Batch, BulkChange, Permission } from '@certloop/contract'
import { registerBulkRoutes } from '../bulk/bulk-routes.ts'
import { testOnDatabases } from '../database/database-testing.ts'
import { asToken, startHttp } from '../http/http-testing.ts'
import { makeWorld } from '../world-testing.ts'
import { registerBatchRoutes } from './batch-routes.ts'

testOnDatabases('batches and bulk changes over the API: who may, page by page, and what is refused', async (t, database) => {
  const w = await makeWorld(t, database)
  const bot = await w.addBot('a')
  for (const name of ['one.example', 'two.example', 'three.example']) await w.configured(name, [bot])
  const { call, tokenFor } = await startHttp(t, database, (app) => {
    registerBatchRoutes(app, w.deps)
    registerBulkRoutes(app, w.deps)
  })
  const asking = async (permissions: readonly Permission[]) => {
    const token = await tokenFor(permissions)
    return async <T>(method: 'GET' | 'POST', path: string, payload?: object): Promise<{ status: number; body: T & { code?: string; detail?: string } }> => {
      const { statusCode, payload: text } = await call(method, `/api/v1${path}`, asToken(token), payload)
      return { status: statusCode, body: JSON.parse(text) as T & { code?: string } }
    }
  }
  const reader = await asking(['certificate:read'])
  const orderer = await asking(['certificate:read', 'certificate:order'])
  const selection = { search: 'example' }
  for (const action of ['rotate', 'delete', 'revoke', 'initiate', 'recheck-pinning']) assert.equal((await reader('POST', '/batches', { action, selection })).status, 403, action)
  assert.equal((await orderer('POST', '/batches', { action: 'rotate', selection })).status, 403, 'rotating deploys as well')
  const made = await orderer<Batch>('POST', '/batches', { action: 'order', selection, limits: { total: 1 } })
  assert.deepEqual([made.status, made.body.total, made.body.counts.waiting, made.body.limits.total, made.body.limits.perBot], [202, 3, 3, 1, 10])
  const { id } = made.body
  for (const command of ['pause', 'resume', 'cancel', 'retry']) assert.equal((await reader('POST', `/batches/${id}/actions/${command}`)).status, 403, command)
  assert.deepEqual([(await orderer<Batch>('POST', `/batches/${id}/actions/pause`)).body.state, (await orderer('POST', `/batches/${id}/actions/pause`)).body.code], ['paused', 'ACTION_NOT_POSSIBLE'])
  const first = await reader<{ items: { certificateName: string }[]; nextCursor: string }>('GET', `/batches/${id}/items?limit=2&state=waiting`)
  const rest = await reader<{ items: { certificateName: string }[]; nextCursor: string | null }>('GET', `/batches/${id}/items?limit=2&cursor=${first.body.nextCursor}`)
  assert.deepEqual([...first.body.items, ...rest.body.items].map((item) => item.certificateName).toSorted(), ['one.example', 'three.example', 'two.example'])
  assert.equal(rest.body.nextCursor, null)
  assert.equal((await reader('GET', `/batches/${id}/items?cursor=x`)).status, 400)
  assert.equal((await reader('GET', '/batches/bat_00000000000000000000000000')).status, 404)
  assert.deepEqual((await reader<{ items: Batch[] }>('GET', '/batches?state=paused')).body.items.map((each) => each.id), [id])
  assert.equal((await orderer<Batch>('POST', `/batches/${id}/actions/cancel`)).body.counts.cancelled, 3)

  const writer = await asking(['certificate:read', 'certificate:write'])
  const bulk = (parts: object) => writer<BulkChange>('POST', '/bulk-changes', { selection, parts })
  assert.equal((await bulk({ targets: [] })).status, 400)
  assert.equal((await bulk({})).status, 400)
  const { status, body } = await bulk({ approval: 'manual' })
  assert.deepEqual([status, body.state, body.counts.waiting], [202, 'previewing', 3])
  await w.runPlane()
  assert.equal((await writer<BulkChange>('POST', `/bulk-changes/${body.id}/actions/apply`)).body.state, 'applying')
  await w.runPlane()
  const denied = async (id: string) => (await reader<{ items: { state: string; error: { code: string } | null }[] }>('GET', `/bulk-changes/${id}/items`)).body.items.map((item) => [item.state, item.error?.code])
  const leaving = await bulk({ approval: 'automatic' })
  await w.runPlane()
  assert.deepEqual(await denied(leaving.body.id), Array.from({ length: 3 }, () => ['conflict', 'PERMISSION_DENIED']), 'who may not approve plans may not do away with their approval')
  assert.equal((await writer('POST', `/bulk-changes/${body.id}/actions/undo`)).status, 202)
  await w.runPlane()
  assert.deepEqual(await denied(body.id), Array.from({ length: 3 }, () => ['applied', 'PERMISSION_DENIED']), 'nor by taking back what brought it')
  const items = await reader<{ items: { state: string; changes: unknown[] }[] }>('GET', `/bulk-changes/${body.id}/items?state=applied`)
  assert.deepEqual(items.body.items.map((item) => item.changes), Array.from({ length: 3 }, () => [{ field: 'approval', before: 'automatic', after: 'manual' }]))
  const approver = await asking(['certificate:read', 'certificate:write', 'deployment:approve'])
  assert.equal((await approver<BulkChange>('POST', `/bulk-changes/${body.id}/actions/undo`)).body.state, 'undoing')
  await w.runPlane()
  assert.equal((await reader<{ items: BulkChange[] }>('GET', '/bulk-changes')).body.items.find((each) => each.id === body.id)?.counts.undone, 3)
})
