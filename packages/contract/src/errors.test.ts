import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CertloopError, errorClasses, errorCodes, errorSpecs, fromWire, toCertloopError } from './errors.ts'
import { problemOf } from './api/problem.ts'

test('every code has a class, a cause, a remedy and a place, in whole sentences', () => {
  for (const code of errorCodes) {
    const spec = errorSpecs[code]
    assert.match(code, /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/)
    assert.ok(errorClasses.includes(spec.class), code)
    for (const text of [spec.cause, spec.remedy]) assert.match(text, /^([A-Z0-9]|bot\.toml ).*[.…]$/, `${code}: ${text}`)
    assert.ok(spec.where.length > 3, code)
    assert.ok(spec.httpStatus >= 400 && spec.httpStatus < 600, code)
  }
})

test('an error survives the wire; what nobody knows becomes INTERNAL and keeps its words', () => {
  const error = new CertloopError('DISK_FULL', 'No space on /etc.', { path: '/etc' })
  const back = fromWire(JSON.parse(JSON.stringify(error.toWire())) as ReturnType<CertloopError['toWire']>)
  assert.deepEqual([back.code, back.message, back.facts], ['DISK_FULL', 'No space on /etc.', { path: '/etc' }])
  for (const code of ['NEVER_HEARD', 'toString', '__proto__']) assert.equal(fromWire({ ...error.toWire(), code: code as 'DISK_FULL' }).code, 'INTERNAL', code)
  assert.equal(toCertloopError(error), error)
  assert.deepEqual([toCertloopError(new Error('odd')).code, toCertloopError('odd').message], ['INTERNAL', 'odd'])
})

test('a problem document names the fields and repeats code, cause, remedy and place', () => {
  const problem = problemOf(new CertloopError('NAME_INVALID', 'Two names do not fit.', { fields: ['names[0]: has a space', 'names[1]: too: long'], count: 2 }), 'req_1')
  assert.deepEqual(problem.fields, [{ field: 'names[0]', problem: 'has a space' }, { field: 'names[1]', problem: 'too: long' }])
  assert.equal(problem.status, 400)
  assert.equal(problem.detail, 'Two names do not fit.')
  assert.equal(problem.remedy, errorSpecs.NAME_INVALID.remedy)
  assert.deepEqual(problem.facts, { count: 2 })
  assert.equal(problem.instance, 'req_1')
})
