import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError, ConfigurationInput, ApiProblem, problemOf, type ConfigurationCheck } from '@certloop/api-client'
import { fieldWords, findingsOfCheck, findingsOfError, stepOf, stepsWithProblems } from './findings.ts'

interface Schema { properties?: Record<string, Schema>; items?: Schema; anyOf?: Schema[] }
/** Every path that a schema knows, with 0 for the items of lists. */
function pathsOf({ properties = {}, items, anyOf = [] }: Schema, at = ''): string[] {
  const below = [...Object.entries(properties).flatMap(([name, inner]) => pathsOf(inner, at === '' ? name : `${at}.${name}`)), ...(items ? pathsOf(items, `${at}.0`) : []), ...anyOf.flatMap((inner) => pathsOf(inner, at))]
  return [...new Set([...(at === '' ? [] : [at]), ...below])]
}
const paths = pathsOf(ConfigurationInput as Schema)

test('every field of a configuration that the API can name has words of its own and a step', () => {
  assert.ok(paths.includes('deployment.window.lengthMinutes') && paths.includes('rollout.gate.httpCheck.url') && paths.includes('csr.subject.country'))
  // What has no words of its own is shown as the path itself, which begins with a small letter.
  for (const path of paths) assert.match(fieldWords(path), /^[A-Z][^.]*$/, path)
  assert.deepEqual(['targets.0.fields.keyPath', 'rollout.canary', 'authorityId', 'csr.names.3', 'validation.path', 'approval', 'deployment.freezes.0.to'].map(stepOf), ['deployment', 'deployment', 'authority', 'csr', 'validation', 'schedule', 'schedule'])
})

test('words say which target, wave, freeze period or name is meant', () => {
  assert.deepEqual(
    ['targets.1.fields.keyPath', 'targets.0.reach.jumps.1.host', 'targets.0.secrets.login.password', 'rollout.waves.0', 'deployment.freezes.2.from', 'csr.names.0', 'targets.0'].map(fieldWords),
    ['Target 2: key path', 'Target 1: jump host 2, host', 'Target 1: login, password', 'Wave 1', 'Freeze period 3: from', 'Name 1', 'Target 1'],
  )
})

test('a check and a refusal lead to the same findings', () => {
  const check: ConfigurationCheck = {
    complete: false, nextRuns: [], warnings: [{ field: 'rollout/waves', problem: 'there are none' }],
    steps: [{ step: 'csr', problems: [{ field: 'csr/names/0', problem: 'has a space' }, { field: 'csr/names/0', problem: 'is long' }] }, { step: 'schedule', problems: [{ field: 'deployment/at', problem: 'choose day and time' }] }],
  }
  const found = findingsOfCheck(check)
  assert.deepEqual(found.problems, { 'csr.names.0': 'has a space; is long', 'deployment.at': 'choose day and time' })
  assert.deepEqual(found.warnings, { 'rollout.waves': 'there are none' })
  assert.equal(stepsWithProblems(found.problems), '3. Request (1), 5. Schedule (1)')
  const refused = findingsOfError(new ApiProblem(problemOf(new CertloopError('INPUT_INVALID', 'No.', { fields: ['body.deployment/at: choose day and time'] }), 'req_1')))
  assert.deepEqual([refused.problems, refused.checked], [{ 'deployment.at': 'choose day and time' }, null])
})
