import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '@certloop/test-kit'
import { localWake, postgresWake } from './wake.ts'

const url = process.env['CERTLOOP_TEST_POSTGRES']

test('a topic is heard here at once, until one stops listening', async () => {
  const wake = localWake()
  const heard: string[] = []
  const stop = wake.listen((topic) => { heard.push(topic) })
  wake.send('a')
  assert.deepEqual(heard, ['a'])
  stop()
  wake.send('b')
  assert.deepEqual(heard, ['a'])
  await wake.close()
})

test('on PostgreSQL a topic is heard here at once and once, and by the other replicas', { skip: url ? false : 'CERTLOOP_TEST_POSTGRES is not set' }, async (t) => {
  const [here, there] = [await postgresWake(url ?? ''), await postgresWake(url ?? '')]
  t.after(() => Promise.all([here.close(), there.close()]))
  const name = `wake-test-${process.pid}`
  const heard = { here: [] as string[], there: [] as string[] }
  here.listen((topic) => { if (topic.startsWith(name)) heard.here.push(topic) })
  there.listen((topic) => { if (topic.startsWith(name)) heard.there.push(topic) })
  here.send(`${name}-1`)
  assert.deepEqual(heard.here, [`${name}-1`], 'the way over the database is not waited for')
  await eventually(() => heard.there.includes(`${name}-1`), { what: 'the other replica hearing it' })
  there.send(`${name}-2`)
  // What comes over the database comes in order: with this one, an echo of the first would be here too.
  await eventually(() => heard.here.includes(`${name}-2`), { what: 'this replica hearing the other' })
  assert.deepEqual(heard, { here: [`${name}-1`, `${name}-2`], there: [`${name}-1`, `${name}-2`] })
})
