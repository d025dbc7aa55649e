import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { abandoned, ownName } from './own-names.ts'

test('what belongs to a process that is gone is abandoned, and nothing else', async () => {
  const child = spawn('/bin/true')
  await once(child, 'exit')
  const mine = ownName('x-')
  const theirs = `x-${child.pid}-0123456789`
  assert.match(mine, new RegExp(`^x-${process.pid}-[0-9a-f]{10}$`))
  assert.deepEqual(await abandoned('x-', [mine, theirs, `y-${child.pid}-0123456789`, 'x-file', 'x-1-a', `${theirs}.conf`]), [theirs, `${theirs}.conf`])
})
