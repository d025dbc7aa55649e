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

test('what a name says at its end counts too, and a folder stays to be read', () => {
  const environment = { STATS_PASS: 'a', ADMIN_AUTH: 'b', API_KEY: 'c', PASS: 'd', PWD: '/etc/haproxy', KEYS_FOLDER: '/etc/keys', BYPASS: 'no' }
  const { values } = forPlans(environment, Object.keys(environment))
  assert.deepEqual(values, { STATS_PASS: 'hidden', ADMIN_AUTH: 'hidden', API_KEY: 'hidden', PASS: 'hidden', PWD: '/etc/haproxy', KEYS_FOLDER: '/etc/keys', BYPASS: 'no' })
})
