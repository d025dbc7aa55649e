import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiProblem, CertloopError, problemOf } from '@certloop/api-client'
import { fieldProblems, problemAt, shownProblem } from './problem.ts'

const problem = (error: CertloopError) => new ApiProblem(problemOf(error, 'req_1'))

test('field problems are found by their path in the form, however the path is written', () => {
  const problems = fieldProblems(problem(new CertloopError('INPUT_INVALID', 'Wrong.', {
    fields: ['body.targets/0/fields/keyPath: must be a path', 'body.renewal.zone: no zone', 'csr.names[2]: has a space', 'body.newPassword: too short', 'body.newPassword: too plain'],
  })))
  assert.deepEqual(problems, { 'targets.0.fields.keyPath': 'must be a path', 'renewal.zone': 'no zone', 'csr.names.2': 'has a space', 'newPassword': 'too short too plain' })
  assert.equal(problemAt(problems, 'csr.names'), 'has a space')
  assert.equal(problemAt(problems, 'csr.name'), undefined)
})

test('a wrong name is shown at the names, of the dialogue and of the configuration', () => {
  const problems = fieldProblems(problem(new CertloopError('NAME_INVALID', '"a b" holds a space.')))
  assert.deepEqual([problems.names, problems['csr.names']], ['"a b" holds a space.', '"a b" holds a space.'])
})

test('an answer, a stored error and a mistake of the pages all say cause, remedy and where', () => {
  const stored = shownProblem({ code: 'DISK_FULL', message: '/etc is full.' })
  assert.deepEqual([stored.message, stored.code, stored.where], ['/etc is full.', 'DISK_FULL', 'The host'])
  assert.equal(shownProblem(problem(new CertloopError('CONFLICT', 'Changed.'))).requestId, 'req_1')
  const mistake = shownProblem(new TypeError('x is not a function'))
  assert.deepEqual([mistake.code, mistake.message], ['INTERNAL', 'x is not a function'])
  assert.ok(mistake.cause && mistake.remedy && mistake.where)
})

test('a problem of names that is one of another field is shown there', () => {
  const at = (fields: string[]) => fieldProblems(problem(new CertloopError('NAME_INVALID', 'Not so.', { fields })))
  assert.deepEqual(at(['commonName: has to be one of the names']), { commonName: 'has to be one of the names' })
  assert.equal(at(['names[0]: is none'])['csr.names'], 'Not so.')
  assert.equal(at([]).names, 'Not so.')
})
