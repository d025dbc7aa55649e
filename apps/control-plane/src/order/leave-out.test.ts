import assert from 'node:assert/strict'
import { newId } from '@certloop/contract'
import { testOnDatabases } from '../database/database-testing.ts'
import { advanceValidationKind } from '../validation/validation-worker.ts'
import { makeOrderWorld } from './order-testing.ts'

testOnDatabases('a name whose proof never shows is given up in time for the renewal to go on without it', async (t, database) => {
  const { w, first, order, read, events } = await makeOrderWorld(t, database, ['keeps'])
  w.planeKinds['advance-validation'] = advanceValidationKind({ ...w.deps, authorityOf: async () => first.connector })
  for (const name of ['a.example', 'b.example', 'c.example']) first.proofs.set(name, name === 'b.example' ? 'wanted' : 'valid')
  const made = await order({ names: ['a.example', 'b.example', 'c.example'], validation: { method: 'http', leaveOut: true }, replaces: newId('ver', w.now()) })
  for (let i = 0; i < 40; i++) {
    await w.settle()
    w.clock.pass(600)
  }
  const ended = await read(made)
  assert.deepEqual([ended.state, first.issued.map(({ names }) => names)], ['complete', [['a.example', 'c.example']]])
  assert.match((await events(made)).find(({ kind }) => kind === 'order.name-left-out')?.message ?? '', /Goes on without b\.example: The proof of b\.example was not to be seen by 2026-03-01T06:00/)
})
