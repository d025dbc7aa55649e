import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forPlans } from './environment.ts'

test('a plan holds what the configuration names, and nothing that looks secret', () => {
  const environment = { APACHE_RUN_DIR: '/run', LD_LIBRARY_PATH: '/opt/lib', HOME: '/root', DB_PASSWORD: 'geheim', BACKEND: 'http://user:geheim@host/x' }
  assert.deepEqual(forPlans(environment, ['APACHE_RUN_DIR', 'NOT_THERE']), { values: { APACHE_RUN_DIR: '/run', LD_LIBRARY_PATH: '/opt/lib' }, complete: true })
  const hidden = forPlans(environment, ['BACKEND', 'DB_PASSWORD'])
  assert.deepEqual([hidden.values['BACKEND'], hidden.complete], ['http://hidden@host/x', false])
  assert.doesNotMatch(JSON.stringify(hidden), /geheim/)
})
